# SPDX-License-Identifier: Apache-2.0
"""Checks of one system: its state items, watch, targets and steps, and every name that they use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from blackstart.model.plan import Plan, StateItem, System
from blackstart.model.runbook import MANUAL, ActionSpec, StepSpec
from blackstart.planfile.check_actions import Surroundings, Verbs, flaws_of_use
from blackstart.planfile.check_manual import flaws_of_manual
from blackstart.planfile.drills import flaws_of_target
from blackstart.planfile.graph import flaws_of_order, with_implied_waits
from blackstart.planfile.problems import Flaw, shown, unknown
from blackstart.planfile.rules import flaws_of_rules
from blackstart.planfile.tree import Path
from blackstart.planfile.verb_shape import outputs_declared

EVERYONE = "everyone"  # whoever looks at a channel that has one place of its own


def flaws_of_system(plan: Plan, system: System, verbs: Verbs) -> Iterator[Flaw]:
    """Yield everything that is wrong with a system, apart from how it is written."""
    path = ("systems", system.name)
    steps = {step.name: step for step in system.steps}
    around = Surroundings(system, steps, verbs, path)
    yield from _flaws_of_doubles((item.name for item in system.state), (*path, "state"))
    yield from _flaws_of_doubles((tier.name for tier in system.tiers), (*path, "tiers"))
    for item in system.state:
        yield from _flaws_of_item(item, around)
    yield from _flaws_of_watch(plan, system, verbs, (*path, "watch"))
    for target in system.targets:
        yield from flaws_of_target(system, target, path)
    for step in system.steps:
        yield from _flaws_of_step(plan, step, around)
        for action in step.do:
            yield from _flaws_of_action(plan, step, action, around)
    yield from flaws_of_rules(steps, path)
    declared = outputs_declared(verbs or {})
    yield from flaws_of_order(with_implied_waits(steps, declared), path)


def _flaws_of_doubles(names: Iterable[str], path: Path) -> Iterator[Flaw]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            what = f"{shown(name)} is there twice"
            yield Flaw(path=(*path, name), what=what, instead="give each a name of its own")
        seen.add(name)


def _flaws_of_item(item: StateItem, around: Surroundings) -> Iterator[Flaw]:
    path = (*around.path, "state", item.name)
    if item.not_protected:
        return
    for key in ("backup", "restore", "check"):
        if not getattr(item, key):
            what = f"the state item '{item.name}' has no '{key}', so it could be lost unnoticed"
            instead = f"add '{key}', or say why not with 'not_protected: reason'"
            yield Flaw(path=path, what=what, instead=instead)
    if around.verbs is None:
        return
    actions = (f"{step.name}.{one.name}" for step in around.system.steps for one in step.do)
    known = {*around.verbs, *around.steps, *actions}
    for key, word in (("restore", item.restore), ("check", item.check)):
        if word and word not in known:
            yield unknown((*path, key), "verb, step or action", word, known)


def _flaws_of_watch(plan: Plan, system: System, verbs: Verbs, path: Path) -> Iterator[Flaw]:
    watch = system.watch
    if watch is None:
        return
    params = {name: value for name, value in watch.params.items() if name != "vantage"}
    yield from flaws_of_use(watch.use, params, ("check",), verbs, path)
    vantage = watch.params.get("vantage", "")
    if vantage and vantage not in plan.vantages:
        yield unknown((*path, "params", "vantage"), "vantage", str(vantage), plan.vantages)
    around = Surroundings(system, {}, verbs, ("systems", system.name))
    seen = ActionSpec(name="watch", use=watch.use, params=watch.params)
    yield from around.flaws_of_references(seen, path)


def _flaws_of_step(plan: Plan, step: StepSpec, around: Surroundings) -> Iterator[Flaw]:
    path = (*around.path, "steps", step.name)
    owners = {*plan.teams, *plan.roles, *plan.people}
    if step.owner and step.owner not in owners:
        instead = "add it under 'teams', or give the step an 'owner'"
        yield unknown(
            (*path, "owner"), "team, role or person", step.owner, owners, instead, ("teams",)
        )
    if step.gate and step.gate not in plan.roles:
        yield unknown((*path, "gate"), "role", step.gate, plan.roles, among=("roles",))
    for after in step.after:
        if after not in around.steps:
            yield unknown((*path, "after"), "step", after, around.steps)
    audiences = {EVERYONE, *plan.teams, *plan.roles, *_audiences_of(around.system)}
    for notice in step.notices:
        here = (*path, "notices")
        if notice.channel not in plan.channels:
            instead = "add it under 'channels', or give the step other 'notices'"
            yield unknown(here, "channel", notice.channel, plan.channels, instead, ("channels",))
        if notice.audience not in audiences:
            yield unknown(here, "audience", notice.audience, audiences)


def _audiences_of(system: System) -> set[str]:
    """Return the lists of people that the procedure opens as it goes."""
    opened = (action.params.get("audience") for step in system.steps for action in step.do)
    return {name for name in opened if isinstance(name, str)}


def _flaws_of_action(
    plan: Plan, step: StepSpec, action: ActionSpec, around: Surroundings
) -> Iterator[Flaw]:
    path = (*around.path, "steps", step.name, "do", action.name)
    yield from flaws_of_use(
        action.use, action.params, ("action", "check", "ask"), around.verbs, path
    )
    yield from around.flaws_of_references(action, path)
    if action.use == MANUAL:
        yield from flaws_of_manual(plan, step, action, path)
    if action.expected_s > action.limit_s:
        what = f"'{action.name}' is expected to take longer than its limit"
        yield Flaw(path=path, what=what, instead="raise 'limit' or lower 'expected'")
    for after in action.after:
        if not _is_there(after, around):
            known = {*around.steps, *(one.name for one in step.do)}
            yield unknown((*path, "after"), "step or action", after, known)
    if action.vantage:
        yield from _flaws_of_vantage(plan, action, around.verbs, (*path, "vantage"))


def _is_there(reference: str, around: Surroundings) -> bool:
    name, _, action = reference.partition(".")
    step = around.steps.get(name)
    return step is not None and (not action or any(one.name == action for one in step.do))


def _flaws_of_vantage(plan: Plan, action: ActionSpec, verbs: Verbs, path: Path) -> Iterator[Flaw]:
    if action.vantage not in plan.vantages:
        instead = "add it under 'vantages'"
        yield unknown(path, "vantage", action.vantage, plan.vantages, instead, ("vantages",))
    if verbs and action.use in verbs and verbs[action.use].kind != "check":
        what = f"'{action.use}' is no check and does not look from anywhere"
        yield Flaw(path=path, what=what, instead="remove 'vantage'")
