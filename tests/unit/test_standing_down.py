# SPDX-License-Identifier: Apache-2.0
"""Standing down: all that was done is taken back, before the point of no return and only then."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.model import commands, steering
from blackstart.model.asks import Answer
from blackstart.model.errors import Refused
from blackstart.model.events import StepEnded
from blackstart.model.incident import fold
from blackstart.model.orders import StepUndone
from blackstart.model.states import ActionState, StepState
from blackstart.model.views import ActionView, StepView
from blackstart.ports.journal import Journal
from tests.engine_people import (
    at_gate,
    finish,
    is_asked,
    skip,
    stand_down,
    state_of,
    stopped,
    waive,
)
from tests.engine_world import (
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


def test_standing_down_before_users_are_let_in_takes_everything_back_and_tells_them(
    world: World, journal: Journal
) -> None:
    at_gate(world, journal)
    assert len(world.done()) == 4
    stand_down(world, journal)
    ended = drive_to_end(
        world,
        journal,
        says={},
        is_enough=lambda i: "signoff" in i.asks and all(n.settled for n in i.notices.values()),
    )
    assert world.done() == {}
    assert {run.outcome for run in ended.runs.values()} == {"stood_down"}
    kinds = [n.queued.kind for n in ended.notices.values()]
    assert "stood_down" in kinds
    over = next(n for n in ended.notices.values() if n.queued.kind == "over")
    assert over.settled is not None
    assert over.settled.accepted == 2


def test_what_a_step_did_before_it_was_left_out_is_taken_back_too(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    assert [name for name in world.done() if "restore_data" in name]
    waive(world, journal)
    skip(world, journal, "restore_data")
    at_gate(world, journal)
    stand_down(world, journal)
    drive_to_end(world, journal, says={}, is_enough=lambda i: "signoff" in i.asks)
    assert world.done() == {}


def test_nothing_is_begun_again_in_an_incident_that_was_stood_down(
    world: World, journal: Journal
) -> None:
    incident = stopped(world, journal)
    waive(world, journal)
    stand_down(world, journal)
    with pytest.raises(Refused, match="The incident is stood_down"):
        skip(world, journal, "restore_data")
    with pytest.raises(Refused, match="The incident is stood_down"):
        give(
            world,
            journal,
            lambda known, state: steering.retry(
                known.plan,
                known.runbooks,
                state,
                steering.run_of(state),
                "restore_data",
                by="p1",
            ),
        )
    assert state_of(incident, "restore_data") is StepState.FAILED


def test_what_was_done_by_hand_is_named_when_its_step_is_taken_back(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    finish(world, journal, "restore_data")
    at_gate(world, journal)
    stand_down(world, journal)
    drive_to_end(world, journal, says={}, is_enough=lambda i: "signoff" in i.asks)
    undone = [f.event for f in journal.read(INCIDENT) if isinstance(f.event, StepUndone)]
    kept = {event.step: event.kept for event in undone}
    assert kept["restore_data"] == ("what was done by hand",)
    assert kept["create_environment"] == ()


def test_a_move_of_traffic_that_nobody_saw_end_counts_as_made(
    world: World, journal: Journal
) -> None:
    incident = at_gate(world, journal)
    run = steering.run_of(incident)
    assert steering.passed_no_return(incident) == ""
    run.steps["update_dns"] = StepView(
        state=StepState.FAILED,
        actions={"move": ActionView(state=ActionState.FAILED, in_doubt=True)},
    )
    assert steering.passed_no_return(incident) == "shop"
    run.steps["update_dns"].actions["move"].in_doubt = False
    assert steering.passed_no_return(incident) == ""


def test_what_cannot_be_taken_back_is_asked_about_and_tried_again(
    world: World, journal: Journal
) -> None:
    at_gate(world, journal)
    (world.root / "cannot-undo").touch()
    stand_down(world, journal)
    asked = drive_to_end(world, journal, says={}, is_enough=is_asked("undo"))
    ask = next(ask for ask in asked.open_asks() if ask.opened.kind == "undo")
    assert "it is held" in ask.opened.text
    assert "let it go" in ask.opened.facts
    (world.root / "cannot-undo").unlink()
    drive_to_end(world, journal, says={"undo": "retry"}, is_enough=lambda i: "signoff" in i.asks)
    assert world.done() == {}


def test_standing_down_after_users_were_let_in_is_refused(world: World, journal: Journal) -> None:
    drive_to_end(world, journal)
    facts = journal.read(INCIDENT)
    moved = next(
        fact.seq
        for fact in facts
        if isinstance(fact.event, StepEnded) and fact.event.step == "update_dns"
    )
    incident = fold(fact for fact in facts if fact.seq <= moved)
    assert state_of(incident, "update_dns") is StepState.VERIFIED
    with pytest.raises(Refused, match="past the point of no return"):
        commands.stand_down(known_in(world), incident, Answer(text="stand-down", by="p1"))
    with pytest.raises(Refused, match="past the point of no return"):
        steering.undo(
            world.plan,
            world.runbooks,
            incident,
            steering.run_of(incident),
            "update_dns",
            by="p1",
            why="back",
        )
