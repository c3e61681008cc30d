# SPDX-License-Identifier: Apache-2.0
"""From the entries of the file to the Plan: the parts that concern the whole organisation."""

from __future__ import annotations

from blackstart.model.people import Person, Role, Team
from blackstart.model.plan import ChannelSpec, Objectives, Plan, Policy, Vantage
from blackstart.planfile import shape
from blackstart.planfile.durations import seconds_of
from blackstart.planfile.fit import Reading, fit
from blackstart.planfile.params import join_params
from blackstart.planfile.read_system import read_system
from blackstart.planfile.tree import Node


def read_plan(root: Node, reading: Reading) -> Plan:
    """Return the plan in the tree; what cannot be read is reported and left blank."""
    file = fit(root, shape.PlanFile, (), reading)
    policy = _read_policy(file.policy)
    return Plan(
        organisation=file.organisation,
        policy=policy,
        people={name: _read_person(name, entry) for name, entry in file.people.items()},
        roles={name: _read_role(name, entry) for name, entry in file.roles.items()},
        teams={n: Team(name=n, members=tuple(members)) for n, members in file.teams.items()},
        channels={n: _read_channel(n, entry, reading) for n, entry in file.channels.items()},
        vantages={n: Vantage(name=n, run=tuple(v.run)) for n, v in file.vantages.items()},
        systems={
            name: read_system(name, entry, policy.objectives, reading)
            for name, entry in file.systems.items()
        },
    )


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
    )


def _read_person(name: str, entry: shape.PersonEntry) -> Person:
    return Person(id=name, name=entry.name, addresses=entry.rest)


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
