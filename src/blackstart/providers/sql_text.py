# SPDX-License-Identifier: Apache-2.0
"""SQL as text: cut into statements, values put in as literals, a literal made of any text.

Only as much of the grammar as that takes: quotes, dollar quotes and comments (PostgreSQL, chapter
"Lexical Structure"). What the statements mean is for the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from blackstart.model.errors import Refused

_TOKEN = re.compile(
    r"""
      (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*")
    | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<comment>--[^\n]*)
    | (?P<open>/\*)
    | (?P<cast>::)
    | (?P<value>:'(?P<literal>[A-Za-z_]\w*)' | :"(?P<identifier>[A-Za-z_]\w*)")
    | (?P<end>;)
    | (?P<word>\w+)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ANSWERING = frozenset({"SELECT", "VALUES", "TABLE", "SHOW", "EXPLAIN"})


def cut(text: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the statements of a text, without comments, with `:'name'` and `:"name"` put in.

    Raises Refused for a value that was not given.
    """
    statements, current = [], ""
    for kind, part, name in _tokens(text):
        if kind == "end":
            statements.append(current.strip())
            current = ""
        elif kind == "comment":
            current += " "
        elif kind in {"literal", "identifier"}:
            current += _put_in(kind, name, values)
        else:
            current += part
    return tuple(one for one in (*statements, current.strip()) if one)


def answers(statement: str) -> bool:
    """Say whether a statement returns rows, as far as its words tell."""
    words = [part.upper() for kind, part, _ in _tokens(statement) if kind == "word"]
    if "RETURNING" in words:
        return True
    if words[:1] == ["WITH"]:
        return not {"INSERT", "UPDATE", "DELETE", "MERGE"} & set(words)
    return words[:1] != [] and words[0] in _ANSWERING


def literal(text: str) -> str:
    """Return a text as an SQL literal, whatever it holds. Raises Refused for a NUL."""
    if "\0" in text:
        raise Refused("a text for the database holds a NUL", "give a text without one")
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"


def _put_in(kind: str, name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise Refused(
            f"the statements use the value '{name}', which was not given",
            "give it in `values`, or in `secrets` if it is one",
        )
    if kind == "literal":
        return literal(values[name])
    return '"' + values[name].replace('"', '""') + '"'


def _tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield kind, text and name of each part; what is between them is passed on as it is."""
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        assert found is not None  # `other` takes anything
        if found["open"]:
            at = _end_of_comment(text, at)
            yield "comment", "", ""
            continue
        at = found.end()
        if found["value"]:
            kind = "literal" if found["literal"] else "identifier"
            yield kind, found[0], found[kind]
        else:
            yield str(found.lastgroup), found[0], ""


def _end_of_comment(text: str, at: int) -> int:
    """Return where a comment ends that may hold others."""
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if found[0] == "/*" else -1
        if depth == 0:
            return found.end()
    return len(text)
