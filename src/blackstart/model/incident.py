# SPDX-License-Identifier: Apache-2.0
"""An incident as its facts tell it: a fold over the journal, and nothing else.

Only `advance` changes the views, and only through the table in `states`. Everybody else reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from blackstart.model import events as ev
from blackstart.model import orders, timing
from blackstart.model.states import (
    ActionState,
    AskState,
    IncidentState,
    StepState,
    move,
)
from blackstart.model.views import (
    ActionView,
    AskView,
    Incident,
    NoticeView,
    RunView,
    StepView,
)

__all__ = [
    "ActionView",
    "AskView",
    "Incident",
    "NoticeView",
    "RunView",
    "StepView",
    "advance",
    "fold",
]


def fold(facts: Iterable[ev.Fact]) -> Incident:
    """Return the incident that one chain tells. Raises ValueError when it has no report."""
    incident: Incident | None = None
    for fact in facts:
        incident = advance(incident, fact)
    if incident is None:
        raise ValueError("a chain without facts is no incident")
    return incident


def advance(incident: Incident | None, fact: ev.Fact) -> Incident:
    """Return the incident after one more fact.

    Raises IllegalMove, and ValueError for a chain out of order.
    """
    if incident is None:
        if not isinstance(fact.event, ev.IncidentReported):
            raise ValueError(f"{fact.chain} does not begin with a report")
        return Incident(
            id=fact.chain,
            state=IncidentState.REPORTED,
            reported=fact.event,
            reported_at=fact.at,
            last_at=fact.at,
            seq=fact.seq,
            outage_start=fact.event.outage_start,
            outage_told_at=fact.at,
            plan=fact.event.plan,
        )
    if fact.seq != incident.seq + 1:
        raise ValueError(f"{fact.chain}: fact {fact.seq} follows {incident.seq}")
    change = _CHANGES.get(type(fact.event))
    if change is not None:
        change(incident, fact.at, fact.event)
    incident.seq = fact.seq
    incident.last_at = fact.at
    return incident


def _ask_opened(incident: Incident, at: datetime, event: ev.AskOpened) -> None:
    before = incident.asks[event.ask].state if event.ask in incident.asks else AskState.UNASKED
    move(before, AskState.OPEN)
    incident.asks[event.ask] = AskView(
        opened=event, opened_at=at, persons=event.persons, due_at=event.due_at
    )


def _ask_escalated(incident: Incident, _at: datetime, event: ev.AskEscalated) -> None:
    ask = incident.asks[event.ask]
    ask.persons = (*ask.persons, event.person)
    ask.due_at = event.due_at
    ask.escalations += 1
    ask.late_s = event.late_s


def _ask_answered(incident: Incident, at: datetime, event: ev.AskAnswered) -> None:
    ask = incident.asks[event.ask]
    ask.state = move(ask.state, AskState.ANSWERED)
    ask.answer = event
    ask.ended_at = at
    if ask.opened.kind == "acknowledge":
        incident.state = move(incident.state, IncidentState.ACKNOWLEDGED)


def _ask_withdrawn(incident: Incident, at: datetime, event: ev.AskWithdrawn) -> None:
    ask = incident.asks[event.ask]
    ask.state = move(ask.state, AskState.WITHDRAWN)
    ask.ended_at = at


def _notice_queued(incident: Incident, at: datetime, event: ev.NoticeQueued) -> None:
    incident.notices[event.notice] = NoticeView(queued=event, queued_at=at)


def _notice_settled(incident: Incident, at: datetime, event: ev.NoticeSettled) -> None:
    notice = incident.notices[event.notice]
    notice.settled = event
    notice.settled_at = at


def _estimate_made(incident: Incident, _at: datetime, event: ev.EstimateMade) -> None:
    incident.runs[event.run].estimate = event


def _recovery_activated(incident: Incident, at: datetime, event: ev.RecoveryActivated) -> None:
    incident.state = move(incident.state, IncidentState.RECOVERING)
    incident.activation = event
    incident.activated_at = at


def _stood_down(incident: Incident, _at: datetime, event: ev.StoodDown) -> None:
    incident.state = move(incident.state, IncidentState.STOOD_DOWN)
    incident.stood_down = event


def _run_started(incident: Incident, at: datetime, event: ev.RunStarted) -> None:
    incident.runs[event.run] = RunView(started=event, started_at=at)


def _step(incident: Incident, run: str, name: str) -> StepView:
    return incident.runs[run].steps.setdefault(name, StepView())


def _action(incident: Incident, run: str, step: str, name: str) -> ActionView:
    return _step(incident, run, step).actions.setdefault(name, ActionView())


def _step_started(incident: Incident, at: datetime, event: ev.StepStarted) -> None:
    step = _step(incident, event.run, event.step)
    again = step.state is StepState.FAILED
    step.state = move(step.state, StepState.RUNNING)
    step.started_at = step.started_at or at
    step.ended_at = None
    for action in step.actions.values():
        if again and action.state is ActionState.FAILED:
            action.ordered_again += 1
            action.is_held = False


def _step_ended(incident: Incident, at: datetime, event: ev.StepEnded) -> None:
    step = _step(incident, event.run, event.step)
    step.state = move(step.state, StepState(event.outcome))
    step.ended_at = at
    step.reason = event.reason
    step.by = event.by
    step.outputs = {**step.outputs, **event.outputs}


def _action_started(incident: Incident, at: datetime, event: ev.ActionStarted) -> None:
    action = _action(incident, event.run, event.step, event.action)
    if action.state is not ActionState.STARTED:  # else it goes on from what was left half-way
        action.delayed = action.delayed_at = action.extended_until = action.cancel = None
    action.state = move(action.state, ActionState.STARTED)
    action.ends_at_limit = event.ends_at_limit
    incident.under_way[event.run, event.step, event.action] = None
    action.attempt = event.attempt
    action.key = event.key
    action.started_at = at
    action.ended_at = None


def _action_ended(incident: Incident, at: datetime, event: ev.ActionEnded) -> None:
    action = _action(incident, event.run, event.step, event.action)
    action.state = move(action.state, ActionState(event.outcome))
    action.failures += action.state is ActionState.FAILED
    action.ended_at = at
    action.outputs = event.outputs
    action.evidence = event.evidence
    action.sightings = event.sightings
    action.summary = event.summary
    action.hint = event.hint
    action.degraded = event.degraded
    action.in_doubt = event.in_doubt
    incident.under_way.pop((event.run, event.step, event.action), None)
    action.is_held = event.in_doubt or event.held or action.cancel is not None


def _measure_taken(incident: Incident, _at: datetime, event: ev.MeasureTaken) -> None:
    incident.measures[f"{event.system}:{event.name}"] = event


def _run_ended(incident: Incident, at: datetime, event: ev.RunEnded) -> None:
    incident.runs[event.run].outcome = event.outcome
    ended = [run for run in incident.runs.values() if run.outcome]
    is_over = len(ended) == len(incident.reported.systems)
    if is_over and incident.state is IncidentState.RECOVERING:
        incident.state = move(incident.state, IncidentState.RESTORED)
        incident.restored_at = at


def _postmortem_drafted(incident: Incident, _at: datetime, event: ev.PostmortemDrafted) -> None:
    incident.postmortem = event.document


def _incident_closed(incident: Incident, _at: datetime, _event: ev.IncidentClosed) -> None:
    incident.state = move(incident.state, IncidentState.CLOSED)


def _impact_assessed(incident: Incident, _at: datetime, event: ev.ImpactAssessed) -> None:
    incident.assessments.append(event)


def _situation_told(incident: Incident, _at: datetime, event: orders.SituationTold) -> None:
    incident.situations.append(event)


def _outage_corrected(incident: Incident, at: datetime, event: orders.OutageCorrected) -> None:
    incident.outage_start = event.outage_start
    incident.outage_told_at = at


def _option_estimated(incident: Incident, at: datetime, event: orders.OptionEstimated) -> None:
    incident.estimates[event.option] = event
    incident.estimated_at[event.option] = at


def _paused(incident: Incident, _at: datetime, event: orders.IncidentPaused) -> None:
    incident.paused = event


def _resumed(incident: Incident, _at: datetime, _event: orders.IncidentResumed) -> None:
    incident.paused = None


def _step_finished(incident: Incident, at: datetime, event: orders.StepFinishedByHand) -> None:
    step = _step(incident, event.run, event.step)
    step.state = move(step.state, StepState.VERIFIED)
    step.started_at = step.started_at or at
    step.ended_at = at
    step.by = event.by
    step.reason = event.why
    step.outputs = {**step.outputs, **event.outputs}
    step.evidence = (*step.evidence, *event.evidence)


def _cancel_ordered(incident: Incident, _at: datetime, event: orders.CancelOrdered) -> None:
    _action(incident, event.run, event.step, event.action).cancel = event


def _limit_extended(incident: Incident, _at: datetime, event: orders.LimitExtended) -> None:
    _action(incident, event.run, event.step, event.action).extended_until = event.until


def _action_delayed(incident: Incident, at: datetime, event: timing.ActionDelayed) -> None:
    action = _action(incident, event.run, event.step, event.action)
    action.delayed, action.delayed_at = event, at


def _undo_ordered(incident: Incident, _at: datetime, event: orders.UndoOrdered) -> None:
    incident.undo_failed.pop((event.run, event.step), None)
    incident.undoing[event.run, event.step] = event


def _step_undone(incident: Incident, _at: datetime, event: orders.StepUndone) -> None:
    incident.undoing.pop((event.run, event.step), None)
    incident.undo_failed.pop((event.run, event.step), None)
    step = _step(incident, event.run, event.step)
    step.state = move(step.state, StepState.WAITING)
    step.outputs, step.evidence, step.by = {}, (), ""
    step.reason, step.ended_at = "taken back", None
    for name, action in step.actions.items():
        incident.under_way.pop((event.run, event.step, name), None)
        if action.state is not ActionState.WAITING:
            action.state = move(action.state, ActionState.WAITING)
        action.outputs = {}


def _undo_failed(incident: Incident, _at: datetime, event: orders.UndoFailed) -> None:
    incident.undoing.pop((event.run, event.step), None)
    incident.undo_failed[event.run, event.step] = event


def _rule_waived(incident: Incident, _at: datetime, event: orders.RuleWaived) -> None:
    incident.waivers.append(event)


def _handed_over(incident: Incident, _at: datetime, event: orders.ShiftHandedOver) -> None:
    incident.holders[event.role] = event.taker


def _plan_amended(incident: Incident, _at: datetime, event: orders.PlanAmended) -> None:
    incident.plan = event.plan
    incident.runbooks.update(event.runbooks)


def _share_spent(incident: Incident, _at: datetime, event: timing.GoalShareSpent) -> None:
    incident.shares_spent.append(event)


def _prolonged(incident: Incident, _at: datetime, event: timing.OutageProlonged) -> None:
    incident.prolonged.append(event)


def _record_restored(incident: Incident, at: datetime, _event: ev.RecordRestored) -> None:
    incident.record_restored_at = at


_CHANGES: Mapping[type, Callable[[Incident, datetime, Any], None]] = {
    ev.AskOpened: _ask_opened,
    ev.AskEscalated: _ask_escalated,
    ev.AskAnswered: _ask_answered,
    ev.AskWithdrawn: _ask_withdrawn,
    ev.NoticeQueued: _notice_queued,
    ev.NoticeSettled: _notice_settled,
    ev.EstimateMade: _estimate_made,
    ev.RecoveryActivated: _recovery_activated,
    ev.StoodDown: _stood_down,
    ev.RunStarted: _run_started,
    ev.StepStarted: _step_started,
    ev.StepEnded: _step_ended,
    ev.ActionStarted: _action_started,
    ev.ActionEnded: _action_ended,
    ev.MeasureTaken: _measure_taken,
    ev.RunEnded: _run_ended,
    ev.PostmortemDrafted: _postmortem_drafted,
    ev.IncidentClosed: _incident_closed,
    ev.ImpactAssessed: _impact_assessed,
    ev.RecordRestored: _record_restored,
    orders.SituationTold: _situation_told,
    orders.OutageCorrected: _outage_corrected,
    orders.OptionEstimated: _option_estimated,
    orders.IncidentPaused: _paused,
    orders.IncidentResumed: _resumed,
    orders.StepFinishedByHand: _step_finished,
    orders.CancelOrdered: _cancel_ordered,
    orders.LimitExtended: _limit_extended,
    orders.UndoOrdered: _undo_ordered,
    orders.StepUndone: _step_undone,
    orders.UndoFailed: _undo_failed,
    orders.RuleWaived: _rule_waived,
    orders.ShiftHandedOver: _handed_over,
    orders.PlanAmended: _plan_amended,
    timing.GoalShareSpent: _share_spent,
    timing.OutageProlonged: _prolonged,
    timing.ActionDelayed: _action_delayed,
}
