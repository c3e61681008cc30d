# SPDX-License-Identifier: Apache-2.0
"""Checks of one system: its state items, watch, targets and steps, and every name that they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec

from blackstart.model.plan import Plan, StateItem, System
from blackstart.model.runbook import MANUAL, ActionSpec, StepSpec
from blackstart.planfile.check_actions import Verbs, flaws_of_use
from blackstart.planfile.check_manual import flaws_of_manual
from blackstart.planfile.check_references import (
    Steps,
    Uses,
    flaws_of_uses,
    flaws_of_values,
    look_up,
    params_of,
)
from blackstart.planfile.drills import flaws_of_target
from blackstart.planfile.graph import flaws_of_order, with_implied_waits
from blackstart.planfile.problems import Flaw, shown, unknown
from blackstart.planfile.rules import flaws_of_rules
from blackstart.planfile.tree import Path
from blackstart.planfile.verb_shape import outputs_declared

EVERYONE = "everyone"  # whoever looks at a channel that has one place of its own


class Procedures:
    """The procedures of a plan, judged once each, however many systems share one."""

    def __init__(self, plan: Plan, verbs: Verbs) -> None:
        """Judge procedures against this plan and these verbs."""
        self._plan, self._verbs = plan, verbs
        self._last: tuple[tuple[StepSpec, ...], tuple[Uses, tuple[Flaw, ...]]] | None = None
        self._judged: dict[bytes, tuple[Uses, tuple[Flaw, ...]]] = {}

    def judge(self, steps: tuple[StepSpec, ...]) -> tuple[Uses, tuple[Flaw, ...]]:
        """Return the references of the steps, and their flaws with paths relative to the system."""
        if self._last and self._last[0] is steps:
            return self._last[1]
        key = msgspec.json.encode(steps)
        known = self._judged.get(key)
        if known is None:
            named = {step.name: step for step in steps}
            uses = look_up(params_of(named), self._verbs)
            flaws = (
                *flaws_of_procedure(self._plan, named, self._verbs),
                *flaws_of_uses(uses, named, self._verbs),
            )
            known = self._judged[key] = (uses, flaws)
        self._last = (steps, known)
        return known


def flaws_of_system(
    plan: Plan, system: System, verbs: Verbs, procedures: Procedures
) -> Iterator[Flaw]:
    """Yield everything that is wrong with a system, apart from how it is written."""
    path = ("systems", system.name)
    yield from _flaws_of_doubles((item.name for item in system.state), (*path, "state"))
    yield from _flaws_of_tiers(system, (*path, "tiers"))
    for item in system.state:
        yield from _flaws_of_item(item, system, verbs)
    yield from _flaws_of_watch(plan, system, verbs, path)
    for target in system.targets:
        yield from flaws_of_target(system, target, path)
    uses, flaws = procedures.judge(system.steps)
    for flaw in flaws:
        yield replace(flaw, path=(*path, *flaw.path))
    yield from flaws_of_values(uses, system, path)


def flaws_of_procedure(plan: Plan, steps: Steps, verbs: Verbs) -> Iterator[Flaw]:
    """Yield what is wrong with steps, but for their references; paths are relative to a system."""
    audiences = {EVERYONE, *plan.teams, *plan.roles, *_audiences_of(steps)}
    for step in steps.values():
        yield from _flaws_of_step(plan, step, steps, audiences)
        for action in step.do:
            yield from _flaws_of_action(plan, step, action, steps, verbs)
    yield from flaws_of_rules(steps, ())
    yield from flaws_of_order(with_implied_waits(steps, outputs_declared(verbs or {})), ())


def _flaws_of_doubles(names: Iterable[str], path: Path) -> Iterator[Flaw]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            what = f"{shown(name)} is there twice"
            yield Flaw(path=(*path, name), what=what, instead="give each a name of its own")
        seen.add(name)


def _flaws_of_tiers(system: System, path: Path) -> Iterator[Flaw]:
    yield from _flaws_of_doubles((tier.name for tier in system.tiers), path)
    seen: dict[str, str] = {}
    for tier in system.tiers:
        if not tier.teams and tier is not system.tiers[-1]:
            what = (
                f"the tier '{tier.name}' names no teams, so it is all others, and is not the last"
            )
            yield Flaw(path=(*path, tier.name), what=what, instead="name its 'teams', or move it")
        for team in tier.teams:
            if team in seen:
                what = f"the team {shown(team)} is in the tier '{seen[team]}' already"
                yield Flaw(path=(*path, tier.name, "teams"), what=what, instead="keep one of them")
            seen[team] = tier.name


def _flaws_of_item(item: StateItem, system: System, verbs: Verbs) -> Iterator[Flaw]:
    path = ("systems", system.name, "state", item.name)
    if item.not_protected:
        return
    for key in ("backup", "restore", "check"):
        if not getattr(item, key):
            what = f"the state item '{item.name}' has no '{key}', so it could be lost unnoticed"
            instead = f"add '{key}', or say why not with 'not_protected: reason'"
            yield Flaw(path=path, what=what, instead=instead)
    if verbs is None:
        return
    for key, word in (("restore", item.restore), ("check", item.check)):
        if word and word not in verbs and not _is_there(word, system.steps):
            actions = (f"{step.name}.{one.name}" for step in system.steps for one in step.do)
            known = {*verbs, *(step.name for step in system.steps), *actions}
            yield unknown((*path, key), "verb, step or action", word, known)


def _flaws_of_watch(plan: Plan, system: System, verbs: Verbs, of: Path) -> Iterator[Flaw]:
    watch, path = system.watch, (*of, "watch")
    if watch is None:
        return
    params = {name: value for name, value in watch.params.items() if name != "vantage"}
    yield from flaws_of_use(watch.use, params, ("check",), verbs, path)
    vantage = watch.params.get("vantage", "")
    if vantage and vantage not in plan.vantages:
        yield unknown((*path, "params", "vantage"), "vantage", str(vantage), plan.vantages)
    uses = look_up(
        ((("watch", "params", key), watch.use, value) for key, value in watch.params.items()), verbs
    )
    for flaw in flaws_of_uses(uses, {}, verbs):
        yield replace(flaw, path=(*of, *flaw.path))
    yield from flaws_of_values(uses, system, of)


def _flaws_of_step(plan: Plan, step: StepSpec, steps: Steps, audiences: set[str]) -> Iterator[Flaw]:
    path = ("steps", step.name)
    owners = {*plan.teams, *plan.roles, *plan.people}
    if step.owner and step.owner not in owners:
        instead = "add it under 'teams', or give the step an 'owner'"
        yield unknown(
            (*path, "owner"), "team, role or person", step.owner, owners, instead, ("teams",)
        )
    if step.gate and step.gate not in plan.roles:
        yield unknown((*path, "gate"), "role", step.gate, plan.roles, among=("roles",))
    for after in step.after:
        if after not in steps:
            yield unknown((*path, "after"), "step", after, steps)
    for notice in step.notices:
        here = (*path, "notices")
        if notice.channel not in plan.channels:
            instead = "add it under 'channels', or give the step other 'notices'"
            yield unknown(here, "channel", notice.channel, plan.channels, instead, ("channels",))
        if notice.audience not in audiences:
            yield unknown(here, "audience", notice.audience, audiences)


def _audiences_of(steps: Steps) -> set[str]:
    """Return the lists of people that the procedure opens as it goes."""
    opened = (action.params.get("audience") for step in steps.values() for action in step.do)
    return {name for name in opened if isinstance(name, str)}


def _flaws_of_action(
    plan: Plan, step: StepSpec, action: ActionSpec, steps: Steps, verbs: Verbs
) -> Iterator[Flaw]:
    path = ("steps", step.name, "do", action.name)
    yield from flaws_of_use(action.use, action.params, ("action", "check", "ask"), verbs, path)
    if action.use == MANUAL:
        yield from flaws_of_manual(plan, step, action, path)
    if action.expected_s > action.limit_s:
        what = f"'{action.name}' is expected to take longer than its limit"
        yield Flaw(path=path, what=what, instead="raise 'limit' or lower 'expected'")
    for after in action.after:
        if not _is_there(after, steps.values()):
            known = {*steps, *(one.name for one in step.do)}
            yield unknown((*path, "after"), "step or action", after, known)
    if action.vantage:
        yield from _flaws_of_vantage(plan, action, verbs, (*path, "vantage"))


def _is_there(reference: str, steps: Iterable[StepSpec]) -> bool:
    name, _, action = reference.partition(".")
    step = next((step for step in steps if step.name == name), None)
    return step is not None and (not action or any(one.name == action for one in step.do))


def _flaws_of_vantage(plan: Plan, action: ActionSpec, verbs: Verbs, path: Path) -> Iterator[Flaw]:
    if action.vantage not in plan.vantages:
        instead = "add it under 'vantages'"
        yield unknown(path, "vantage", action.vantage, plan.vantages, instead, ("vantages",))
    if verbs and action.use in verbs and verbs[action.use].kind != "check":
        what = f"'{action.use}' is no check and does not look from anywhere"
        yield Flaw(path=path, what=what, instead="remove 'vantage'")
