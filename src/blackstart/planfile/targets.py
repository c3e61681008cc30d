# SPDX-License-Identifier: Apache-2.0
"""The targets of a system: their own values and those that they take over by `like`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blackstart.model.plan import Target
from blackstart.model.references import names_in
from blackstart.model.runbook import Param
from blackstart.planfile import shape
from blackstart.planfile.problems import Flaw, unknown
from blackstart.planfile.tree import Path

KNOWN = ("place", "site", "address", "public_name")
RECORDS = "records"  # none when left out


def build_targets(entries: Mapping[str, shape.TargetEntry], public_name: str) -> dict[str, Target]:
    """Return the targets. Without a name of its own a target takes the system's `public_name`."""
    return {name: _build(name, entries, public_name) for name in entries}


def flaws_of_targets(entries: Mapping[str, shape.TargetEntry], path: Path) -> Iterator[Flaw]:
    """Yield what is wrong with the way the targets are written."""
    if not entries:
        yield Flaw(path=path, what="the system has no target", instead="add 'recovery' at least")
    for name, entry in entries.items():
        if entry.like is not None and entry.like not in entries:
            yield unknown((*path, name, "like"), "target", entry.like, set(entries) - {name})
        elif entry.like is not None and name in _chain(entry.like, entries):
            what = f"the target '{name}' is, in the end, like itself"
            yield Flaw(path=(*path, name, "like"), what=what, instead="remove one 'like'")
        for key, value in _own_values(entry).items():
            if names_in(value):
                what = f"'{key}' holds a reference, and none is followed here"
                yield Flaw(path=(*path, name, key), what=what, instead="write the value itself")


def values_of(target: Target) -> dict[str, Param]:
    """Return everything that `${target.…}` can name; what was left empty is not there."""
    own: dict[str, Param] = {
        "place": target.place,
        "site": target.site,
        "address": target.address,
        "public_name": target.public_name,
    }
    return {key: value for key, value in own.items() if value} | dict(target.values)


def _build(name: str, entries: Mapping[str, shape.TargetEntry], public_name: str) -> Target:
    values: dict[str, Param] = {RECORDS: []}
    for ancestor in reversed(_chain(name, entries)):
        values |= _own_values(entries[ancestor])
    known = {key: str(values.pop(key, "")) for key in KNOWN}
    return Target(
        name=name,
        place=known["place"],
        site=known["site"],
        address=known["address"],
        public_name=known["public_name"] or public_name,
        values=values,
    )


def _chain(name: str, entries: Mapping[str, shape.TargetEntry]) -> tuple[str, ...]:
    """Return the target, what it is like, what that is like … each once."""
    chain: list[str] = []
    following: str | None = name
    while following is not None and following in entries and following not in chain:
        chain.append(following)
        following = entries[following].like
    return tuple(chain)


def _own_values(entry: shape.TargetEntry) -> dict[str, Param]:
    own: dict[str, Param] = {
        "place": entry.place,
        "site": entry.site,
        "address": entry.address,
        "public_name": entry.public_name,
        RECORDS: None if entry.records is None else list[Param](entry.records),
    }
    return {key: value for key, value in own.items() if value is not None} | entry.rest
