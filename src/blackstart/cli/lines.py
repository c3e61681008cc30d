# SPDX-License-Identifier: Apache-2.0
"""Lines that fit the terminal: prose is broken between words and stays under its own column.

Where nobody looks (a pipe, a file) a line stays one line, so that programs can cut and search it.
"""

from __future__ import annotations

import shutil
import sys
from textwrap import wrap

import click

_NARROWEST, _ANY = 40, 1_000_000
_COMMAND = "blackstart "
_DEEPER = 2  # what follows the first line of a line stands this much further in


def columns_here() -> int:
    """Return how many columns the terminal has; very many where there is none."""
    if not sys.stdout.isatty():
        return _ANY
    return max(_NARROWEST, shutil.get_terminal_size().columns)


def fitted(text: str, under: int | None = None) -> str:
    """Return the text, its lines broken for the terminal when there is one.

    What follows the first line stands at the column `under`, or a little deeper than the line.
    A command to copy stays whole.
    """
    columns = columns_here()
    return "\n".join(_fitted(line, columns, under) for line in text.split("\n"))


def _fitted(line: str, columns: int, under: int | None) -> str:
    words = click.unstyle(line)
    if words.lstrip().startswith(_COMMAND):
        return line
    deep = len(words) - len(words.lstrip(" ")) + _DEEPER if under is None else under
    return broken(line, columns, deep)


def broken(line: str, columns: int, under: int) -> str:
    """Return the line broken between words where it is longer than so many columns."""
    if len(line) <= columns:
        return line
    pieces = wrap(
        line,
        columns,
        subsequent_indent=" " * under,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(pieces)
