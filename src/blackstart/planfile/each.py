# SPDX-License-Identifier: Apache-2.0
"""Many systems from one entry: `each_of: customers.csv` makes a system of each line of the list.

`${each.COLUMN}` is the value of a column in settings, state, tiers, targets, watch and the
parameters of actions. A column with the name of a setting is that setting. What is wrong with the
entry is reported once, at the entry; what is wrong with a line, at the line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from blackstart.model.plan import Objectives, System
from blackstart.model.references import names_in, substitute
from blackstart.model.runbook import Param
from blackstart.planfile import shape
from blackstart.planfile.fit import Reading
from blackstart.planfile.problems import Flaw, Loan, unknown
from blackstart.planfile.profiles import declared_settings
from blackstart.planfile.read_system import read_steps, read_system
from blackstart.planfile.table import Row, Table
from blackstart.planfile.tree import Path, value_of

EACH = "each."
_PARTS = ("settings", "state", "tiers", "targets", "watch")


def read_each(
    name: str,
    entry: shape.SystemEntry,
    table: Table,
    objectives: Objectives,
    reading: Reading,
) -> Iterator[System]:
    """Yield a system for each line of the list, named ENTRY-NAME."""
    source = ("systems", name)
    parts = {
        part: msgspec.to_builtins(getattr(entry, part), enc_hook=str)
        for part in _PARTS
        if getattr(entry, part)
    }
    using = {path: names for path, names in _uses_of(parts, ()) if names}
    later = _uses_in_steps(entry)  # filled in when the plan is compiled
    if not _columns_are_there(using | later, table, source, reading):
        return
    settings = declared_settings(entry.profile)
    filled = [column for column in table.columns if column in settings]
    filled = [column for column in filled if column not in entry.settings]
    own = frozenset(using) | {("settings", column) for column in filled}
    touched = {path[0] for path in own}
    steps = read_steps(entry, source, reading)
    for row in table.rows:
        path = ("systems", f"{name}-{row.name}")
        reading.places.note(path, row.at)
        reading.places.borrow(
            path, Loan(lender=reading.places, source=source, own=own, instead=row.at)
        )
        if not _has_all(row, using | later, path, reading):
            continue
        made = _fill(entry, row, filled, touched)
        system = read_system(path[1], made, objectives, reading, steps)
        yield replace(system, row=dict[str, Param](row.cells))


def _uses_of(value: Param, path: Path) -> Iterator[tuple[Path, frozenset[str]]]:
    """Yield the columns that each value refers to, by its place as `fit` notes it."""
    if isinstance(value, dict):
        for key, item in value.items():
            here = path if key == "rest" else (*path, key)
            yield from _uses_of(item, here)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            yield from _uses_of(item, (*path, name if isinstance(name, str) else str(index)))
    elif isinstance(value, str):
        names = (name for name in names_in(value) if name.startswith(EACH))
        yield path, frozenset(name.removeprefix(EACH) for name in names)


def _uses_in_steps(entry: shape.SystemEntry) -> dict[Path, frozenset[str]]:
    found = {
        ("steps", name, "do"): [value_of(node) for node in step.do or []]
        for name, step in entry.steps.items()
    }
    uses = (use for path, do in found.items() for item in do for use in _uses_of(item, path))
    return {path: names for path, names in uses if names}


def _columns_are_there(
    using: Mapping[Path, frozenset[str]], table: Table, source: Path, reading: Reading
) -> bool:
    absent = [
        unknown((*source, *path), "column", column, table.columns)
        for path, columns in using.items()
        for column in sorted(columns - set(table.columns))
    ]
    reading.take(absent)
    return not absent


def _has_all(row: Row, using: Mapping[Path, frozenset[str]], path: Path, reading: Reading) -> bool:
    wanted = frozenset[str]().union(*using.values())
    empty = sorted(wanted - row.cells.keys())
    for column in empty:
        what = f"the column '{column}' is empty for '{row.name}'"
        reading.take([Flaw(path=path, what=what, instead="fill it in; the plan refers to it")])
    return not empty


def _fill(
    entry: shape.SystemEntry, row: Row, filled: list[str], touched: set[str]
) -> shape.SystemEntry:
    known: dict[str, Param] = {EACH + column: cell for column, cell in row.cells.items()}
    made = {part: _put_in(getattr(entry, part), known) for part in touched}
    given = {column: row.cells[column] for column in filled if column in row.cells}
    if given:
        made["settings"] = {**made.get("settings", entry.settings), **given}
    return msgspec.structs.replace(entry, each_of=None, **made)


def _put_in(part: Any, known: Mapping[str, Param]) -> Any:
    """Return the part with the columns' values put in, entries of the file included."""
    if isinstance(part, msgspec.Struct):
        fields = msgspec.structs.asdict(part)
        return type(part)(**{key: _put_in(value, known) for key, value in fields.items()})
    if isinstance(part, dict):
        return {key: _put_in(value, known) for key, value in part.items()}
    if isinstance(part, list):
        return [_put_in(value, known) for value in part]
    return substitute(part, known) if isinstance(part, str) else part
