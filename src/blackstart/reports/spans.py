# SPDX-License-Identifier: Apache-2.0
"""What took from when until when: steps, attempts at actions, questions to people, notices.

Every report starts from these spans. They are read from the facts alone; a span that has not
ended has `ended_at` None, so the same functions serve the live view.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from blackstart.model.events import (
    ActionEnded,
    ActionStarted,
    AskAnswered,
    AskEscalated,
    AskOpened,
    AskWithdrawn,
    Fact,
    NoticeQueued,
    NoticeSettled,
    Sighting,
    StepEnded,
    StepStarted,
)
from blackstart.model.orders import StepFinishedByHand, StepUndone

E = TypeVar("E")
AUTOMATIC = "automatic"
HOLDS_BACK = frozenset({"decision", "gate", "stopped"})  # kinds of ask that the work waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpan:
    """One attempt at an action."""

    run: str
    step: str
    action: str
    key: str
    attempt: int
    started_at: datetime
    ended_at: datetime | None = None
    outcome: str = "started"
    summary: str = ""
    hint: str = ""
    degraded: str = ""
    evidence: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()

    @property
    def reference(self) -> str:
        """Return `step.action`, as the plan names it."""
        return f"{self.step}.{self.action}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpan:
    """A step from its first start to its last end. `by` is set when a person ended it."""

    run: str
    step: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str = "waiting"
    reason: str = ""
    by: str = ""
    starts: int = 0
    evidence: tuple[str, ...] = ()  # that a person gave who did it by hand


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSpan:
    """A question to a person, from opening to answer or withdrawal."""

    asked: AskOpened
    opened_at: datetime
    ended_at: datetime | None = None
    answered: AskAnswered | None = None
    withdrawn: str = ""
    escalated: tuple[str, ...] = ()  # persons that were asked as well because nobody answered

    @property
    def is_open(self) -> bool:
        """Say whether the question still waits for an answer."""
        return self.ended_at is None

    @property
    def is_automatic(self) -> bool:
        """Say whether the answer was given by the machine in place of a person."""
        return self.answered is not None and self.answered.how == AUTOMATIC

    @property
    def persons(self) -> tuple[str, ...]:
        """Return everybody who was asked, in order."""
        return tuple(dict.fromkeys((*self.asked.persons, *self.escalated)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSpan:
    """A message to an audience, from the outbox to the end of its last delivery."""

    queued: NoticeQueued
    queued_at: datetime
    settled: NoticeSettled | None = None
    settled_at: datetime | None = None


def of_kind(facts: tuple[Fact, ...], kind: type[E]) -> Iterator[tuple[Fact, E]]:
    """Yield each fact of the kind together with its event."""
    for fact in facts:
        if isinstance(fact.event, kind):
            yield fact, fact.event


def action_spans(facts: tuple[Fact, ...]) -> tuple[ActionSpan, ...]:
    """Return every attempt at every action, in order of their start."""
    spans: dict[str, ActionSpan] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, ActionStarted) and event.key not in spans:
            spans[event.key] = ActionSpan(
                run=event.run,
                step=event.step,
                action=event.action,
                key=event.key,
                attempt=event.attempt,
                started_at=fact.at,
            )
        elif isinstance(event, ActionEnded) and event.key in spans:
            spans[event.key] = replace(
                spans[event.key],
                ended_at=fact.at,
                outcome=event.outcome,
                summary=event.summary,
                hint=event.hint,
                degraded=event.degraded,
                evidence=event.evidence,
                sightings=event.sightings,
            )
    return tuple(spans.values())


def step_spans(facts: tuple[Fact, ...]) -> tuple[StepSpan, ...]:
    """Return every step that started or ended, in order of its first fact."""
    spans: dict[tuple[str, str], StepSpan] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, StepStarted | StepEnded | StepFinishedByHand | StepUndone):
            before = spans.get((event.run, event.step), StepSpan(run=event.run, step=event.step))
            spans[event.run, event.step] = _after(before, event, fact.at)
    return tuple(spans.values())


def _after(
    before: StepSpan,
    event: StepStarted | StepEnded | StepFinishedByHand | StepUndone,
    at: datetime,
) -> StepSpan:
    """Return the span as it is after the event."""
    begun = replace(before, started_at=before.started_at or at)
    waiting = replace(begun, ended_at=None, reason="", by="", evidence=())
    match event:
        case StepStarted():
            return replace(waiting, outcome="running", starts=before.starts + 1)
        case StepEnded():
            return replace(
                before, ended_at=at, outcome=event.outcome, reason=event.reason, by=event.by
            )
        case StepFinishedByHand():
            return replace(
                begun,
                ended_at=at,
                outcome="verified",
                reason=event.why,
                by=event.by,
                evidence=event.evidence,
            )
        case StepUndone():
            return replace(waiting, outcome="waiting", reason="taken back")


def ask_spans(facts: tuple[Fact, ...]) -> tuple[AskSpan, ...]:
    """Return every question to people, in the order in which they were opened."""
    spans: dict[str, AskSpan] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, AskOpened):
            spans[event.ask] = AskSpan(asked=event, opened_at=fact.at)
        elif isinstance(event, AskEscalated) and event.ask in spans:
            span = spans[event.ask]
            spans[event.ask] = replace(span, escalated=(*span.escalated, event.person))
        elif isinstance(event, AskAnswered) and event.ask in spans:
            spans[event.ask] = replace(spans[event.ask], ended_at=fact.at, answered=event)
        elif isinstance(event, AskWithdrawn) and event.ask in spans:
            spans[event.ask] = replace(spans[event.ask], ended_at=fact.at, withdrawn=event.reason)
    return tuple(spans.values())


def notice_spans(facts: tuple[Fact, ...]) -> tuple[NoticeSpan, ...]:
    """Return every notice, in the order in which they were queued."""
    spans: dict[str, NoticeSpan] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, NoticeQueued):
            spans[event.notice] = NoticeSpan(queued=event, queued_at=fact.at)
        elif isinstance(event, NoticeSettled) and event.notice in spans:
            spans[event.notice] = replace(spans[event.notice], settled=event, settled_at=fact.at)
    return tuple(spans.values())
