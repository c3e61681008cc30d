# SPDX-License-Identifier: Apache-2.0
"""Which steps may start, which actions may run, and how a step ends. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from blackstart.engine.telling import notices_of_step
from blackstart.model import events as ev
from blackstart.model.incident import Incident, RunView, StepView
from blackstart.model.runbook import ActionSpec, Phase, Runbook, StepSpec
from blackstart.model.states import ActionState, AskState, IncidentState, StepState, lets_others_go

_PHASES_OPEN = {
    IncidentState.REPORTED: (Phase.NOTIFICATION,),
    IncidentState.ACKNOWLEDGED: (Phase.NOTIFICATION,),
    IncidentState.RECOVERING: (Phase.NOTIFICATION, Phase.RECOVERY),
    IncidentState.RESTORED: (Phase.NOTIFICATION, Phase.RECOVERY, Phase.RESOLUTION),
}


def gate_of(run: RunView, step: StepSpec) -> str:
    """Return the name of the ask that opens the step's gate."""
    return f"gate:{run.started.run}:{step.name}"


def is_ready(incident: Incident, run: RunView, step: StepSpec) -> bool:
    """Say whether nothing but its gate holds the step back."""
    return (
        run.step(step.name).state is StepState.WAITING
        and step.phase in _PHASES_OPEN.get(incident.state, ())
        and all(lets_others_go(run.step(name).state) for name in step.after)
    )


def step_events(runbook: Runbook, incident: Incident, run: RunView) -> Iterator[ev.Event]:
    """Yield the starts and ends of steps that follow from the facts, and the end of the run."""
    for step in runbook.steps:
        if is_ready(incident, run, step) and _gate_is_open(incident, run, step):
            yield ev.StepStarted(run=run.started.run, step=step.name)
        elif run.step(step.name).state is StepState.RUNNING:
            ended = _end_of(incident, run, step)
            if ended:
                outcome, reason = ended
                yield ev.StepEnded(
                    run=run.started.run, step=step.name, outcome=outcome, reason=reason
                )
    steps = [run.step(step.name) for step in runbook.steps if step.phase is Phase.RECOVERY]
    if not run.outcome and all(lets_others_go(step.state) for step in steps):
        is_whole = all(step.state is StepState.VERIFIED for step in steps)
        yield ev.RunEnded(
            run=run.started.run, outcome="recovered" if is_whole else "recovered_degraded"
        )


def _gate_is_open(incident: Incident, run: RunView, step: StepSpec) -> bool:
    if not step.gate:
        return True
    ask = incident.asks.get(gate_of(run, step))
    return bool(ask and ask.state is AskState.ANSWERED and ask.answer and ask.answer.answer == "go")


def _end_of(incident: Incident, run: RunView, step: StepSpec) -> tuple[str, str] | None:
    """Return outcome and reason when nothing of the step is left to do, None while it goes on."""
    view = run.step(step.name)
    states = [run.action(step.name, spec.name).state for spec in step.do]
    if ActionState.STARTED in states:
        return None
    failed = [spec for spec in step.do if _is_spent(view, spec)]
    if failed and step.blocking:
        return "failed", view.actions[failed[0].name].summary
    if not failed and any(state is not ActionState.DONE for state in states):
        return None
    untold = _untold(incident, run, step)
    if untold is None:
        return None
    reasons = [view.actions[spec.name].summary for spec in failed] + list(untold)
    return ("degraded", "; ".join(reasons)) if reasons else ("verified", "")


def _untold(incident: Incident, run: RunView, step: StepSpec) -> tuple[str, ...] | None:
    """Return what went wrong in telling people, None while messages are still under way."""
    problems: list[str] = []
    for name in notices_of_step(run, step):
        notice = incident.notices.get(name)
        if notice is None or notice.settled is None:
            return None
        if notice.settled.refused or notice.settled.uncertain or not notice.settled.accepted:
            problems.append(
                f"{notice.queued.channel}: {notice.settled.accepted} of {notice.queued.recipients} "
                f"told, {notice.settled.refused} refused, {notice.settled.uncertain} uncertain "
                f"({notice.settled.reason})"
            )
    return tuple(problems)


def ready_actions(runbook: Runbook, run: RunView) -> Iterator[tuple[str, str, int, bool]]:
    """Yield (step, action, attempt, in doubt) for each action that may run now.

    An action that was started and has not ended is yielded too, as in doubt: whoever drives and
    does not have it in its hands looks at the world first.
    """
    for step in runbook.steps:
        view = run.step(step.name)
        if view.state is not StepState.RUNNING or any(_is_spent(view, spec) for spec in step.do):
            yield from _in_doubt(step, view)
            continue
        for spec in step.do:
            action = run.action(step.name, spec.name)
            if action.state is ActionState.STARTED:
                yield step.name, spec.name, action.attempt, True
            elif action.state is not ActionState.DONE and _may_start(run, step, spec):
                yield step.name, spec.name, action.attempt + 1, False


def _in_doubt(step: StepSpec, view: StepView) -> Iterator[tuple[str, str, int, bool]]:
    for name, action in view.actions.items():
        if action.state is ActionState.STARTED:
            yield step.name, name, action.attempt, True


def _is_spent(view: StepView, spec: ActionSpec) -> bool:
    action = view.actions.get(spec.name)
    return bool(
        action
        and action.state is ActionState.FAILED
        and action.attempt >= spec.attempts + action.ordered_again
    )


def _may_start(run: RunView, step: StepSpec, spec: ActionSpec) -> bool:
    return all(_is_satisfied(run, step, reference) for reference in spec.after)


def _is_satisfied(run: RunView, step: StepSpec, reference: str) -> bool:
    name, _, action = reference.partition(".")
    if not action and any(spec.name == name for spec in step.do):
        name, action = step.name, name
    if not action or lets_others_go(run.step(name).state):
        return lets_others_go(run.step(name).state)
    return run.action(name, action).state is ActionState.DONE
