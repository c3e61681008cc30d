# SPDX-License-Identifier: Apache-2.0
"""The runbook as a graph: what waits for what, and how long the longest way through it is."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter

from blackstart.model.runbook import Phase, Runbook, StepSpec


def action_id(step: str, action: str) -> str:
    """Return the name of an action within a runbook."""
    return f"{step}.{action}"


def waits_of(runbook: Runbook, step: StepSpec) -> Mapping[str, frozenset[str]]:
    """Return, for each action of the step, the ids of the actions that it waits for.

    An action waits for every action of the steps that its own step waits for, and for what its
    own `after` names: a step (all its actions), or `step.action`.
    """
    before = frozenset(found for name in step.after for found in _members(runbook, name))
    return {
        action_id(step.name, action.name): before
        | frozenset(found for name in action.after for found in _members(runbook, name))
        for action in step.do
    }


def _members(runbook: Runbook, reference: str) -> tuple[str, ...]:
    """Return the actions that a reference stands for; a step without actions hands on its own."""
    if "." in reference:
        return (reference,)
    step = runbook.step(reference)
    if step.do:
        return tuple(action_id(step.name, action.name) for action in step.do)
    return tuple(found for name in step.after for found in _members(runbook, name))


def critical_path(
    runbook: Runbook, seconds: Mapping[str, float] | None = None, phase: Phase = Phase.RECOVERY
) -> tuple[float, tuple[str, ...]]:
    """Return the length in seconds and the actions of the longest way through the phase.

    `seconds` replaces the plan's expected times, by action id. The sum along the longest chain of
    waits is the least time the phase can take when everything else runs beside it (the critical
    path method, Kelley and Walker 1959).
    """
    steps = [step for step in runbook.steps if step.phase is phase]
    waits = {name: found for step in steps for name, found in waits_of(runbook, step).items()}
    length = {
        action_id(step.name, action.name): action.expected_s for step in steps for action in step.do
    } | dict(seconds or {})
    end: dict[str, float] = {}
    way: dict[str, tuple[str, ...]] = {}
    for name in TopologicalSorter(waits).static_order():
        if name not in length:
            continue
        last = max(
            (before for before in waits.get(name, ()) if before in end),
            key=lambda before: (end[before], before),
            default=None,
        )
        end[name] = length[name] + (end[last] if last else 0.0)
        way[name] = (*(way[last] if last else ()), name)
    if not end:
        return 0.0, ()
    longest = max(end, key=lambda name: (end[name], name))
    return end[longest], way[longest]
