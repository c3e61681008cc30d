# SPDX-License-Identifier: Apache-2.0
"""A step is taken back together with all that stands on it: the last first, and done again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.model import commands
from blackstart.model.orders import StepUndone
from blackstart.model.states import StepState
from blackstart.ports.journal import Journal
from tests.engine_people import is_asked, state_of, stopped, undo
from tests.engine_world import (
    World,
    close_all,
    drive_to_end,
    give,
    journal_in,
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


def test_a_step_is_taken_back_with_all_that_stands_on_it_and_done_again(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    asked = undo(world, journal, "create_environment", and_later=True)
    assert [step for _, step in asked.undoing] == ["restore_data", "create_environment"]
    taken = drive_to_end(
        world, journal, says={}, is_enough=lambda i: bool(i.paused) and not i.undoing
    )
    order = [
        fact.event.step for fact in journal.read(taken.id) if isinstance(fact.event, StepUndone)
    ]
    assert order == ["restore_data", "create_environment"]
    assert world.done() == {}
    assert not [ask for ask in taken.open_asks() if ask.opened.kind == "stopped"]
    (world.root / "not-ready").unlink()
    give(world, journal, lambda known, state: commands.resume(known.plan, state, by="p1", why=""))
    ended = drive_to_end(world, journal)
    assert state_of(ended, "restore_data") is StepState.VERIFIED
    assert len(world.done()) == 4


def test_what_stands_on_a_step_waits_when_it_cannot_be_taken_back(
    world: World, journal: Journal
) -> None:
    stopped(world, journal)
    undo(world, journal, "create_environment", and_later=True)
    (world.root / "cannot-undo").touch()
    held = drive_to_end(world, journal, says={}, is_enough=is_asked("undo"))
    assert state_of(held, "create_environment") is StepState.VERIFIED
    (world.root / "cannot-undo").unlink()
    again = undo(world, journal, "restore_data")
    assert len(again.undoing) == 2
    taken = drive_to_end(
        world,
        journal,
        says={},
        is_enough=lambda i: state_of(i, "create_environment") is StepState.WAITING,
    )
    assert state_of(taken, "restore_data") is StepState.WAITING
