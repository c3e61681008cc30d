# SPDX-License-Identifier: Apache-2.0
"""What is possible happens at once; a fault that passes makes nobody forget, refuse or give up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from blackstart.bootstrap import read_incidents
from blackstart.cli.agent import _Drivers
from blackstart.engine.acting import Job, Reins, carry_out
from blackstart.engine.decide import Act, Record, WakeAt, decide, runs_touched
from blackstart.engine.outbox import deliver
from blackstart.engine.runner import drive
from blackstart.engine.taking_back import take_back
from blackstart.engine.telling import Notice
from blackstart.model import events as ev
from blackstart.model import steering
from blackstart.model.errors import BlackstartError, JournalFailed, JournalUnavailable, WorldFailed
from blackstart.model.incident import Incident, advance, fold
from blackstart.model.runbook import ActionSpec, Runbook
from blackstart.model.states import IncidentState, StepState
from blackstart.model.timing import OutageProlonged
from blackstart.ports.action import Context, Outcome
from blackstart.ports.journal import Entry
from blackstart.store.database import Database
from blackstart.store.evidence import FolderEvidence, open_evidence
from blackstart.store.sqlite import SqliteJournal
from blackstart.world.clock import SystemClock
from tests.engine_verbs import AT, VERBS, Touch
from tests.engine_world import (
    ANSWERS,
    INCIDENT,
    World,
    answer_all,
    close_all,
    drive_to_end,
    house_in,
    is_told,
    journal_in,
    make_plan,
    make_runbook,
    make_world,
    report,
)
from tests.mirror_homes import home_at
from tests.paper_driver import Paper, minutes
from tests.simulation.procedure import FIRST_PLAN
from tests.simulation.stories import WHOLE, play_dying_at

NOBODY = ev.MeasureTaken(name="first_service", start=AT, end=AT, system="of another plan")


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


def test_what_a_fact_makes_possible_is_looked_for_in_the_runs_that_it_touches(
    memory_path: Path,
) -> None:
    day = play_dying_at(WHOLE, memory_path / "day")
    plan, runbooks = day.plans[FIRST_PLAN]
    incident = advance(None, day.facts[0])
    stirred: set[str] = set()
    at_rest: tuple[object, ...] = ()
    for fact in day.facts[1:]:
        incident = advance(incident, fact)
        plan, runbooks = day.plans[incident.plan]
        stirred.update(runs_touched(incident, fact.event))
        possible = decide(plan, runbooks, incident, fact.at)
        found = decide(plan, runbooks, incident, fact.at, stirred)
        missed = [one for one in possible if one not in found and one not in at_rest]
        assert not missed, f"after fact {fact.seq}, {type(fact.event).__name__}"
        if not any(isinstance(one, Act | Record | Notice) for one in found):
            at_rest = possible
            stirred.clear()


def test_users_are_told_when_the_last_system_that_was_waited_for_is_left_out() -> None:
    shop, desk = make_runbook(Path("/nowhere")), make_runbook(Path("/nowhere"), "desk")
    later = [
        replace(step, after=("restore_data",)) if step.name == "notify_users" else step
        for step in desk.steps
    ]
    paper = Paper(
        plan=make_plan(Path("/nowhere"), ("shop", "desk")),
        runbooks={"shop": shop, "desk": replace(desk, steps=tuple(later))},
    )
    paper.report()
    paper.drive(AT)
    paper.say(AT, "acknowledge", "acknowledged")
    paper.drive(AT)
    for run in paper.incident.runs:
        key = paper.incident.runs[run].action("assess_impact", "look").key
        paper.record(
            AT,
            ev.ActionEnded(run=run, step="assess_impact", action="look", key=key, outcome="done"),
        )
    paper.drive(AT)
    paper.say(AT, "decision", "rebuild", why="it is gone")
    paper.drive(AT)
    paper.end(AT, "notify_users", "roster")
    paper.drive(AT)
    assert paper.told("outage") == []

    desks = next(run for run in paper.incident.runs.values() if run.started.system == "desk")
    left_out = steering.skip(
        paper.plan, paper.runbooks, paper.incident, desks, "notify_users", by="p1", why="x", now=AT
    )
    stirred: set[str] = set()
    for event in left_out:
        paper.record(AT, event)
        stirred.update(runs_touched(paper.incident, event))
    found = decide(paper.plan, paper.runbooks, paper.incident, AT, stirred)
    assert [one.kind for one in found if isinstance(one, Notice)] == ["outage"]


def test_nobody_is_woken_for_a_moment_that_is_over() -> None:
    plan = make_plan(Path("/nowhere"))  # a rebuild takes 25 s: the outage is prolonged after 15 s
    paper = Paper(plan=replace(plan, policy=replace(plan.policy, prolonged_after_s=40.0)))
    paper.report()
    paper.drive(AT)
    paper.say(AT, "acknowledge", "acknowledged")
    paper.drive(AT)
    paper.end(AT, "assess_impact", "look")
    for past_s in range(60):
        now = AT + minutes(past_s / 60)
        paper.drive(now)
        found = decide(paper.plan, paper.runbooks, paper.incident, now)
        wakes = [one.at for one in found if isinstance(one, WakeAt)]
        assert wakes
        assert min(wakes) > now
    assert len(paper.of(OutageProlonged)) == 2


class _FullOnce(FolderEvidence):
    """Has no room for the first text that speaks of the recovery."""

    is_full = True

    def keep(self, name: str, content: bytes) -> str:
        if self.is_full and b"works again" in content:
            self.is_full = False
            raise WorldFailed("There is no room.", "Make some.")
        return super().keep(name, content)


def test_news_of_something_else_does_not_make_it_forget_what_there_was_no_room_for(
    tmp_path: Path,
) -> None:
    def all_is_told_before(runbook: Runbook) -> Runbook:
        *others, last = runbook.steps
        last = replace(last, after=(*last.after, "notify_users"))
        return replace(runbook, steps=(*others, last))

    world = make_world(tmp_path / "w", change=all_is_told_before)
    journal, people_journal = journal_in(world), journal_in(world)
    report(journal)

    def told(_trouble: BlackstartError) -> None:
        journal.append(INCIDENT, "somebody", [Entry(event=NOBODY)])

    house = replace(
        house_in(world, journal), evidence=_FullOnce(world.root / "evidence"), trouble=told
    )
    stop, over = threading.Event(), threading.Event()
    people = threading.Thread(target=answer_all, args=(world, people_journal, over, ANSWERS))
    limit = threading.Timer(8.0, stop.set)
    people.start()
    limit.start()
    try:
        incident = drive(house, INCIDENT, stop, is_told)
    finally:
        limit.cancel()
        over.set()
        people.join()
    assert "of another plan:first_service" in incident.measures
    assert incident.state is IncidentState.RESTORED


class _Locked(SqliteJournal):
    """A record that takes facts, while progress and addresses are out of reach."""

    def note_progress(
        self, incident: str, subject: str, done: float, total: float, unit: str
    ) -> None:
        raise JournalUnavailable("The record is locked.", "Wait.")

    def address_of(self, person: str, kind: str) -> str | None:
        raise JournalUnavailable("The record is locked.", "Wait.")


@contextmanager
def locked_journal(world: World) -> Iterator[_Locked]:
    clock = SystemClock()
    database = Database(world.root / "journal.db", clock, patience_s=1.0)
    yield _Locked(database, clock)
    database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Touch):
    """Tells how far it is, then leaves its mark."""

    def perform(self, context: Context) -> Outcome:
        context.progress(1.0, 2.0, "marks")
        return super(Slow, self).perform(context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Touch):
    """A provider with a defect."""

    def perform(self, context: Context) -> Outcome:
        raise KeyError(context.key)


def free() -> Reins:
    return Reins(halt=threading.Event(), cancel=threading.Event())


def job_on(world: World, use: str) -> Job:
    return Job(
        incident=INCIDENT,
        run=f"{INCIDENT}.r1",
        system="shop",
        marker="m",
        target=world.plan.systems["shop"].targets["drill"],
        step="create_environment",
        spec=ActionSpec(name="site", use=use, params={"folder": str(world.marks)}),
        attempt=1,
        given={},
    )


def test_an_action_goes_on_while_its_progress_cannot_be_noted(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", {**VERBS, "slow.it": Slow})
    report(journal_in(world))
    with locked_journal(world) as journal:
        house = house_in(world, journal)
        carry_out(house, journal, job_on(world, "slow.it"), free(), is_in_doubt=False)
        ended = journal.read(INCIDENT)[-1].event
    assert isinstance(ended, ev.ActionEnded)
    assert ended.outcome == "done"
    assert len(world.done()) == 1


def test_a_defect_whose_traceback_finds_no_room_takes_no_driver_along(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", {**VERBS, "broken.it": Broken})
    journal = journal_in(world)
    report(journal)
    (tmp_path / "file").touch()
    house = replace(house_in(world, journal), evidence=open_evidence(tmp_path / "file" / "e"))
    carry_out(house, journal, job_on(world, "broken.it"), free(), is_in_doubt=False)
    ended = journal.read(INCIDENT)[-1].event
    assert isinstance(ended, ev.ActionEnded)
    assert ended.outcome == "failed"
    assert "the traceback could not be kept" in ended.hint


def test_a_look_that_is_ended_proves_nothing_whatever_it_says(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    reins = free()
    reins.cancel.set()
    look = replace(job_on(world, "look.it"), spec=ActionSpec(name="look", use="look.it"))
    carry_out(house_in(world, journal), journal, look, reins, is_in_doubt=False)
    ended = journal.read(INCIDENT)[-1].event
    assert isinstance(ended, ev.ActionEnded)
    assert ended.outcome == "failed"


def test_an_address_that_cannot_be_read_now_refuses_no_message(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    drive_to_end(
        world,
        journal,
        is_enough=lambda i: any(n.queued.kind == "outage" for n in i.notices.values()),
    )
    row = next(r for r in journal.deliveries(INCIDENT) if r.person.endswith("u1"))
    waiting = replace(row, state="queued")
    with locked_journal(world) as locked, pytest.raises(JournalUnavailable):
        deliver(house_in(world, locked), locked, waiting, threading.Event())
    now = next(r for r in journal.deliveries(INCIDENT) if r.key == row.key)
    assert (now.state, now.reason) == (row.state, row.reason)


def test_nothing_is_taken_back_by_a_driver_that_has_to_end(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    drive_to_end(
        world,
        journal,
        is_enough=lambda i: any(
            run.step("create_environment").state is StepState.VERIFIED for run in i.runs.values()
        ),
    )
    incident = fold(journal.read(INCIDENT))
    run = next(iter(incident.runs.values()))
    house = house_in(world, journal)
    target = house.plan.systems["shop"].targets["drill"]
    step = house.runbooks["shop"].step("create_environment")
    has_ended = threading.Event()
    has_ended.set()
    take_back(house, journal, incident, run, target, step, has_ended)
    assert len([mark for mark in world.done() if "create_environment" in mark]) == 2
    assert fold(journal.read(INCIDENT)).seq == incident.seq


def test_an_incident_whose_facts_do_not_fit_is_said_and_holds_up_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()
    stop.set()
    with home_at(tmp_path / "home") as home:
        report(home.journal)
        answered = ev.AskAnswered(ask="of nobody", answer="yes", by="p1")
        home.journal.append(INCIDENT, "p1", [Entry(event=answered)])
        sound = fold(home.journal.read(INCIDENT)[:1]).reported
        home.journal.append("another", "watch", [Entry(event=sound)])
        found = dict(read_incidents(home))
        _Drivers(home=home, stop=stop)._drive(INCIDENT)
    assert isinstance(found[INCIDENT], JournalFailed)
    assert isinstance(found["another"], Incident)
    assert "Blackstart itself broke: KeyError: 'of nobody'." in capsys.readouterr().err
