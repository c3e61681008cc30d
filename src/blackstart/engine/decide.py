# SPDX-License-Identifier: Apache-2.0
"""From the plan, the facts and the time to every decision that is possible now. Pure.

The driver carries the decisions out in the order given. It calls again whenever a fact was added
or a wake-up time has come, so one decision never has to foresee the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from blackstart.engine import asking, measuring, overdue, stepping
from blackstart.engine.telling import Notice, held_until, next_update_at, notices
from blackstart.engine.timing import next_timing_at, timing_events
from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.codec import digest_of, to_bytes
from blackstart.model.incident import Incident, RunView
from blackstart.model.plan import Plan
from blackstart.model.runbook import Phase, Runbook
from blackstart.model.states import IncidentState, StepState
from blackstart.model.steering import standing_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An action may run now, as this attempt.

    `is_in_doubt`: what became of it is not known, so look first. `is_begun`: its start stands in
    the record already.
    """

    run: str
    step: str
    action: str
    attempt: int
    is_in_doubt: bool
    is_begun: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """What the step did is taken back now, as far as its verbs can."""

    run: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A fact that follows from facts."""

    event: ev.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The post-mortem can be drafted now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Nothing is due before this moment, unless a fact comes."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """An action that is in hand is to be ended, with all that it started: a person ordered it."""

    run: str
    step: str
    action: str


Decision: TypeAlias = Act | Cancel | TakeBack | Record | Notice | Draft | WakeAt


def decide(
    plan: Plan,
    runbooks: Mapping[str, Runbook],
    incident: Incident,
    now: datetime,
    among: Collection[str] | None = None,
) -> tuple[Decision, ...]:
    """Return every decision possible now. `runbooks` is by system; `now` never precedes a fact.

    With `among`, what concerns a single run is looked for in these runs only: whoever knows that
    nothing has happened to the others since they had nothing left to decide need not ask again.
    """
    now = max(now, incident.last_at)
    runs = [run for name, run in incident.runs.items() if among is None or name in among]
    records = tuple(_records(plan, runbooks, incident, now, runs))
    if records:  # what follows from them is decided when they stand in the journal
        return tuple(Record(event=event) for event in records)
    return (
        *notices(plan, runbooks, incident, now, runs),
        *_acts(runbooks, incident, runs),
        *_cancels(runbooks, incident),
        *_take_backs(runbooks, incident),
        *(Draft() for _ in range(_wants_draft(incident))),
        *(WakeAt(at=at) for at in _wake_ups(plan, runbooks, incident) if at > now),
    )


def runs_touched(incident: Incident, event: ev.Event) -> Collection[str]:
    """Return the runs for which the fact may make a difference: see `among` of `decide`."""
    match event:
        case ev.RunEnded():
            return incident.runs  # the last one ends the incident for all of them
        case ev.AskAnswered() | ev.AskWithdrawn() | ev.AskEscalated():
            run = incident.asks[event.ask].opened.run
        case ev.NoticeSettled():
            queued = incident.notices[event.notice].queued
            if not queued.step:
                return ()
            run = queued.run
        case ev.NoticeQueued(step=""):
            return ()
        case ev.MeasureTaken():
            return [n for n, r in incident.runs.items() if r.started.system == event.system]
        case _:
            run = getattr(event, "run", "")
    return (run,) if run else incident.runs


def is_waiting(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> bool:
    """Say whether nothing more happens by itself before a person or a moment comes."""
    if any(notice.settled is None for notice in incident.notices.values()):
        return False
    return all(isinstance(one, WakeAt) for one in decide(plan, runbooks, incident, now))


def _cancels(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[Cancel]:
    for one in overdue.going(runbooks, incident):
        if one.view.cancel:
            yield Cancel(run=one.run.started.run, step=one.step.name, action=one.spec.name)


def _wake_ups(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident
) -> Iterator[datetime]:
    yield from (ask.due_at for ask in incident.open_asks() if ask.due_at)
    update_at = next_update_at(plan, incident)
    if update_at:
        yield update_at
    yield from next_timing_at(plan, incident)
    yield from overdue.wakes(runbooks, incident)
    yield from held_until(incident)


def _records(
    plan: Plan,
    runbooks: Mapping[str, Runbook],
    incident: Incident,
    now: datetime,
    runs: Collection[RunView],
) -> Iterator[ev.Event]:
    if incident.state is IncidentState.CLOSED:
        return
    if incident.state is IncidentState.STOOD_DOWN:
        yield from _undos(runbooks, incident)
    else:
        yield from _runs_to_start(runbooks, incident)
        yield from _of_runs(plan, runbooks, incident, runs)
    yield from asking.asks_to_open(plan, runbooks, incident, now, runs)
    yield from asking.asks_to_escalate(plan, incident, now)
    yield from timing_events(plan, incident, now)
    yield from overdue.pointless(runbooks, incident)
    yield from overdue.delays(runbooks, incident, now)
    yield from asking.overdue_asks(plan, runbooks, incident, now)


def _of_runs(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, runs: Collection[RunView]
) -> Iterator[ev.Event]:
    for run in runs:
        runbook = runbooks[run.started.system]
        yield from stepping.step_events(runbook, incident, run)
        yield from stepping.asks_overtaken(incident, run)
        yield from measuring.measures_of(runbook, incident, run)
        yield from measuring.estimate_of(plan, runbook, incident, run)


def _undos(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[ev.Event]:
    """Yield what takes a run back after it was stood down: its last step first, one at a time."""
    by = incident.stood_down.by if incident.stood_down else ""
    for run in incident.runs.values():
        if run.outcome or any(name == run.started.run for name, _ in incident.undoing):
            continue
        phases = {s.name: s.phase for s in runbooks[run.started.system].steps}
        begun = [
            (step.started_at, name)
            for name, step in run.steps.items()
            if step.started_at
            and phases.get(name) is Phase.RECOVERY
            and step.state is not StepState.WAITING
        ]
        if not begun:
            yield ev.RunEnded(run=run.started.run, outcome="stood_down")
            continue
        last = max(begun)[1]
        if (run.started.run, last) not in incident.undo_failed:
            yield orders.UndoOrdered(run=run.started.run, step=last, by=by, why="stood down")


def _runs_to_start(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[ev.RunStarted]:
    started = {run.started.system for run in incident.runs.values()}
    for number, system in enumerate(incident.reported.systems, start=1):
        if system not in started:
            name = f"{incident.id}.r{number}"
            yield ev.RunStarted(
                run=name,
                system=system,
                target=incident.reported.target,
                mode=incident.reported.mode,
                marker=name,
                runbook=digest_of(to_bytes(runbooks[system])),
            )


def _acts(
    runbooks: Mapping[str, Runbook], incident: Incident, runs: Collection[RunView]
) -> Iterator[Act]:
    if incident.state in (IncidentState.STOOD_DOWN, IncidentState.CLOSED):
        return
    for run in runs:
        for ready in stepping.ready_actions(runbooks[run.started.system], incident, run):
            if not stepping.is_manual(ready.spec):
                yield Act(
                    run=run.started.run,
                    step=ready.step.name,
                    action=ready.spec.name,
                    attempt=ready.attempt,
                    is_in_doubt=ready.is_in_doubt,
                    is_begun=ready.is_begun,
                )


def _take_backs(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[TakeBack]:
    """Yield what is taken back now: a step comes after all that stands on it."""
    for run, step in incident.undoing:
        view = incident.runs[run]
        if not standing_on(runbooks[view.started.system], view, step):
            yield TakeBack(run=run, step=step)


def _wants_draft(incident: Incident) -> bool:
    is_over = incident.state in (IncidentState.RESTORED, IncidentState.STOOD_DOWN)
    is_over = is_over and all(run.outcome for run in incident.runs.values())
    is_over = is_over and all(notice.settled for notice in incident.notices.values())
    return is_over and not incident.postmortem
