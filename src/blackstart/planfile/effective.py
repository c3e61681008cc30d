# SPDX-License-Identifier: Apache-2.0
"""The expanded plan: every value in force, and the file and line that it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

from blackstart.model.runbook import Param
from blackstart.planfile.load import LocatedPlan
from blackstart.planfile.problems import Places
from blackstart.planfile.tree import Location, Path


def effective_values(located: LocatedPlan) -> Iterator[tuple[Path, Param, Location]]:
    """Yield each value in force: its path, the value, and where it is written.

    A default has the place of what it belongs to.
    """
    for path, value in _leaves_of(msgspec.to_builtins(located.plan), ()):
        if path[-1] != "row":  # only a system from a list has one, and it is not empty
            yield path, value, _origin_of(path, located.places)


def show_effective(located: LocatedPlan, within: Path = ()) -> tuple[str, ...]:
    """Return one line for each value within a part of the plan: path, value and origin."""
    return tuple(
        f"{'.'.join(path)} = {json.dumps(value, ensure_ascii=False)}  # {origin}"
        for path, value, origin in effective_values(located)
        if path[: len(within)] == within
    )


def _origin_of(path: Path, places: Places) -> Location:
    """Return the place of a value; the file writes some keys otherwise than the plan has them."""
    without_unit = (*path[:-1], path[-1].removesuffix("_s"))
    without_group = (*path[:-2], path[-1])  # `addresses.email` and `values.hub` are written flat
    written = (one for one in (path, without_unit, without_group) if places.locate(one))
    return places.find(next(written, path))


def _leaves_of(value: Param, path: Path) -> Iterator[tuple[Path, Param]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves_of(item, (*path, key))
    elif isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            name = item.get("name") if isinstance(item, dict) else None
            yield from _leaves_of(item, (*path, str(name or index)))
    else:
        yield path, value
