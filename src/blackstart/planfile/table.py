# SPDX-License-Identifier: Apache-2.0
"""A list of systems beside the plan: a CSV file (RFC 4180) whose columns become values.

The first line names the columns; `name` is the name of the system. Every problem has the line of
the list that it is about.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from blackstart.model.references import malformed_in, names_in
from blackstart.planfile import shape
from blackstart.planfile.parse import decode
from blackstart.planfile.problems import Problems, shown
from blackstart.planfile.tree import Location

NAME = "name"
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a list: the columns that are filled in, and where it stands."""

    name: str
    cells: dict[str, str]
    at: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A list of systems."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(content: bytes, start: Location, problems: Problems) -> Table | None:
    """Return the list in the bytes; None when it cannot be read at all.

    `start` is the place of its first line. What is wrong is added to `problems`.
    """
    text = decode(content, start, problems)
    lines = None if text is None else tuple(_lines_of(text, start, problems))
    if not lines:
        if text is not None:
            problems.add(start, "the list is empty", f"begin it with a line of columns: {NAME},…")
        return None
    columns = tuple(cell.strip() for cell in lines[0][1])
    if not _are_columns(columns, lines[0][0], problems):
        return None
    return Table(columns=columns, rows=tuple(_rows_of(columns, lines[1:], problems)))


def _lines_of(
    text: str, start: Location, problems: Problems
) -> Iterator[tuple[Location, list[str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    line = 0
    try:
        for cells in reader:
            at = Location(file=start.file, line=start.line + line, column=1)
            line = reader.line_num
            if any(cell.strip() for cell in cells):
                yield at, cells
    except csv.Error as error:
        at = Location(file=start.file, line=start.line + line, column=1)
        problems.add(at, f"the list cannot be read: {error}", "close the quotes of this line")


def _are_columns(columns: tuple[str, ...], at: Location, problems: Problems) -> bool:
    wrong = [column for column in columns if not _COLUMN.fullmatch(column)]
    if wrong:
        what = f"{shown(wrong[0])} cannot be the name of a column"
        problems.add(at, what, "use lower-case letters, digits and '_', such as public_name")
    double = next((one for one in columns if columns.count(one) > 1), None)
    if double and not wrong:
        problems.add(at, f"two columns are named {shown(double)}", "give each a name of its own")
    if NAME not in columns and not wrong:
        problems.add(at, f"no column is named '{NAME}'", f"add '{NAME}', the name of each system")
    return not wrong and not double and NAME in columns


def _rows_of(
    columns: tuple[str, ...], lines: tuple[tuple[Location, list[str]], ...], problems: Problems
) -> Iterator[Row]:
    seen: dict[str, int] = {}
    for at, written in lines:
        cells = [cell.strip() for cell in written]
        if len(cells) != len(columns):
            what = f"this line has {len(cells)} values for {len(columns)} columns"
            problems.add(at, what, "write one value per column; quote a value that holds a comma")
            continue
        row = {column: cell for column, cell in zip(columns, cells, strict=True) if cell}
        open_ones = [cell for cell in row.values() if names_in(cell) or malformed_in(cell)]
        name = row.get(NAME, "")
        if open_ones:
            what = f"{shown(open_ones[0])} is a reference, and none is followed in a list"
            problems.add(at, what, "write the value itself")
        elif not re.fullmatch(shape.NAME, name):
            what = f"{shown(name)} cannot be the name of a system"
            problems.add(at, what, "use letters, digits, '-' and '_'")
        elif name in seen:
            what = f"the system {shown(name)} is already on line {seen[name]}"
            problems.add(at, what, "keep one of the two")
        else:
            seen[name] = at.line
            yield Row(name=name, cells=row, at=at)
