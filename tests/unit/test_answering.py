# SPDX-License-Identifier: Apache-2.0
"""Each question says what to type, whole: who reads it at night must not have to look it up."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.model.answering import commands_for
from blackstart.model.incident import Incident
from tests.engine_people import TAKEN_ON, at_gate, is_asked, stopped
from tests.engine_world import (
    INCIDENT,
    World,
    close_all,
    drive_to_end,
    journal_in,
    make_world,
    report,
)
from tests.unit.test_drive_apart import ACTIVE, by_hand


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "w")


def said(incident: Incident, kind: str) -> tuple[str, ...]:
    ask = next(ask for ask in incident.open_asks() if ask.opened.kind == kind)
    return commands_for(incident, ask)


def test_what_steers_the_incident_has_a_command_of_its_own(world: World) -> None:
    journal = journal_in(world)
    report(journal)
    asked = drive_to_end(world, journal, says={}, is_enough=is_asked("acknowledge"))
    assert said(asked, "acknowledge") == (f"blackstart acknowledge {INCIDENT} --as YOU",)
    asked = drive_to_end(world, journal, says=TAKEN_ON, is_enough=is_asked("decision"))
    assert said(asked, "decision")[0] == f"blackstart activate {INCIDENT} --why REASON --as YOU"
    team = said(asked, "question")
    assert team == (f"blackstart answer {INCIDENT} question:devops TEXT --as YOU",)


def test_a_gate_and_a_stop_name_the_step(world: World) -> None:
    journal = journal_in(world)
    report(journal)
    at_gate(world, journal)
    asked = drive_to_end(world, journal, says={}, is_enough=is_asked("gate"))
    assert said(asked, "gate") == (
        f"blackstart approve {INCIDENT} update_dns --as YOU",
        f"blackstart reject {INCIDENT} update_dns --why REASON --as YOU",
    )


def test_a_stop_says_how_to_try_again_and_how_to_finish_by_hand(world: World) -> None:
    journal = journal_in(world)
    report(journal)
    stop = said(stopped(world, journal), "stopped")
    assert stop[0] == f"blackstart step retry {INCIDENT} restore_data --as YOU"
    assert stop[1].startswith(f"blackstart step done {INCIDENT} restore_data --evidence FILE")


def test_work_by_hand_names_what_it_has_to_give_and_its_system(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", systems=("shop", "desk"), change=by_hand)
    journal = journal_in(world)
    report(journal, ("shop", "desk"))
    asked = drive_to_end(world, journal, says=ACTIVE, is_enough=is_asked("manual"))
    done, failed = said(asked, "manual")
    assert done == (
        f"blackstart step done {INCIDENT} create_environment --system shop "
        "--output value=VALUE --evidence FILE --as YOU"
    )
    assert failed.endswith("failed --why REASON --as YOU")
