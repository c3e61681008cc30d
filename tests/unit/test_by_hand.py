# SPDX-License-Identifier: Apache-2.0
"""People steer: done by hand, skipped, taken back, paused, handed over, waived; and refusals."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from blackstart.model import commands, steering
from blackstart.model.asks import Answer
from blackstart.model.errors import NotAuthorised, Refused
from blackstart.model.events import Sighting
from blackstart.model.incident import fold
from blackstart.model.orders import StepFinishedByHand
from blackstart.model.states import IncidentState, StepState
from blackstart.ports.journal import Entry, Journal
from blackstart.reports.postmortem import draft_postmortem
from blackstart.reports.scorecard import score_steps
from tests.engine_people import (
    TAKEN_ON,
    at_gate,
    correct,
    finish,
    is_asked,
    skip,
    state_of,
    stopped,
    undo,
    waive,
)
from tests.engine_world import (
    ANSWERS,
    INCIDENT,
    World,
    close_all,
    drive_to_end,
    give,
    journal_in,
    known_in,
    make_world,
    report,
)


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "w")


@pytest.fixture
def journal(world: World) -> Journal:
    opened = journal_in(world)
    report(opened)
    return opened


def test_a_failed_step_is_finished_by_hand_and_the_rest_goes_on(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    with pytest.raises(Refused, match="without evidence"):
        finish(world, journal, "restore_data", evidence=())
    with pytest.raises(NotAuthorised):
        finish(world, journal, "restore_data", by="p4")
    incident = finish(world, journal, "restore_data")
    assert state_of(incident, "restore_data") is StepState.VERIFIED
    assert not [ask for ask in incident.open_asks() if ask.opened.kind == "stopped"]
    ended = drive_to_end(world, journal)
    assert ended.runs[next(iter(ended.runs))].outcome == "recovered"


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("yesterday", "no moment with its zone"),
        ("2026-01-31T03:14:15", "no moment with its zone"),
        ("2999-01-31T03:14:15Z", "and it is"),
    ],
)
def test_a_moment_that_no_measure_could_be_taken_from_is_refused(
    world: World, journal: Journal, given: str, what: str
) -> None:
    stopped(world, journal)
    with pytest.raises(Refused, match=what):
        finish(world, journal, "restore_data", outputs={"recovered_to": given})
    incident = finish(
        world, journal, "restore_data", outputs={"recovered_to": "2026-01-31T04:14:15+01:00"}
    )
    assert state_of(incident, "restore_data") is StepState.VERIFIED


def test_a_record_with_a_moment_that_nobody_can_read_is_driven_on(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    state = fold(journal.read(INCIDENT))
    by_hand = StepFinishedByHand(
        run=next(iter(state.runs)),
        step="restore_data",
        by="p1",
        why="typed in by an older release",
        outputs={"recovered_to": "yesterday"},
        evidence=("e" * 64,),
    )
    journal.append(INCIDENT, "p1", [Entry(event=by_hand)])
    ended = drive_to_end(world, journal)
    assert ended.state is IncidentState.RESTORED
    assert "shop:first_service" in ended.measures
    told = next(n for n in ended.notices.values() if n.queued.kind == "restored")
    body = (world.root / "evidence" / told.queued.body[:2] / told.queued.body).read_text()
    assert "Full service was not measured (goal " in body


def test_what_was_finished_by_hand_counts_as_done_in_the_post_mortem(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    finish(world, journal, "restore_data")
    drive_to_end(world, journal)
    facts, runbooks = journal.read(INCIDENT), world.runbooks
    step = next(
        one for one in score_steps(facts, tuple(runbooks.values())) if one.name == "restore_data"
    )
    assert (step.outcome, step.by) == ("verified", "p1")
    assert "e" * 64 in step.evidence
    draft = draft_postmortem(facts, runbooks, world.plan)
    assert "was lost, and recovered" in draft
    assert "The recovery stopped" not in draft


def test_what_later_steps_need_must_be_given(world: World, journal: Journal) -> None:
    drive_to_end(world, journal, says=TAKEN_ON, is_enough=is_asked("decision"))
    give(
        world,
        journal,
        lambda known, state: (
            *commands.activate(known, state, Answer(text="rebuild", by="p1")),
            *commands.pause(known.plan, state, by="p1", why="by hand"),
        ),
    )
    with pytest.raises(Refused, match="Later steps need from 'create_environment': value"):
        finish(world, journal, "create_environment")
    with pytest.raises(Refused, match="comes after create_environment"):
        finish(world, journal, "restore_data")
    incident = finish(world, journal, "create_environment", outputs={"value": "site-9"})
    assert steering.run_of(incident).outputs()["create_environment"] == {"value": "site-9"}
    give(
        world,
        journal,
        lambda known, state: commands.resume(known.plan, state, by="p1", why=""),
    )
    drive_to_end(world, journal)
    database = next(mark for mark in world.marks.iterdir() if "database" in mark.name)
    assert database.read_text() == "site-9\n"
    assert not [mark for mark in world.marks.iterdir() if "create_environment" in mark.name]


def test_nothing_begins_while_paused_and_everything_after(world: World, journal: Journal) -> None:
    drive_to_end(world, journal, says=TAKEN_ON, is_enough=is_asked("decision"))
    give(
        world,
        journal,
        lambda known, state: (
            *commands.activate(known, state, Answer(text="rebuild", by="p1")),
            *commands.pause(known.plan, state, by="p1", why="wait for the vendor"),
        ),
    )
    held = drive_to_end(
        world, journal, is_enough=lambda i: all(n.settled for n in i.notices.values())
    )
    assert not any(
        s.started_at
        for n, s in held.runs[next(iter(held.runs))].steps.items()
        if n != "assess_impact"
    )
    assert world.done() == {}
    with pytest.raises(NotAuthorised):
        give(
            world,
            journal,
            lambda known, state: commands.resume(known.plan, state, by="p4", why=""),
        )
    give(world, journal, lambda known, state: commands.resume(known.plan, state, by="p2", why=""))
    assert len(drive_to_end(world, journal).measures) > 0
    assert len(world.done()) == 4


def test_a_step_that_keeps_a_hard_rule_is_left_out_only_when_two_people_waive_it(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    with pytest.raises(Refused, match="keeps a hard rule"):
        skip(world, journal, "restore_data")
    with pytest.raises(Refused, match="two people"):
        waive(world, journal, second="p1")
    with pytest.raises(Refused, match="Give a later end"):
        waive(world, journal, for_h=-1)
    waive(world, journal)
    with pytest.raises(NotAuthorised):
        skip(world, journal, "restore_data", by="p4")
    skip(world, journal, "restore_data")
    asked = drive_to_end(world, journal, says={}, is_enough=is_asked("gate"))
    gate = next(ask for ask in asked.open_asks() if ask.opened.kind == "gate")
    assert "NOT all is verified (restore_data skipped)" in gate.opened.text
    ended = drive_to_end(world, journal)
    assert ended.runs[next(iter(ended.runs))].outcome == "recovered_degraded"
    told = next(n for n in ended.notices.values() if n.queued.kind == "recovered")
    body = (world.root / "evidence" / told.queued.body[:2] / told.queued.body).read_text()
    assert "checked-before-start" in body
    assert "the vendor checked it" in body


@pytest.mark.parametrize("step", ["create_environment", "update_dns"])
def test_what_would_make_the_announcement_untrue_is_never_left_out(
    world: World, journal: Journal, step: str
) -> None:
    at_gate(world, journal)
    with pytest.raises(Refused, match="cannot be left out"):
        skip(world, journal, step)


def test_a_gate_that_is_held_stays_closed_until_somebody_says_go(
    world: World, journal: Journal
) -> None:
    at_gate(world, journal)
    held = Answer(text="hold", by="p1", why="customers are at work")
    give(
        world,
        journal,
        lambda known, state: commands.decide_gate(known, state, "update_dns", held, ""),
    )
    again = drive_to_end(world, journal, says={}, is_enough=is_asked("gate"))
    gate = next(ask for ask in again.open_asks() if ask.opened.kind == "gate")
    assert gate.opened.text.startswith("DRILL: Held back by P1: customers are at work.")
    assert gate.due_at is None
    assert state_of(again, "update_dns") is StepState.WAITING
    assert state_of(drive_to_end(world, journal), "update_dns") is StepState.VERIFIED


def test_a_step_is_taken_back_and_can_be_done_again(world: World, journal: Journal) -> None:
    at_gate(world, journal)
    with pytest.raises(Refused, match="restore_data stands on 'create_environment'"):
        undo(world, journal, "create_environment")
    undo(world, journal, "restore_data")
    taken = drive_to_end(
        world,
        journal,
        says={},
        is_enough=lambda i: state_of(i, "restore_data") is StepState.WAITING,
    )
    assert taken.paused is not None
    assert not [name for name in world.done() if "restore_data" in name]
    assert [name for name in world.done() if "create_environment" in name]
    give(world, journal, lambda known, state: commands.resume(known.plan, state, by="p1", why=""))
    ended = drive_to_end(world, journal)
    assert state_of(ended, "restore_data") is StepState.VERIFIED
    assert sum("restore_data" in name for name in world.done()) == 2
    assert set(world.done().values()) == {1}


def test_a_role_is_handed_over_and_open_questions_go_with_it(
    world: World, journal: Journal
) -> None:
    at_gate(world, journal)
    go = Answer(text="go", by="p4")
    with pytest.raises(NotAuthorised):
        give(
            world,
            journal,
            lambda known, state: commands.decide_gate(known, state, "update_dns", go, ""),
        )
    incident = give(
        world,
        journal,
        lambda known, state: commands.hand_over(
            known.plan, state, "incident_commander", "p4", by="p1", card=""
        ),
    )
    gate = next(ask for ask in incident.open_asks() if ask.opened.kind == "gate")
    assert gate.persons == ("p1", "p4")
    give(
        world,
        journal,
        lambda known, state: commands.decide_gate(known, state, "update_dns", go, ""),
    )
    ended = drive_to_end(world, journal, says={})
    signoff = ended.asks["signoff"]
    assert signoff.persons == ("p4",)


def test_another_option_is_chosen_for_now_and_the_decision_comes_again(
    world: World, journal: Journal
) -> None:
    drive_to_end(world, journal, says=TAKEN_ON, is_enough=is_asked("decision"))
    made = commands.Estimate(
        option="wait", expected_s=7200, data_lost="none", reversible="always", why="vendor says"
    )
    give(world, journal, lambda known, state: commands.estimate(known.plan, state, made, by="p4"))
    wait = Answer(text="wait", by="p1", why="the vendor says two hours")
    give(world, journal, lambda known, state: commands.activate(known, state, wait))
    again = drive_to_end(
        world,
        journal,
        says={},
        is_enough=lambda i: "decision:2" in i.asks and all(n.settled for n in i.notices.values()),
    )
    assert again.state is IncidentState.ACKNOWLEDGED
    ask = again.asks["decision:2"]
    assert "So far you chose: wait" in ask.opened.text
    option = next(one for one in ask.opened.options if one.name == "wait")
    assert (option.expected_s, option.data_lost, option.reversible) == (7200, "none", "always")
    assert ask.due_at is not None
    assert drive_to_end(world, journal, says=ANSWERS).state is IncidentState.RESTORED


def test_the_start_of_the_outage_is_corrected_with_a_reason(world: World, journal: Journal) -> None:
    drive_to_end(world, journal)
    earlier = known_in(world).now - timedelta(days=400)
    with pytest.raises(Refused, match="without a reason"):
        correct(world, journal, earlier, "")
    correct(world, journal, earlier, "the vendor's log")
    ended = drive_to_end(
        world,
        journal,
        is_enough=lambda i: i.measures["shop:first_service"].start == earlier,
    )
    assert ended.reported.outage_start != earlier


def test_people_tell_ask_and_assess(world: World, journal: Journal) -> None:
    drive_to_end(world, journal, says=TAKEN_ON, is_enough=is_asked("decision"))
    give(
        world,
        journal,
        lambda known, state: commands.tell(
            known.plan, state, "We found it.", by="p4", channel="incident", audience="everyone"
        ),
    )
    with pytest.raises(Refused, match="no channel 'fax'"):
        give(
            world,
            journal,
            lambda known, state: commands.tell(
                known.plan, state, "x", by="p4", channel="fax", audience="everyone"
            ),
        )
    give(
        world,
        journal,
        lambda known, state: commands.question(
            known.plan, state, known.now, "devops", "Is the disk full?", by="p1", within_s=60
        ),
    )
    seen = Sighting(subject="disk", condition="lost", seen="full")
    give(
        world,
        journal,
        lambda known, state: commands.assess(known.plan, state, "Disk full.", (seen,), by="p4"),
    )
    told = drive_to_end(
        world,
        journal,
        says={},
        is_enough=lambda i: (
            any(n.queued.kind == "situation" for n in i.notices.values())
            and all(n.settled for n in i.notices.values())
        ),
    )
    assert "question:2:devops" in told.asks
    assert any(one.subject == "disk" for one in told.sightings())
    posted = [letter for letter in world.letters.iterdir() if "news of" in letter.read_text()]
    assert len(posted) == 1
