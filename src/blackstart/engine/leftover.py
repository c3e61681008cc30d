# SPDX-License-Identifier: Apache-2.0
"""What of a step is still to be done by itself, and what is not because something failed. Pure."""

from __future__ import annotations

from blackstart.model.incident import RunView, StepView
from blackstart.model.runbook import ActionSpec, StepSpec
from blackstart.model.states import ActionState


def is_spent(view: StepView, spec: ActionSpec) -> bool:
    """Say whether the action has failed and may not be tried again without a person."""
    action = view.actions.get(spec.name)
    return bool(
        action
        and action.state is ActionState.FAILED
        and (action.failures >= spec.attempts + action.ordered_again or action.is_held)
    )


def is_cut_off(run: RunView, step: StepSpec, spec: ActionSpec) -> bool:
    """Say whether the action waits for one of its own step that will not come any more."""
    view = run.step(step.name)
    waited = {reference.rpartition(".")[2] for reference in spec.after if _is_of(step, reference)}
    return any(
        is_spent(view, other) or is_cut_off(run, step, other)
        for other in step.do
        if other.name in waited and other is not spec
    )


def _is_of(step: StepSpec, reference: str) -> bool:
    name, _, action = reference.rpartition(".")
    return name in ("", step.name) and any(other.name == action for other in step.do)


def is_acted(run: RunView, step: StepSpec) -> bool:
    """Say whether no action of the step is to come: each is done, spent or cut off."""
    view = run.step(step.name)
    return all(
        run.action(step.name, spec.name).state is ActionState.DONE
        or is_spent(view, spec)
        or is_cut_off(run, step, spec)
        for spec in step.do
    )
