# SPDX-License-Identifier: Apache-2.0
"""An incident as its facts tell it: a fold over the journal, and nothing else.

Only `advance` changes these values, and only through the table in `states`. Everybody else reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from blackstart.model import events as ev
from blackstart.model.runbook import Param
from blackstart.model.states import (
    ActionState,
    AskState,
    IncidentState,
    StepState,
    move,
)


@dataclass(slots=True, kw_only=True)
class ActionView:
    """One action of a step: its state, the newest attempt, and what it left."""

    state: ActionState = ActionState.WAITING
    attempt: int = 0
    key: str = ""
    ordered_again: int = 0  # attempts that people ordered on top of those the plan allows
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: Mapping[str, Param] = field(default_factory=dict)
    sightings: tuple[ev.Sighting, ...] = ()
    evidence: tuple[str, ...] = ()
    summary: str = ""
    hint: str = ""


@dataclass(slots=True, kw_only=True)
class StepView:
    """One step of a run."""

    state: StepState = StepState.WAITING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    by: str = ""
    actions: dict[str, ActionView] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class RunView:
    """One execution of the procedure for one system."""

    started: ev.RunStarted
    started_at: datetime
    steps: dict[str, StepView] = field(default_factory=dict)
    estimate: ev.EstimateMade | None = None
    outcome: str = ""

    def step(self, name: str) -> StepView:
        """Return the step, as a waiting one when nothing happened to it yet."""
        return self.steps.get(name) or StepView()

    def action(self, step: str, name: str) -> ActionView:
        """Return the action, as a waiting one when nothing happened to it yet."""
        return self.step(step).actions.get(name) or ActionView()

    def outputs(self) -> Mapping[str, Mapping[str, Param]]:
        """Return the outputs of all actions that are done, merged per step."""
        return {
            name: {
                key: value
                for action in step.actions.values()
                if action.state is ActionState.DONE
                for key, value in action.outputs.items()
            }
            for name, step in self.steps.items()
        }


@dataclass(slots=True, kw_only=True)
class AskView:
    """A question to a person and what became of it."""

    opened: ev.AskOpened
    opened_at: datetime
    persons: tuple[str, ...]
    due_at: datetime | None
    state: AskState = AskState.OPEN
    escalations: int = 0
    answer: ev.AskAnswered | None = None
    ended_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class NoticeView:
    """A message to an audience and what became of its deliveries."""

    queued: ev.NoticeQueued
    queued_at: datetime
    settled: ev.NoticeSettled | None = None
    settled_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Incident:
    """Everything known of one incident."""

    id: str
    state: IncidentState
    reported: ev.IncidentReported
    reported_at: datetime
    seq: int = 0
    last_at: datetime
    asks: dict[str, AskView] = field(default_factory=dict)
    notices: dict[str, NoticeView] = field(default_factory=dict)
    runs: dict[str, RunView] = field(default_factory=dict)
    measures: dict[str, ev.MeasureTaken] = field(default_factory=dict)
    activation: ev.RecoveryActivated | None = None
    activated_at: datetime | None = None
    postmortem: str = ""

    def open_asks(self) -> tuple[AskView, ...]:
        """Return the questions that wait for an answer, oldest first."""
        return tuple(ask for ask in self.asks.values() if ask.state is AskState.OPEN)

    def sightings(self) -> tuple[ev.Sighting, ...]:
        """Return the newest sighting of each subject, from the report and from every action."""
        newest = {seen.subject: seen for seen in self.reported.sightings}
        for run in self.runs.values():
            for step in run.steps.values():
                for action in step.actions.values():
                    newest.update({seen.subject: seen for seen in action.sightings})
        return tuple(newest.values())


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


def _stood_down(incident: Incident, _at: datetime, _event: ev.StoodDown) -> None:
    incident.state = move(incident.state, IncidentState.STOOD_DOWN)


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


def _step_ended(incident: Incident, at: datetime, event: ev.StepEnded) -> None:
    step = _step(incident, event.run, event.step)
    step.state = move(step.state, StepState(event.outcome))
    step.ended_at = at
    step.reason = event.reason
    step.by = event.by


def _action_started(incident: Incident, at: datetime, event: ev.ActionStarted) -> None:
    action = _action(incident, event.run, event.step, event.action)
    action.state = move(action.state, ActionState.STARTED)
    action.attempt = event.attempt
    action.key = event.key
    action.started_at = at
    action.ended_at = None


def _action_ended(incident: Incident, at: datetime, event: ev.ActionEnded) -> None:
    action = _action(incident, event.run, event.step, event.action)
    action.state = move(action.state, ActionState(event.outcome))
    action.ended_at = at
    action.outputs = event.outputs
    action.evidence = event.evidence
    action.sightings = event.sightings
    action.summary = event.summary
    action.hint = event.hint


def _measure_taken(incident: Incident, _at: datetime, event: ev.MeasureTaken) -> None:
    incident.measures[f"{event.system}:{event.name}"] = event


def _run_ended(incident: Incident, _at: datetime, event: ev.RunEnded) -> None:
    incident.runs[event.run].outcome = event.outcome
    ended = [run for run in incident.runs.values() if run.outcome]
    if len(ended) == len(incident.reported.systems):
        incident.state = move(incident.state, IncidentState.RESTORED)


def _postmortem_drafted(incident: Incident, _at: datetime, event: ev.PostmortemDrafted) -> None:
    incident.postmortem = event.document


def _incident_closed(incident: Incident, _at: datetime, _event: ev.IncidentClosed) -> None:
    incident.state = move(incident.state, IncidentState.CLOSED)


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
}
