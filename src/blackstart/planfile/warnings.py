# SPDX-License-Identifier: Apache-2.0
"""What is allowed and will hurt: said by `check`, and no reason to reject a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from blackstart.model.people import COMMANDER, Role, is_away
from blackstart.model.plan import Plan
from blackstart.model.runbook import Param
from blackstart.planfile.drills import DRILL
from blackstart.planfile.problems import Flaw
from blackstart.planfile.tree import Path

_SECRET = ("secret:file/", "secret:env/")


def warnings_of(plan: Plan, today: date) -> Iterator[Flaw]:
    """Yield what the plan should not be like, seen from this day."""
    gates = {step.gate for system in plan.systems.values() for step in system.steps}
    for role in plan.roles.values():
        if role.name not in {COMMANDER, *gates}:
            continue  # only who decides holds everybody up
        day = _day_without(plan, role, today)
        if day:
            what = f"on {day} everyone who holds '{role.name}' is away"
            instead = "add a deputy, or change 'away'"
            yield Flaw(path=("roles", role.name, "holders"), what=what, instead=instead)
        if len(role.holders) == 1:
            what = f"'{role.name}' has no deputy: nobody is asked when its one holder is silent"
            path = ("roles", role.name, "holders")
            yield Flaw(path=path, what=what, instead="add a second person")
    for system in plan.systems.values():
        if plan.policy.drill_every_s is not None and DRILL not in system.targets:
            what = f"the policy says 'drill_every', and '{system.name}' has no target '{DRILL}'"
            path = ("systems", system.name, "targets")
            yield Flaw(path=path, what=what, instead="add one, or drill it as a table-top")


def _day_without(plan: Plan, role: Role, today: date) -> date | None:
    """Return the first day from today on when no holder of the role can be reached."""
    holders = [plan.people[name] for name in role.holders if name in plan.people]
    starts = {today} | {days.first for one in holders for days in one.away}
    ends = {
        days.last + timedelta(days=1)
        for one in holders
        for days in one.away
        if days.last < date.max
    }
    for day in sorted(starts | ends):
        if day >= today and holders and all(is_away(one, day) for one in holders):
            return day
    return None


def secrets_of(plan: Plan) -> Mapping[str, Path]:
    """Return each secret that the plan refers to and that has to be there, with its place."""
    found: dict[str, Path] = {}
    for channel in plan.channels.values():
        for key, value in channel.params.items():
            _note(value, ("channels", channel.name, "params", key), found)
    for system in plan.systems.values():
        for key, value in system.settings.items():
            _note(value, ("systems", system.name, "settings", key), found)
        for target in system.targets.values():
            for key, value in target.values.items():
                _note(value, ("systems", system.name, "targets", target.name, key), found)
    return found


def _note(value: Param, path: Path, found: dict[str, Path]) -> None:
    if isinstance(value, str) and value.startswith(_SECRET):
        found.setdefault(value, path)
