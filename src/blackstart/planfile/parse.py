# SPDX-License-Identifier: Apache-2.0
"""From bytes to the located tree: YAML 1.2 with the core schema, bounded in every direction.

The scanner is ruamel.yaml's; the tree is built here, because a plan needs more than a YAML library
promises: the place of every value, duplicate keys refused, a limit on depth and on what aliases
expand to, and no tags, merge keys or second documents. Format: https://yaml.org/spec/1.2.2/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from blackstart.planfile.compose import Builder, Unreadable
from blackstart.planfile.problems import Problems, shown
from blackstart.planfile.tree import Location, Node

SIZE_BYTES_AT_MOST = 262_144

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_REMEDIES = (
    (r"'\t'", "indent with spaces, never with tabs"),
    ("that cannot start any token", "put the text in quotes"),
    ("mapping values are not allowed", "check the indentation; put text that holds ': ' in quotes"),
    ("while scanning a simple key", "write 'key: value', with a colon and a space"),
    ("could not find expected ':'", "write 'key: value', with a colon and a space"),
    ("end of stream", "close the quote or bracket that was opened here"),
    ("<stream end>", "close the bracket that was opened here"),
    ("expected ',' or", "close the bracket, or separate the values with commas"),
    ("<block", "align this line with those above it"),
    ("escape", "write a backslash twice, or use single quotes"),
)
_REMEDY = "correct the YAML; text with any of : # { } [ ] , & * ! | > @ ` % belongs in quotes"


def parse_tree(content: bytes, file: str, problems: Problems) -> Node | None:
    """Return the tree of the one document in the bytes, or None when there is no reading it.

    Every problem found is added to `problems`. Nothing is raised but TooManyProblems.
    """
    start = Location(file=file, line=1, column=1)
    text = _decode(content, start, problems)
    if text is None:
        return None
    builder = Builder(file=file, problems=problems)
    try:
        for event in _events_of(text, start):
            builder.take(event)
    except Unreadable as stop:
        problems.add(stop.at, stop.what, stop.instead, ())
        return None
    if builder.root is None:
        problems.add(start, "the file is empty", "begin it with 'blackstart: 1'", ())
    return builder.root


def _events_of(text: str, start: Location) -> Iterator[object]:
    at = start
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            at = replace(start, line=event.start_mark.line + 1, column=event.start_mark.column + 1)
            yield event
    except MarkedYAMLError as error:
        raise _explain(error, at) from error
    except (YAMLError, ValueError, IndexError, AttributeError, AssertionError, TypeError) as error:
        # Not documented, but on broken input the scanner trips over itself in these ways.
        raise Unreadable(at, f"the YAML cannot be read: {shown(error)}", _REMEDY) from error


def _decode(content: bytes, start: Location, problems: Problems) -> str | None:
    if len(content) > SIZE_BYTES_AT_MOST:
        what = f"the file is larger than {SIZE_BYTES_AT_MOST} bytes"
        problems.add(start, what, "keep rosters and documents in files of their own", ())
        return None
    try:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        at = _locate(content[: error.start].decode("utf-8"), start.file)
        problems.add(at, "the file is not UTF-8 text", "save it as UTF-8", ())
        return None
    strange = _UNPRINTABLE.search(text)
    if strange:
        at = _locate(text[: strange.start()], start.file)
        problems.add(at, f"the character {strange[0]!a} is not text", "remove it", ())
        return None
    return text


def _locate(before: str, file: str) -> Location:
    lines = re.split("\r\n|[\r\n]", before)
    return Location(file=file, line=len(lines), column=len(lines[-1]) + 1)


def _explain(error: MarkedYAMLError, at: Location) -> Unreadable:
    mark = error.problem_mark or error.context_mark
    place = replace(at, line=mark.line + 1, column=mark.column + 1) if mark else at
    what = str(error.problem or error.context or error)
    seen = f"{error.context} {what}"
    instead = next((remedy for sign, remedy in _REMEDIES if sign in seen), _REMEDY)
    return Unreadable(place, f"the YAML cannot be read: {what}", instead)
