# SPDX-License-Identifier: Apache-2.0
"""From the plan, the facts and the time to every decision that is possible now. Pure.

The driver carries the decisions out in the order given. It calls again whenever a fact was added
or a wake-up time has come, so one decision never has to foresee the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from blackstart.engine import asking, measuring, stepping
from blackstart.engine.telling import Notice, notices
from blackstart.model import events as ev
from blackstart.model.incident import Incident
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.model.states import IncidentState


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An action may run now, as this attempt. `is_in_doubt`: it was begun before; look first."""

    run: str
    step: str
    action: str
    attempt: int
    is_in_doubt: bool


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


Decision: TypeAlias = Act | Record | Notice | Draft | WakeAt


def decide(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> tuple[Decision, ...]:
    """Return every decision possible now. `runbooks` is by system; `now` never precedes a fact."""
    now = max(now, incident.last_at)
    records = tuple(_records(plan, runbooks, incident, now))
    if records:  # what follows from them is decided when they stand in the journal
        return tuple(Record(event=event) for event in records)
    return (
        *notices(plan, runbooks, incident),
        *_acts(runbooks, incident),
        *(Draft() for _ in range(_wants_draft(incident))),
        *(WakeAt(at=ask.due_at) for ask in incident.open_asks() if ask.due_at),
    )


def _records(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> Iterator[ev.Event]:
    if incident.state is IncidentState.CLOSED:
        return
    if incident.state is not IncidentState.STOOD_DOWN:
        yield from _runs_to_start(incident)
        yield from _of_runs(plan, runbooks, incident)
    yield from asking.asks_to_open(plan, runbooks, incident, now)
    yield from asking.asks_to_escalate(plan, incident, now)


def _of_runs(plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[ev.Event]:
    for run in incident.runs.values():
        runbook = runbooks[run.started.system]
        yield from stepping.step_events(runbook, incident, run)
        yield from measuring.measures_of(runbook, incident, run)
        yield from measuring.estimate_of(plan, runbook, run)


def _runs_to_start(incident: Incident) -> Iterator[ev.RunStarted]:
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
                runbook="",
            )


def _acts(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[Act]:
    if incident.state in (IncidentState.STOOD_DOWN, IncidentState.CLOSED):
        return
    for run in incident.runs.values():
        for step, action, attempt, is_in_doubt in stepping.ready_actions(
            runbooks[run.started.system], run
        ):
            yield Act(
                run=run.started.run,
                step=step,
                action=action,
                attempt=attempt,
                is_in_doubt=is_in_doubt,
            )


def _wants_draft(incident: Incident) -> bool:
    is_over = incident.state in (IncidentState.RESTORED, IncidentState.STOOD_DOWN)
    return is_over and not incident.postmortem
