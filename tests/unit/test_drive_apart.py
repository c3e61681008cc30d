# SPDX-License-Identifier: Apache-2.0
"""The driver where it is not simple: several systems, work by hand, news, doubt, two drivers."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from blackstart.engine.runner import drive
from blackstart.engine.telling import notices
from blackstart.model.asks import Answer, answer
from blackstart.model.errors import Refused
from blackstart.model.incident import Incident, fold
from blackstart.model.runbook import MANUAL, ActionSpec, NoticeSpec, Runbook, StepSpec
from blackstart.model.states import IncidentState, StepState
from blackstart.ports.action import Context, Outcome
from tests.engine_people import at_gate
from tests.engine_verbs import VERBS, Touch
from tests.engine_world import (
    ANSWERS,
    INCIDENT,
    close_all,
    drive_to_end,
    give,
    house_in,
    is_told,
    journal_in,
    known_in,
    make_world,
    report,
)

TAKEN_ON = {"acknowledge": "acknowledged"}
ACTIVE = {"acknowledge": "acknowledged", "decision": "rebuild"}


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


def test_two_systems_have_a_run_each_and_users_hear_of_the_outage_once(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", systems=("shop", "desk"))
    journal = journal_in(world)
    report(journal, ("shop", "desk"))
    incident = drive_to_end(world, journal)
    assert {r.started.system: r.outcome for r in incident.runs.values()} == {
        "shop": "recovered",
        "desk": "recovered",
    }
    assert len(world.done()) == 8
    assert set(world.done().values()) == {1}
    outages = [n for n in incident.notices.values() if n.queued.kind == "outage"]
    assert [n.queued.recipients for n in outages] == [2]  # two people, known to both systems
    letters = [text for path in world.letters.iterdir() for text in path.read_text().splitlines()]
    assert sorted(t for t in letters if "are unavailable" in t) == [
        "ada|[DRILL] shop and desk are unavailable",
        "ben|[DRILL] shop and desk are unavailable",
    ]
    again = sorted(t for t in letters if "is available again" in t)
    assert again == sorted(
        f"{who}|[DRILL] {system} is available again"
        for who in ("ada", "ben")
        for system in ("shop", "desk")
    )


def by_hand(runbook: Runbook) -> Runbook:
    """Replace what creates the site by a person's work, and let a person look at what it gave."""
    manual = ActionSpec(
        name="site",
        use=MANUAL,
        params={"text": "Order a host.", "outputs": ["value"], "evidence": True},
        expected_s=1200,
    )
    look = ActionSpec(
        name="look", use=MANUAL, params={"text": "Look at ${create_environment.value}."}
    )

    def changed(step: StepSpec) -> StepSpec:
        if step.name == "create_environment":
            return replace(step, do=(manual,), owner="devops")
        return replace(step, do=(*step.do, look)) if step.name == "restore_data" else step

    return replace(runbook, steps=tuple(changed(step) for step in runbook.steps))


def test_work_by_hand_is_asked_of_its_owner_and_gives_what_follows_needs(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", change=by_hand)
    journal = journal_in(world)
    report(journal)
    asked = drive_to_end(
        world,
        journal,
        says=ACTIVE,
        is_enough=lambda i: (
            any(ask.opened.kind == "manual" for ask in i.open_asks())
            and all(notice.settled for notice in i.notices.values())
        ),
    )
    ask = next(ask for ask in asked.open_asks() if ask.opened.kind == "manual")
    assert (ask.opened.role, ask.persons, ask.opened.outputs) == (
        "team:devops",
        ("p4",),
        ("value",),
    )
    for given, what in (
        (Answer(text="done", by="p4"), "needs value"),
        (Answer(text="done", by="p4", outputs={"value": "h1"}), "without evidence"),
        (Answer(text="done", by="p3", outputs={"value": "h1"}), "may not answer"),
    ):
        with pytest.raises(Refused, match=what):
            answer(known_in(world), fold(journal.read(INCIDENT)), ask.opened.ask, given)
    shown = Answer(text="done", by="p4", outputs={"value": "h1"}, evidence=("e" * 64,))
    give(world, journal, lambda known, i: answer(known, i, ask.opened.ask, shown))
    ended = drive_to_end(world, journal, says={**ANSWERS, "manual": "done"})
    database = next(mark for mark in world.marks.iterdir() if "database" in mark.name)
    assert database.read_text() == "h1\n"
    looked = next(ask for name, ask in ended.asks.items() if ":look:" in name)
    assert looked.opened.text == "DRILL: Look at h1."


def test_work_by_hand_that_fails_stops_and_is_asked_again_on_retry(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", change=by_hand)
    journal = journal_in(world)
    report(journal)
    stopped = drive_to_end(
        world,
        journal,
        says={**ACTIVE, "manual": "failed"},
        is_enough=lambda i: any(ask.opened.kind == "stopped" for ask in i.open_asks()),
    )
    run = next(iter(stopped.runs.values()))
    assert run.step("create_environment").state is StepState.FAILED
    again = drive_to_end(
        world,
        journal,
        says={"stopped": "retry"},
        is_enough=lambda i: any(ask.opened.kind == "manual" for ask in i.open_asks()),
    )
    names = [name for name in again.asks if name.startswith("manual:")]
    assert [name.rpartition(":")[2] for name in names] == ["1", "2"]


def test_users_hear_again_when_they_were_promised_to(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    incident = at_gate(world, journal)
    told_at = next(n.queued_at for n in incident.notices.values() if n.queued.kind == "outage")
    soon = told_at + timedelta(seconds=world.plan.policy.cadence_s)

    def news(at: datetime) -> list[str]:
        due = notices(world.plan, world.runbooks, incident, at, incident.runs.values())
        return [notice.name for notice in due if notice.kind == "update"]

    assert news(soon - timedelta(seconds=1)) == []
    assert news(soon) == ["update/1/users/affected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(Touch):
    """An action that cannot be interrupted and takes until it is let go."""

    outputs: ClassVar = {"value": "what was given"}

    def perform(self, context: Context) -> Outcome:
        """Wait for the folder's `go`, then leave the mark."""
        entered.set()
        let_go.wait(10)
        return Touch.perform(self, context)


entered, let_go = threading.Event(), threading.Event()


def test_the_claim_is_given_back_only_when_nothing_of_ours_runs(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", {**VERBS, "touch.it": Slow})
    journal = journal_in(world)
    report(journal)
    entered.clear()
    let_go.clear()
    stop = threading.Event()
    drive_to_end(world, journal, says=TAKEN_ON, is_enough=lambda i: "decision" in i.asks)
    give(
        world,
        journal,
        lambda k, i: answer(k, i, "decision", Answer(text="rebuild", by="p1")),
    )
    own = journal_in(world)
    first = threading.Thread(
        target=drive, args=(house_in(world, own, "first"), INCIDENT, stop, is_told)
    )
    first.start()
    assert entered.wait(10)
    stop.set()
    assert journal.claim(INCIDENT, "second", 5.0) is None
    let_go.set()
    first.join(10)
    assert journal.claim(INCIDENT, "second", 5.0) is not None
    journal.release(INCIDENT, "second")
    drive_to_end(world, journal)
    assert set(world.done().values()) == {1}


def test_a_driver_whose_claim_was_taken_meanwhile_stops(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    seen: list[Incident] = []

    def take_it_away(incident: Incident) -> bool:
        if not seen:
            seen.append(incident)
            journal.release(INCIDENT, "test")
            assert journal.claim(INCIDENT, "other", 5.0) is not None
            journal.release(INCIDENT, "other")
        return False

    with pytest.raises(Refused, match=r"took over|driven by another"):
        drive_to_end(world, journal, says={}, is_enough=take_it_away)
    assert fold(journal.read(INCIDENT)).state is IncidentState.REPORTED


def failing_roll(runbook: Runbook) -> Runbook:
    """Let telling users have a look that fails before the roster, one after it, one that waits."""
    fails = str(Path("/"))  # a path that exists

    def changed(step: StepSpec) -> StepSpec:
        if step.name != "notify_users":
            return step
        bad = ActionSpec(name="bad", use="look.it", params={"fails_while": fails})
        good = ActionSpec(name="good", use="look.it")
        cut = ActionSpec(name="cut", use="look.it", after=("notify_users.bad",))
        last = ActionSpec(name="last", use="look.it", after=("notify_users.cut",))
        return replace(step, do=(bad, *step.do, good, cut, last))

    return replace(runbook, steps=tuple(changed(step) for step in runbook.steps))


def test_telling_goes_on_where_one_of_its_actions_fails(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", change=failing_roll)
    journal = journal_in(world)
    report(journal)
    ended = drive_to_end(world, journal)
    step = next(iter(ended.runs.values())).step("notify_users")
    assert step.state is StepState.DEGRADED
    assert "it does not answer" in step.reason
    assert {name for name, action in step.actions.items() if action.state == "done"} == {
        "roster",
        "good",
    }
    assert not {"cut", "last"} & set(step.actions)
    outage = next(n for n in ended.notices.values() if n.queued.kind == "outage")
    assert outage.settled is not None
    assert outage.settled.accepted == 2


def test_users_are_told_by_the_name_of_a_role_or_a_team_as_the_plan_writes_it(
    tmp_path: Path,
) -> None:
    def changed(step: StepSpec) -> StepSpec:
        told = tuple(
            NoticeSpec(kind="outage", channel="users", audience=audience)
            for audience in ("ceo", "devops")
        )
        return replace(step, notices=told) if step.name == "notify_users" else step

    world = make_world(
        tmp_path / "w",
        change=lambda runbook: replace(runbook, steps=tuple(map(changed, runbook.steps))),
    )
    journal = journal_in(world)
    report(journal)
    drive_to_end(world, journal)
    letters = [text for path in world.letters.iterdir() for text in path.read_text().splitlines()]
    told = sorted(text.partition("|")[0] for text in letters if "is unavailable" in text)
    assert told == ["p3", "p4"]


def test_the_claim_of_a_process_that_is_dead_for_certain_is_taken_at_once(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    before = journal.claim(INCIDENT, "dead", 3600)
    assert before is not None
    house, stop = house_in(world, journal), threading.Event()
    stop.set()
    with pytest.raises(Refused, match="Another process drives"):
        drive(replace(house, is_gone=lambda holder: holder == "another"), INCIDENT, stop)
    drive(replace(house, is_gone=lambda holder: holder == "dead"), INCIDENT, stop)
    after = journal.claim(INCIDENT, "next", 1)
    assert after is not None
    assert after > before + 1
