# SPDX-License-Identifier: Apache-2.0
"""Checks of the plan's meaning: every name leads to something, every verb is used as it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blackstart.model.notices import INCIDENT_CHANNEL, STAFF_CHANNEL
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan
from blackstart.planfile.check_actions import Verbs, flaws_of_use
from blackstart.planfile.check_literals import flaws_of_literals
from blackstart.planfile.check_system import Procedures, flaws_of_system
from blackstart.planfile.graph import find_circle
from blackstart.planfile.problems import Flaw, Places, lines_of, reject, unknown
from blackstart.planfile.tree import Path
from blackstart.planfile.verb_shape import VerbShape, with_manual

_DAY_S = 86_400.0
_NEEDED_CHANNELS = {
    INCIDENT_CHANNEL: "everybody who works on an incident hears that it begins and how it goes",
    STAFF_CHANNEL: "people are asked to acknowledge, to decide and to help",
}


def check_plan(plan: Plan, verbs: Mapping[str, VerbShape], places: Places | None = None) -> None:
    """Check a loaded plan against the verbs that there are.

    Raises PlanRejected with every problem; with `places` each has its file, line and column.
    `load.load_plan` with verbs does both at once.
    """
    reject("the plan", lines_of(flaws_of_plan(plan, verbs), places))


def flaws_of_plan(plan: Plan, verbs: Verbs) -> Iterator[Flaw]:
    """Yield everything that is wrong with the plan, apart from how it is written."""
    verbs = None if verbs is None else with_manual(verbs)
    yield from _flaws_of_policy(plan)
    yield from _flaws_of_people(plan)
    yield from _flaws_of_roles(plan)
    yield from _flaws_of_channels(plan, verbs)
    yield from flaws_of_literals(plan)
    if not plan.systems:
        yield Flaw(path=("systems",), what="the plan has no system", instead="add one")
    procedures = Procedures(plan, verbs)
    for system in plan.systems.values():
        yield from flaws_of_system(plan, system, verbs, procedures)


def _flaws_of_policy(plan: Plan) -> Iterator[Flaw]:
    every_s = plan.policy.drill_every_s
    if every_s is not None and every_s < _DAY_S:
        what = "'drill_every' is shorter than a day, and a drill takes its people with it"
        yield Flaw(path=("policy", "drill_every"), what=what, instead="write days, such as 90d")


def _flaws_of_people(plan: Plan) -> Iterator[Flaw]:
    named: dict[Path, tuple[str, ...]] = {("policy", "owner"): (plan.policy.owner,)}
    named |= {("roles", role.name, "holders"): role.holders for role in plan.roles.values()}
    named |= {("teams", team.name): team.members for team in plan.teams.values()}
    for path, persons in named.items():
        for person in persons:
            if person not in plan.people:
                yield unknown(path, "person", person, plan.people, among=("people",))


def _flaws_of_roles(plan: Plan) -> Iterator[Flaw]:
    if COMMANDER not in plan.roles:
        what = f"nobody is '{COMMANDER}', whom every incident is relayed to"
        yield Flaw(path=("roles",), what=what, instead=f"add the role '{COMMANDER}'")
    for role in plan.roles.values():
        if not role.holders:
            path = ("roles", role.name, "holders")
            yield Flaw(path=path, what=f"nobody holds '{role.name}'", instead="add one person")
    for team in plan.teams.values():
        if not team.members:
            what = f"nobody is in the team '{team.name}'"
            yield Flaw(path=("teams", team.name), what=what, instead="add a person, or remove it")


def _flaws_of_channels(plan: Plan, verbs: Verbs) -> Iterator[Flaw]:
    for name, purpose in _NEEDED_CHANNELS.items():
        if name not in plan.channels:
            what = f"there is no channel '{name}', over which {purpose}"
            instead = f"add '{name}' under 'channels'; it may use what another channel uses"
            yield Flaw(path=("channels", name), what=what, instead=instead)
    for channel in plan.channels.values():
        path = ("channels", channel.name)
        yield from flaws_of_use(channel.use, channel.params, ("channel",), verbs, path)
        for other in channel.fallback:
            if other not in plan.channels:
                yield unknown((*path, "fallback"), "channel", other, plan.channels)
    circle = find_circle({channel.name: channel.fallback for channel in plan.channels.values()})
    if circle:
        what = f"these channels are each other's fallback: {', '.join(circle)}"
        instead = "let one of them end the chain"
        yield Flaw(path=("channels", circle[0], "fallback"), what=what, instead=instead)
