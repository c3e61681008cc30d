# SPDX-License-Identifier: Apache-2.0
"""Which steps may start, which actions may run, and how a step ends. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blackstart.engine.leftover import is_acted, is_spent
from blackstart.engine.telling import notices_of_step
from blackstart.model import events as ev
from blackstart.model.incident import ActionView, Incident, RunView
from blackstart.model.runbook import MANUAL, ActionSpec, Phase, Runbook, StepSpec
from blackstart.model.states import ActionState, IncidentState, StepState, lets_others_go
from blackstart.model.steering import gate_is_open

_PHASES_OPEN = {
    IncidentState.REPORTED: (Phase.NOTIFICATION,),
    IncidentState.ACKNOWLEDGED: (Phase.NOTIFICATION,),
    IncidentState.RECOVERING: (Phase.NOTIFICATION, Phase.RECOVERY),
    IncidentState.RESTORED: (Phase.NOTIFICATION, Phase.RECOVERY, Phase.RESOLUTION),
}


def is_ready(incident: Incident, run: RunView, step: StepSpec) -> bool:
    """Say whether nothing but its gate holds the step back."""
    return (
        run.step(step.name).state is StepState.WAITING
        and step.phase in _PHASES_OPEN.get(incident.state, ())
        and all(lets_others_go(run.step(name).state) for name in step.after)
    )


def may_start(incident: Incident, run: RunView, step: StepSpec) -> bool:
    """Say whether the step starts now: it is ready, its gate is open, and nobody paused."""
    return (
        not incident.paused and is_ready(incident, run, step) and gate_is_open(incident, run, step)
    )


def step_events(runbook: Runbook, incident: Incident, run: RunView) -> Iterator[ev.Event]:
    """Yield the starts and ends of steps that follow from the facts, and the end of the run."""
    for step in runbook.steps:
        if may_start(incident, run, step):
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


def asks_overtaken(incident: Incident, run: RunView) -> Iterator[ev.AskWithdrawn]:
    """Withdraw what was asked about a failed step that was taken back since."""
    for ask in incident.open_asks():
        is_of_stop = (ask.opened.kind, ask.opened.run) == ("stopped", run.started.run)
        if is_of_stop and run.step(ask.opened.step).state is StepState.WAITING:
            yield ev.AskWithdrawn(ask=ask.opened.ask, reason="the step was taken back")


def _end_of(incident: Incident, run: RunView, step: StepSpec) -> tuple[str, str] | None:
    """Return outcome and reason when nothing of the step is left to do, None while it goes on."""
    view = run.step(step.name)
    states = [run.action(step.name, spec.name).state for spec in step.do]
    if ActionState.STARTED in states:
        return None
    failed = [spec for spec in step.do if is_spent(view, spec)]
    if failed and step.blocking:
        return "failed", view.actions[failed[0].name].summary
    if not is_acted(run, step):
        return None
    untold = _untold(incident, run, step)
    if untold is None:
        return None
    reasons = [view.actions[spec.name].summary for spec in failed]
    reasons += [reason.rstrip(".") for reason in (*view.degradations(), *untold)]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An action that may run now, as this attempt; see `decide.Act` for the flags."""

    step: StepSpec
    spec: ActionSpec
    attempt: int
    is_in_doubt: bool = False
    is_begun: bool = False


def ready_actions(runbook: Runbook, incident: Incident, run: RunView) -> Iterator[Ready]:
    """Yield each action that may run now.

    An action that was started and has not ended is yielded too, as in doubt: whoever drives and
    does not have it in its hands looks at the world first. While paused only these are yielded.
    """
    for step in runbook.steps:
        view = run.step(step.name)
        is_over = view.state is not StepState.RUNNING or (
            step.blocking and any(is_spent(view, spec) for spec in step.do)
        )
        for spec in step.do:
            action = run.action(step.name, spec.name)
            if action.state is ActionState.STARTED:
                yield Ready(
                    step=step, spec=spec, attempt=action.attempt, is_in_doubt=True, is_begun=True
                )
            elif (
                not is_over
                and not incident.paused
                and action.state is not ActionState.DONE
                and not is_spent(view, spec)
                and _is_free(run, step, spec)
            ):
                yield _next_attempt(incident, step, spec, action)


def _next_attempt(
    incident: Incident, step: StepSpec, spec: ActionSpec, action: ActionView
) -> Ready:
    """Return the next attempt; where nobody knows how the last one ended, it is that one again.

    After the record was brought back from a mirror the next attempt may have been begun already,
    by the host that was lost, and the fact of it lost too: it is in doubt as well.
    """
    if action.state is ActionState.FAILED and action.in_doubt:
        return Ready(step=step, spec=spec, attempt=action.attempt, is_in_doubt=True)
    restored_at = incident.record_restored_at
    may_have_begun = restored_at is not None and (
        action.started_at is None or action.started_at <= restored_at
    )
    return Ready(step=step, spec=spec, attempt=action.attempt + 1, is_in_doubt=may_have_begun)


def is_manual(spec: ActionSpec) -> bool:
    """Say whether a person does the action."""
    return spec.use == MANUAL


def _is_free(run: RunView, step: StepSpec, spec: ActionSpec) -> bool:
    return all(_is_satisfied(run, step, reference) for reference in spec.after)


def _is_satisfied(run: RunView, step: StepSpec, reference: str) -> bool:
    name, _, action = reference.partition(".")
    if not action and any(spec.name == name for spec in step.do):
        name, action = step.name, name
    if not action or lets_others_go(run.step(name).state):
        return lets_others_go(run.step(name).state)
    return run.action(name, action).state is ActionState.DONE
