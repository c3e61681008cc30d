# SPDX-License-Identifier: Apache-2.0
"""From the entries of the file to the Plan: the parts that concern the whole organisation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from blackstart.model.people import Days, Person, Role, Team
from blackstart.model.plan import ChannelSpec, Objectives, Plan, Policy, System, Vantage
from blackstart.planfile import shape
from blackstart.planfile.durations import seconds_of
from blackstart.planfile.each import read_each
from blackstart.planfile.fit import Reading, fit
from blackstart.planfile.params import join_params
from blackstart.planfile.problems import Flaw, shown
from blackstart.planfile.read_system import read_system
from blackstart.planfile.tree import Node


def read_plan(root: Node, reading: Reading) -> Plan:
    """Return the plan in the tree; what cannot be read is reported and left blank."""
    file = fit(root, shape.PlanFile, (), reading)
    policy = _read_policy(file.policy)
    return Plan(
        organisation=file.organisation,
        policy=policy,
        people={n: _read_person(n, entry, reading) for n, entry in file.people.items()},
        roles={name: _read_role(name, entry) for name, entry in file.roles.items()},
        teams={n: Team(name=n, members=tuple(members)) for n, members in file.teams.items()},
        channels={n: _read_channel(n, entry, reading) for n, entry in file.channels.items()},
        vantages={n: Vantage(name=n, run=tuple(v.run)) for n, v in file.vantages.items()},
        systems=_read_systems(file.systems, policy.objectives, reading),
    )


def _read_systems(
    entries: Mapping[str, shape.SystemEntry], objectives: Objectives, reading: Reading
) -> dict[str, System]:
    systems: dict[str, System] = {}
    for name, entry in entries.items():
        if entry.each_of is None:
            systems[name] = read_system(name, entry, objectives, reading)
            continue
        for system in _read_list(name, entry, objectives, reading):
            if system.name in systems or system.name in entries:
                what = f"there is already a system named '{system.name}'"
                place = reading.places.find(("systems", system.name))
                reading.problems.add(place, what, "give this line another name")
            systems[system.name] = system
    if entries and not systems:  # nothing could be read, and that has been said
        reading.problems.spoiled.add(("systems",))
    return systems


def _read_list(
    name: str, entry: shape.SystemEntry, objectives: Objectives, reading: Reading
) -> Iterator[System]:
    """Yield the systems of an entry that stands for many."""
    at = reading.places.find(("systems", name, "each_of"))
    table = reading.lists.table_of(entry.each_of or "", at, reading.problems)
    if table is None:
        return
    if not table.rows:
        reading.problems.add(at, "the list names no system", "add a line for each")
    yield from read_each(name, entry, table, objectives, reading)


def _read_policy(entry: shape.PolicyEntry) -> Policy:
    when = entry.activate_when
    return Policy(
        owner=entry.owner,
        effective=entry.effective,
        objectives=Objectives(
            rto_s=seconds_of(entry.objectives.rto), rpo_s=seconds_of(entry.objectives.rpo)
        ),
        activate_when=tuple(when.any if isinstance(when, shape.AnyOf) else when),
        cadence_s=seconds_of(entry.cadence),
        prolonged_after_s=seconds_of(entry.prolonged_after),
        drill_every_s=None if entry.drill_every is None else seconds_of(entry.drill_every),
    )


def _read_person(name: str, entry: shape.PersonEntry, reading: Reading) -> Person:
    away = []
    for index, written in enumerate(entry.away):
        first, _, last = written.partition("..")
        try:
            days = Days(first=date.fromisoformat(first), last=date.fromisoformat(last or first))
        except ValueError:
            days = Days(first=date.max, last=date.min)
        away.append(days)
        if days.last < days.first:
            path = ("people", name, "away", str(index))
            what = f"{shown(written)} is no range of days"
            instead = "write the first day, '..' and the last, such as 2026-12-24..2027-01-02"
            reading.take([Flaw(path=path, what=what, instead=instead)])
    return Person(id=name, name=entry.name, addresses=entry.rest, away=tuple(away))


def _read_role(name: str, entry: shape.RoleEntry) -> Role:
    return Role(
        name=name,
        title=entry.title or name,
        holders=tuple(entry.holders),
        acknowledge_within_s=seconds_of(entry.acknowledge_within),
    )


def _read_channel(name: str, entry: shape.ChannelEntry, reading: Reading) -> ChannelSpec:
    return ChannelSpec(
        name=name,
        use=entry.use,
        params=join_params(entry.params, entry.rest, ("channels", name), reading),
        fallback=tuple(entry.fallback),
    )
