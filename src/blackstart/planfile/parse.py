# SPDX-License-Identifier: Apache-2.0
"""From bytes to the located tree: YAML 1.2 with the core schema, bounded in every direction.

The scanner is libyaml (through PyYAML); the tree is built here, because a plan needs more than a
YAML library promises: the place of every value, duplicate keys refused, a limit on depth and on
what aliases expand to, and no tags, merge keys or second documents.
Format: https://yaml.org/spec/1.2.2/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import yaml
from yaml.error import MarkedYAMLError, YAMLError

from blackstart.planfile.compose import Builder, Unreadable
from blackstart.planfile.problems import Problems, shown
from blackstart.planfile.tree import Location, Node

SIZE_BYTES_AT_MOST = 262_144

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, or as slow as Python
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# U+2028 and U+2029 end a line for some programs and not for others; the rest turn text around, so
# that a reviewer reads something else than the machine (https://trojansource.codes).
_MISLEADING = re.compile("[\u2028\u2029\u202a-\u202e\u2066-\u2069]")

# what the scanner says → what helps, and whether that is where the part was opened
_REMEDIES = (
    ("tab character", "indent with spaces, never with tabs", False),
    ("that cannot start any token", "put the text in quotes", False),
    ("mapping values are not", "check the indentation; put text that holds ': ' in quotes", False),
    ("while scanning a simple key", "write 'key: value', with a colon and a space", False),
    ("could not find expected ':'", "write 'key: value', with a colon and a space", False),
    ("unexpected end of stream", "close the quote that was opened here", True),
    ("parsing a flow", "close the bracket opened here; separate values with commas", True),
    ("parsing a block", "align this line with those above it", False),
    ("escape", "write a backslash twice, or use single quotes", False),
)
_REMEDY = "correct the YAML; text with any of : # { } [ ] , & * ! | > @ ` % belongs in quotes"


def parse_tree(content: bytes, file: str, problems: Problems) -> Node | None:
    """Return the tree of the one document in the bytes, or None when there is no reading it.

    Every problem found is added to `problems`. Nothing is raised but TooManyProblems.
    """
    start = Location(file=file, line=1, column=1)
    text = decode(content, start, problems)
    if text is None:
        return None
    builder = Builder(file=file, problems=problems)
    try:
        for event in _events_of(text, builder):
            builder.take(event)
    except Unreadable as stop:
        problems.add(stop.at, stop.what, stop.instead, ())
        return None
    if builder.root is None:
        problems.add(start, "the file is empty", "begin it with 'blackstart: 1'", ())
    return builder.root


def _events_of(text: str, builder: Builder) -> Iterator[object]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except MarkedYAMLError as error:
        raise _explain(error, builder.at) from error
    except (YAMLError, ValueError, IndexError, AttributeError, AssertionError, TypeError) as error:
        # Not documented, but on broken input the scanner trips over itself in these ways.
        raise Unreadable(builder.at, f"the YAML cannot be read: {shown(error)}", _REMEDY) from error


def decode(content: bytes, start: Location, problems: Problems) -> str | None:
    """Return the text in the bytes, or None when it is too long, not UTF-8 or misleading."""
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
    strange = _UNPRINTABLE.search(text) or _MISLEADING.search(text)
    if strange:
        at = _locate(text[: strange.start()], start.file)
        problems.add(at, f"the character {strange[0]!a} is not text", "remove it", ())
        return None
    return text


def _locate(before: str, file: str) -> Location:
    lines = re.split("\r\n|[\r\n]", before)
    return Location(file=file, line=len(lines), column=len(lines[-1]) + 1)


def _explain(error: MarkedYAMLError, at: Location) -> Unreadable:
    what = str(error.problem or error.context or error)
    seen = f"{error.context} {what}"
    found = (row for row in _REMEDIES if row[0] in seen)
    _, instead, is_where_opened = next(found, ("", _REMEDY, False))
    marks = [error.problem_mark, error.context_mark]
    mark = next((one for one in (marks[::-1] if is_where_opened else marks) if one), None)
    place = replace(at, line=mark.line + 1, column=mark.column + 1) if mark else at
    return Unreadable(place, f"the YAML cannot be read: {what}", instead)
