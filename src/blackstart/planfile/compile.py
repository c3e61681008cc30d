# SPDX-License-Identifier: Apache-2.0
"""Compiling: the plan, one system and one target become the Runbook, the graph that is driven.

`${settings.…}`, `${target.…}` and `${tiers}` are replaced by their values; `${step.output}` stays
for the engine to fill in, and makes its action wait for the one that has that output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from blackstart.model.plan import Mode, Plan, System
from blackstart.model.references import substitute
from blackstart.model.runbook import MANUAL, Param, Runbook, StepSpec
from blackstart.planfile.check_references import (
    flaws_of_uses,
    flaws_of_values,
    known_values,
    look_up,
    params_of,
)
from blackstart.planfile.drills import flaws_of_mode, flaws_of_target
from blackstart.planfile.graph import flaws_of_order, with_implied_waits
from blackstart.planfile.problems import Flaw, Places, lines_of, reject, unknown
from blackstart.planfile.rehearsal import by_hand_in, names_in_drill
from blackstart.planfile.rules import flaws_of_rules
from blackstart.planfile.tabletop import talked_through


def compile_runbook(
    plan: Plan,
    system: str,
    target: str,
    mode: Mode,
    outputs_of: Mapping[str, frozenset[str]],
    places: Places | None = None,
) -> Runbook:
    """Return the runbook of a system for a target; `outputs_of` says what each verb declares.

    For a table-top exercise every step becomes a question to its owner.

    Raises PlanRejected when system or target do not exist, a hard rule is broken, the drill is
    not apart from production and recovery, or the steps wait for each other.
    """
    reject("the plan", lines_of(_flaws_of_choice(plan, system, target, mode), places))
    chosen = plan.systems[system]
    reject("the plan", lines_of(_flaws_of_references(chosen, target), places))
    values = known_values(chosen, target)
    resolved = {step.name: _resolve(step, values, mode) for step in chosen.steps}
    steps = with_implied_waits(resolved, outputs_of)
    reject("the plan", lines_of(flaws_of_order(steps, ("systems", system)), places))
    compiled = tuple(steps.values())
    if mode is Mode.TABLETOP:
        compiled = tuple(talked_through(step) for step in compiled)
    return Runbook(system=system, target=target, steps=compiled)


def _flaws_of_choice(plan: Plan, system: str, target: str, mode: Mode) -> Iterator[Flaw]:
    if system not in plan.systems:
        yield unknown(("systems",), "system", system, plan.systems)
        return
    chosen = plan.systems[system]
    path = ("systems", system)
    yield from flaws_of_mode(chosen, target, mode, path)
    if target in chosen.targets:
        yield from flaws_of_target(chosen, target, path)
    else:
        yield unknown((*path, "targets"), "target", target, chosen.targets)
    yield from flaws_of_rules({step.name: step for step in chosen.steps}, path)


def _flaws_of_references(system: System, target: str) -> Iterator[Flaw]:
    steps = {step.name: step for step in system.steps}
    only = replace(system, targets={target: system.targets[target]})
    path = ("systems", system.name)
    uses = look_up(params_of(steps), None)
    for flaw in flaws_of_uses(uses, steps, None):
        yield replace(flaw, path=(*path, *flaw.path))
    yield from flaws_of_values(uses, only, path)


def _resolve(step: StepSpec, values: Mapping[str, Param], mode: Mode) -> StepSpec:
    """Return the step with everything filled in that is known before it runs."""
    actions = []
    for action in (by_hand_in(mode, each) for each in step.do):
        is_read = action.use == MANUAL and mode is Mode.DRILL
        known = names_in_drill(values) if is_read else values
        params = {key: substitute(value, known) for key, value in action.params.items()}
        actions.append(replace(action, params=params))
    return replace(step, do=tuple(actions))
