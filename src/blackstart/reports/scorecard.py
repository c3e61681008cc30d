# SPDX-License-Identifier: Apache-2.0
"""The scorecard: what was expected, what it took, what was achieved against what was promised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from blackstart.model.events import (
    EstimateMade,
    Fact,
    IncidentReported,
    MeasureTaken,
    NoticeSettled,
    RecoveryActivated,
    RunStarted,
)
from blackstart.model.orders import OutageCorrected
from blackstart.model.plan import Objectives
from blackstart.model.runbook import Phase, Runbook, StepSpec
from blackstart.reports.path import (
    PathPiece,
    activation_of,
    critical_path,
    expected_of,
    last_step_end,
)
from blackstart.reports.phrases import step_number
from blackstart.reports.spans import (
    HOLDS_BACK,
    ActionSpan,
    StepSpan,
    action_spans,
    ask_spans,
    notice_spans,
    of_kind,
    step_spans,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepScore:
    """One step: expected against taken (seconds), how it ended, with which evidence, by whom."""

    run: str
    system: str
    name: str
    title: str
    number: int  # in the policy; 0 for a step that the policy does not number
    phase: Phase
    expected_s: float
    outcome: str
    reason: str = ""
    by: str = ""  # person who ended it; "" when the machine did
    started_at: datetime | None = None
    ended_at: datetime | None = None
    starts: int = 0
    evidence: tuple[str, ...] = ()
    actions: tuple[ActionSpan, ...] = ()

    @property
    def took_s(self) -> float | None:
        """Return the seconds from the first start to the last end, None before it ended."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def failure(self) -> ActionSpan | None:
        """Return the last attempt of the step that failed, unless that action was done since."""
        if self.outcome == "verified":
            return None
        last = {span.action: span for span in self.actions}
        return next((span for span in reversed(last.values()) if span.outcome == "failed"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureScore:
    """A measure against its goal; both timestamps are kept. For an RPO, `start` is the moment
    recovered to and `end` the last acknowledged write."""

    name: str
    system: str
    start: datetime
    end: datetime
    goal_s: float | None
    label: str = ""
    is_bound: bool = False

    @property
    def value_s(self) -> float:
        """Return the measured seconds; a restored moment after the last write is no loss."""
        return max(0.0, (self.end - self.start).total_seconds())

    @property
    def is_met(self) -> bool:
        """Say whether the goal was met; a measure without a goal cannot miss it."""
        return self.goal_s is None or self.value_s <= self.goal_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A moment of the common clock: its name and when it came."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """Everything that was measured in one incident."""

    steps: tuple[StepScore, ...]
    measures: tuple[MeasureScore, ...]
    path: tuple[PathPiece, ...]
    milestones: tuple[Milestone, ...]
    idle: float
    outage_start: datetime | None
    estimate: EstimateMade | None

    def worst(self, name: str) -> MeasureScore | None:
        """Return the longest measure of that name; `rpo` stands for all state items."""
        found = [each for each in self.measures if each.name.split(":")[0] == name]
        return max(found, key=lambda each: each.value_s, default=None)

    @property
    def first_service(self) -> MeasureScore | None:
        """Return when the public name answered again, the slowest system for several."""
        return self.worst("first_service")

    @property
    def full_service(self) -> MeasureScore | None:
        """Return the recovery time achieved, the slowest system for several."""
        return self.worst("full_service")


def score(
    facts: tuple[Fact, ...],
    runbooks: tuple[Runbook, ...],
    objectives: Objectives,
    item_goals: Mapping[str, float] | None = None,
) -> Scorecard:
    """Return the scorecard. `item_goals` gives the RPO (seconds) of a state item by its name."""
    estimates = [event for _, event in of_kind(facts, EstimateMade)]
    return Scorecard(
        steps=score_steps(facts, runbooks),
        measures=_measures(facts, objectives, item_goals or {}),
        path=critical_path(facts, runbooks),
        milestones=_milestones(facts),
        idle=idle_share(facts),
        outage_start=_outage_start(facts),
        estimate=estimates[-1] if estimates else None,
    )


def _outage_start(facts: tuple[Fact, ...]) -> datetime | None:
    """Return when the outage began, as it was reported or last corrected."""
    said = [event.outage_start for _, event in of_kind(facts, IncidentReported)]
    said += [event.outage_start for _, event in of_kind(facts, OutageCorrected)]
    return said[-1] if said else None


def score_steps(facts: tuple[Fact, ...], runbooks: tuple[Runbook, ...]) -> tuple[StepScore, ...]:
    """Return every step of every run in the policy's order, also those that did not start."""
    runs = [(event.run, event.system) for _, event in of_kind(facts, RunStarted)]
    runs = runs or [("", runbook.system) for runbook in runbooks]
    by_step = {(span.run, span.step): span for span in step_spans(facts)}
    return tuple(
        _score_step(
            step, run, system, by_step.get((run, step.name)) or by_step.get(("", step.name)), facts
        )
        for run, system in runs
        for runbook in runbooks
        if runbook.system == system
        for step in runbook.steps
    )


def _score_step(
    step: StepSpec, run: str, system: str, span: StepSpan | None, facts: tuple[Fact, ...]
) -> StepScore:
    span = span or StepSpan(run=run, step=step.name)
    actions = tuple(
        each for each in action_spans(facts) if (each.run, each.step) == (span.run, step.name)
    )
    receipts = tuple(
        each.settled.receipt
        for each in notice_spans(facts)
        if each.settled and (each.queued.run, each.queued.step) == (span.run, step.name)
    )
    kept = (digest for each in actions if each.outcome == "done" for digest in each.evidence)
    return StepScore(
        run=run,
        system=system,
        name=step.name,
        title=step.title,
        number=step_number(step.name),
        phase=step.phase,
        expected_s=expected_of(step),
        outcome=span.outcome,
        reason=span.reason,
        by=span.by,
        started_at=span.started_at,
        ended_at=span.ended_at,
        starts=span.starts,
        evidence=tuple(dict.fromkeys(each for each in (*kept, *span.evidence, *receipts) if each)),
        actions=actions,
    )


def _measures(
    facts: tuple[Fact, ...], objectives: Objectives, item_goals: Mapping[str, float]
) -> tuple[MeasureScore, ...]:
    newest = {(event.system, event.name): event for _, event in of_kind(facts, MeasureTaken)}
    return tuple(
        MeasureScore(
            name=event.name,
            system=event.system,
            start=event.start,
            end=event.end,
            goal_s=_goal_of(event.name, objectives, item_goals),
            label=event.label,
            is_bound=event.is_bound,
        )
        for event in newest.values()
    )


def _goal_of(name: str, objectives: Objectives, item_goals: Mapping[str, float]) -> float | None:
    kind, _, item = name.partition(":")
    if kind == "rpo":
        return item_goals.get(item, objectives.rpo_s)
    return objectives.rto_s if name == "full_service" else None


def _milestones(facts: tuple[Fact, ...]) -> tuple[Milestone, ...]:
    found: list[tuple[str, datetime | None]] = []
    for fact, reported in of_kind(facts, IncidentReported):
        found += [("Last seen good", reported.last_good), ("Outage began", _outage_start(facts))]
        found += [("Incident identified", fact.at)]
    asks = ask_spans(facts)
    found += [("Acknowledged", each.ended_at) for each in asks if each.asked.kind == "acknowledge"][
        :1
    ]
    found += [("Impact estimated", fact.at) for fact, _ in of_kind(facts, EstimateMade)][:1]
    found += [("Recovery activated", fact.at) for fact, _ in of_kind(facts, RecoveryActivated)]
    found += _told(facts, "outage", "Users told of the outage")
    found += [
        (title, span.ended_at)
        for name, title in (
            ("restore_data", "Data restored"),
            ("verify_platform", "Platform verified"),
        )
        for span in step_spans(facts)
        if span.step == name and span.outcome == "verified"
    ]
    found += [
        (title, event.end)
        for name, title in (("first_service", "First service"), ("full_service", "Full service"))
        for _, event in of_kind(facts, MeasureTaken)
        if event.name == name
    ]
    found += _told(facts, "recovered", "Users told of the recovery")
    known = [Milestone(name=name, at=at) for name, at in found if at is not None]
    return tuple(sorted(known, key=lambda each: each.at))


def _told(facts: tuple[Fact, ...], kind: str, title: str) -> list[tuple[str, datetime | None]]:
    settled = {
        event.notice: fact.at for fact, event in of_kind(facts, NoticeSettled) if event.accepted
    }
    times = [
        settled[each.queued.notice]
        for each in notice_spans(facts)
        if each.queued.kind == kind and each.queued.notice in settled
    ]
    return [(title, max(times))] if times else []


def idle_share(facts: tuple[Fact, ...]) -> float:
    """Return the share of time, between RecoveryActivated and the end of the last step, that was
    neither inside an action nor waiting for a person. 0.0 when there is no such time."""
    start, end = activation_of(facts), last_step_end(facts)
    if start is None or end is None or end <= start:
        return 0.0
    busy = [(span.started_at, span.ended_at or end) for span in action_spans(facts)]
    busy += [
        (span.opened_at, span.ended_at or end)
        for span in ask_spans(facts)
        if span.asked.kind in HOLDS_BACK
    ]
    idle_s, reached = 0.0, start
    for begun, done in sorted(busy):
        idle_s += max(0.0, (min(begun, end) - reached).total_seconds())
        reached = max(reached, min(done, end))
    idle_s += max(0.0, (end - reached).total_seconds())
    return idle_s / (end - start).total_seconds()
