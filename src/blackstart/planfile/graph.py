# SPDX-License-Identifier: Apache-2.0
"""The order of the work: what waits for what, what a reference adds to that, and cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from blackstart.model.references import names_in
from blackstart.model.runbook import ActionSpec, StepSpec
from blackstart.planfile.problems import Flaw
from blackstart.planfile.tree import Path
from blackstart.planfile.verb_shape import OutputsOf, outputs_of

_START = " begins"


def steps_before(steps: Mapping[str, StepSpec], name: str) -> frozenset[str]:
    """Return every step that has ended before the step of this name starts."""
    return _reached({step.name: step.after for step in steps.values()}, name)


def waits_before(steps: Mapping[str, StepSpec], name: str) -> frozenset[str]:
    """Return every step and action that has ended before this step or action starts."""
    return _reached(_waits_of(steps), name)


def _reached(waits: Mapping[str, tuple[str, ...]], name: str) -> frozenset[str]:
    before: set[str] = set()
    waiting = list(waits.get(name, ()))
    while waiting:
        one = waiting.pop()
        if one not in before:
            before.add(one)
            waiting += waits.get(one, ())
    return frozenset(before)


def implied_waits(
    step: StepSpec,
    action: ActionSpec,
    steps: Mapping[str, StepSpec],
    declared: OutputsOf,
) -> tuple[str, ...]:
    """Return what the action's `${step.output}` references make it wait for.

    These are the actions of that step which declare the output, or else the whole step. A step
    that has ended anyway before this one starts is left out.
    """
    before = steps_before(steps, step.name)
    waits: dict[str, None] = {}
    for reference in names_in(dict(action.params)):
        name, _, output = reference.partition(".")
        if name in steps and name not in before:
            waits |= dict.fromkeys(_makers(step, action, steps[name], output, declared))
    return tuple(wait for wait in waits if wait not in action.after)


def _makers(
    step: StepSpec,
    action: ActionSpec,
    maker: StepSpec,
    output: str,
    declared: OutputsOf,
) -> tuple[str, ...]:
    declaring = [one.name for one in maker.do if output in outputs_of(one, declared)]
    if maker.name != step.name:
        return tuple(f"{maker.name}.{name}" for name in declaring) or (maker.name,)
    names = [one.name for one in step.do]
    earlier = names[: names.index(action.name)]
    others = [name for name in declaring if name != action.name]
    return tuple(f"{step.name}.{name}" for name in others or earlier)


def find_circle(waits: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return names that wait for each other in a circle; empty when none do."""
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        circle = [str(node).removesuffix(_START) for node in error.args[1]]
        return tuple(dict.fromkeys(reversed(circle)))
    return ()


def flaws_of_order(steps: Mapping[str, StepSpec], path: Path) -> Iterator[Flaw]:
    """Yield a flaw when steps or actions of a system wait for each other."""
    circle = find_circle(_waits_of(steps))
    if circle:
        step, _, action = circle[0].partition(".")
        here = (*path, "steps", step, *(("do", action) if action else ()))
        what = f"these wait for each other: {', '.join(circle)}"
        yield Flaw(path=here, what=what, instead="remove one 'after' or one reference")


def _waits_of(steps: Mapping[str, StepSpec]) -> dict[str, tuple[str, ...]]:
    """Return what each action waits for, and each start and end of a step."""
    waits: dict[str, tuple[str, ...]] = {}
    for name, step in steps.items():
        start = name + _START
        waits[start] = step.after
        waits[name] = (start, *(f"{name}.{action.name}" for action in step.do))
        for action in step.do:
            waits[f"{name}.{action.name}"] = (start, *action.after)
    return waits


def with_implied_waits(steps: Mapping[str, StepSpec], declared: OutputsOf) -> dict[str, StepSpec]:
    """Return the steps whose actions also wait for what their references need."""
    return {
        name: replace(
            step,
            do=tuple(
                replace(action, after=action.after + implied_waits(step, action, steps, declared))
                for action in step.do
            ),
        )
        for name, step in steps.items()
    }
