# SPDX-License-Identifier: Apache-2.0
"""What holds of every day, however it went: judged by the world's own counts and the bare facts.

Nothing here asks the engine or the fold what happened, but for the one check that the fold tells
the same from the whole record as piece by piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.incident import fold
from blackstart.model.runbook import Phase, StepSpec
from blackstart.store.sqlite import open_journal
from tests.simulation.day import INCIDENT, Day

_ASKABLE = {"incident": "Board", "staff": "Chat"}
_ENDED_WELL = ("verified", "degraded", "skipped")
_SOON_S = 2.0
_TOLD_WITHIN_S = 14_400.0  # the longest that a day lets nobody drive, and more
_ASKED_OFTEN = 20  # a channel that could not say by then stays uncertain


def faults_of(day: Day) -> list[str]:
    """Return everything that is wrong with a day that has ended, one sentence each."""
    return [
        *day.world.faults,
        *day.desk.faults,
        *_faults_of_record(day),
        *_faults_of_order(day),
        *_faults_of_deliveries(day),
        *_faults_of_end(day),
        *_faults_of_timers(day),
        *_faults_of_asking(day),
    ]


def _faults_of_record(day: Day) -> Iterator[str]:
    journal = open_journal(day.desk.path, day.stage)
    try:
        yield from journal.verify()
        facts = journal.read(INCIDENT)
    finally:
        journal.close()
    if fold(facts) != day.incident:
        yield "the fold over the whole record differs from that piece by piece"
    if [fact.seq for fact in facts] != list(range(1, len(facts) + 1)):
        yield "facts are missing"


class _Reading:
    """The bare facts, read in their order: what each step and the whole stand at."""

    def __init__(self, day: Day) -> None:
        self.steps: dict[tuple[str, str], str] = {}
        self.specs: dict[tuple[str, str], StepSpec] = {}
        self.went: set[str] = set()  # gates that somebody opened
        self.state = ""
        self.is_paused = False
        self.partial: set[str] = set()
        for run, system in ((run, system) for system, run in day.world.runs.items()):
            for step in day.plans["0" * 64][1][system].steps:
                self.specs[run, step.name] = step

    def take(self, event: ev.Event) -> None:
        """Take one fact in."""
        match event:
            case ev.RecoveryActivated() | ev.StoodDown() | ev.IncidentClosed():
                self.state = type(event).__name__
            case orders.IncidentPaused() | orders.IncidentResumed():
                self.is_paused = isinstance(event, orders.IncidentPaused)
            case ev.AskAnswered(ask=ask, answer="go") if ask.startswith("gate:"):
                self.went.add(ask.removeprefix("gate:").partition("#")[0])
            case ev.ActionInspected(run=run, step=step, action=action, finding="partial"):
                self.partial.add(f"{run}/{step}/{action}")
            case _:
                self._take_step(event)

    def _take_step(self, event: ev.Event) -> None:
        match event:
            case ev.StepStarted(run=run, step=step):
                self.steps[run, step] = "running"
            case ev.StepEnded(run=run, step=step, outcome=outcome):
                self.steps[run, step] = outcome
            case orders.StepFinishedByHand(run=run, step=step):
                self.steps[run, step] = "verified"
            case orders.StepUndone(run=run, step=step):
                self.steps[run, step] = "waiting"
            case _:
                return

    def faults_of_start(self, event: ev.ActionStarted) -> Iterator[str]:
        """Yield why this attempt may not begin here."""
        spec = self.specs[event.run, event.step]
        what = f"{event.key} begins"
        if self.steps.get((event.run, event.step)) != "running":
            yield f"{what} while its step is {self.steps.get((event.run, event.step))}"
        late = [name for name in spec.after if self.steps.get((event.run, name)) not in _ENDED_WELL]
        if late:
            yield f"{what} before {', '.join(late)} ended well"
        if spec.gate and f"{event.run}:{event.step}" not in self.went:
            yield f"{what} while its gate is closed"
        place = f"{event.run}/{event.step}/{event.action}"
        if self.is_paused and place not in self.partial:
            yield f"{what} while everything is paused"
        if spec.phase is Phase.RECOVERY and self.state != "RecoveryActivated":
            yield f"{what} after {self.state or 'the report only'}"
        self.partial.discard(place)


def _faults_of_order(day: Day) -> Iterator[str]:
    reading = _Reading(day)
    for fact in day.facts:
        if isinstance(fact.event, ev.ActionStarted):
            yield from reading.faults_of_start(fact.event)
        if isinstance(fact.event, ev.IncidentClosed):
            yield from _faults_of_closing(day, fact)
        reading.take(fact.event)


def _faults_of_closing(day: Day, closed: ev.Fact) -> Iterator[str]:
    kinds = {type(fact.event) for fact in day.facts if fact.seq < closed.seq}
    if ev.PostmortemDrafted not in kinds:
        yield "it is closed without a post-mortem"
    waived = any(
        isinstance(fact.event, orders.RuleWaived) and fact.event.rule == "protected-before-close"
        for fact in day.facts
    )
    restored = day.incident.restored_at
    if restored and not waived and not any(at > restored for at in day.crowd.proven_at):
        yield "it is closed before the new environment is protected"


def _faults_of_deliveries(day: Day) -> Iterator[str]:
    rows = day.rows
    for name, notice in day.incident.notices.items():
        if notice.settled is None:
            yield f"{name} has no end"
    uncertain = 0
    for row in rows:
        kind = _ASKABLE.get(row.channel, "Mail")
        count = day.world.letters[kind, row.key]
        what = f"{row.notice} to {row.person or 'all'} over {row.channel}"
        if row.state == "uncertain" and kind == "Mail":
            uncertain += 1
        elif row.state == "uncertain" and day.world.tries[f"lookup {row.key}"] >= _ASKED_OFTEN:
            continue
        elif (row.state, count) not in (("accepted", 1), ("refused", 0)):
            yield f"{what} ended {row.state}, and {count} were delivered"
    at_risk = day.world.lost_replies + len(day.in_flight)
    if uncertain > at_risk:
        yield f"{uncertain} letters are uncertain, only {at_risk} could be"


def _faults_of_end(day: Day) -> Iterator[str]:
    """Yield where the world and the record differ once everything is over."""
    stands = dict(day.world.live)
    for run in day.incident.runs.values():
        for step, view in run.steps.items():
            for name, action in view.actions.items():
                place = f"{run.started.run}/{step}/{name}"
                key = stands.pop(place, None)
                if action.state == "done" and key != action.key and _is_done_by_verb(day, place):
                    yield f"{action.key} is recorded as done, and {key} stands there"
                if (
                    action.state == "waiting"
                    and key
                    and f"{run.started.run}/{step}" not in day.crowd.left
                ):
                    yield f"{key} stands, and the record has taken it back"
        if not run.outcome:
            yield f"{run.started.run} has no end"
    yield from (f"{key} stands, and the record does not know it" for key in stands.values())
    if day.world.going or any(count > 1 for count in day.world.effects.values()):
        yield "something still goes on, or was done twice"


def _is_done_by_verb(day: Day, place: str) -> bool:
    run, step, action = place.split("/")
    system = next(system for system, of in day.world.runs.items() if of == run)
    specs = day.plans["0" * 64][1][system].step(step).do
    return any(spec.name == action and spec.use == "do.it" for spec in specs)


def _faults_of_timers(day: Day) -> Iterator[str]:
    """Yield escalations that came too early, twice, or late without a reason."""
    seen: Counter[tuple[str, object]] = Counter()
    due: dict[str, object] = {}
    for fact in day.facts:
        match fact.event:
            case ev.AskOpened(ask=ask, due_at=due_at):
                due[ask] = due_at
            case ev.AskEscalated(ask=ask, was_due_at=was, due_at=due_at) if fact.actor != "people":
                if fact.at < was:
                    yield f"{ask} is escalated at {fact.at}, before it is due at {was}"
                if due.get(ask) != was:
                    yield f"{ask} is escalated for {was}, and was due at {due.get(ask)}"
                seen[ask, was] += 1
                awake_s = day.desk.awake_since(day.stage.at_s(fact.at))
                late_s = day.stage.at_s(fact.at) - max(awake_s, day.stage.at_s(was))
                if late_s > _SOON_S:
                    yield f"{ask} is escalated {late_s:.1f} s late, with a driver there"
                due[ask] = due_at
            case _:
                continue
    yield from (f"{ask} is escalated twice for {was}" for (ask, was), n in seen.items() if n > 1)


def _faults_of_asking(day: Day) -> Iterator[str]:
    """Yield questions of which nobody was told while they were open."""
    told: dict[str, int] = {}
    for fact in day.facts:
        if isinstance(fact.event, ev.NoticeQueued) and fact.event.kind == "asked":
            told[fact.event.notice] = fact.seq
    for name, ask in day.incident.asks.items():
        lasted_s = ((ask.ended_at or day.stage.now()) - ask.opened_at).total_seconds()
        first = next((fact.seq for fact in day.facts if _opens(fact, name)), 0)
        person = ask.opened.persons[0] if ask.opened.persons else ""
        is_told = told.get(f"asked/{name}/staff/person:{person}", 0) > first
        if person and not is_told and lasted_s > _TOLD_WITHIN_S:
            yield f"{person} is never told of {name}"


def _opens(fact: ev.Fact, ask: str) -> bool:
    return isinstance(fact.event, ev.AskOpened) and fact.event.ask == ask
