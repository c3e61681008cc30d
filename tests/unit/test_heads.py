# SPDX-License-Identifier: Apache-2.0
"""Heads of the record stand in messages to our own people, and show an end that was cut off."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from blackstart.cli.journal import verify
from blackstart.engine.runner import drive
from blackstart.model.errors import Refused, WorldFailed
from blackstart.model.heads import Head, fault_of, head_of, heads_in
from blackstart.store.sqlite import open_journal
from tests.engine_world import (
    INCIDENT,
    close_all,
    drive_to_end,
    house_in,
    journal_in,
    make_world,
    report,
)
from tests.journals import SetClock, entries, tampering

DIGESTS = ("", "a" * 64, "b" * 64)


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


@pytest.mark.parametrize(
    "text",
    [
        "Record: i-1.x fact 2 = bbbbbbbbbbbbbbbb",
        "> On Monday you wrote:\n> Record: i-1.x fact\n> 2 = bbbbbbbbbbbbbbbb\nBest, Ada",
        "i-1.x  fact 2\n = bbbbbbbbbbbbbbbb and again i-1.x fact 2 = bbbbbbbbbbbbbbbb",
    ],
)
def test_a_head_is_found_in_what_people_paste(text: str) -> None:
    assert heads_in(text) == (head_of("i-1.x", 2, "b" * 64),)


def test_a_text_without_one_has_none() -> None:
    assert heads_in("fact 2 = bbbb; the record is gone") == ()


@pytest.mark.parametrize(
    ("head", "end", "told"),
    [
        (Head("c", 2, "b" * 16), 2, "^$"),
        (Head("c", 1, "a" * 16), 2, "^$"),
        (Head("c", 2, "b" * 16), 1, "^Facts 2 to 2 of 'c' are gone"),
        (Head("c", 2, "b" * 16), 0, "^The record of 'c' is gone"),
        (Head("c", 2, "a" * 16), 2, "^Fact 2 of 'c' is not the one"),
        (Head("c", 0, "a" * 16), 2, "^Fact 0 of 'c' is not the one"),
    ],
)
def test_a_head_is_judged(head: Head, end: int, told: str) -> None:
    assert re.match(told, fault_of(head, end, lambda seq: DIGESTS[seq]))


def test_our_own_people_are_given_the_head_and_users_are_not(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    incident = drive_to_end(world, journal)
    facts = journal.read(incident.id)
    told: dict[str, list[tuple[Head, ...]]] = {}
    for delivery in journal.deliveries(incident.id):
        told.setdefault(delivery.channel, []).append(heads_in(delivery.message.body))
    assert {channel for channel, heads in told.items() if all(heads)} == {"incident", "staff"}
    assert not any(
        heads for channel in told.keys() - {"incident", "staff"} for heads in told[channel]
    )
    for heads in (*told["incident"], *told["staff"]):
        (head,) = heads
        assert fault_of(head, len(facts), lambda seq: facts[seq - 1].digest) == ""


def test_a_message_to_our_own_people_says_that_mirrors_fail(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    house = replace(house_in(world, journal), say_mirrors=lambda: "1 of 2 mirrors fail.")
    drive(house, INCIDENT, threading.Event(), lambda incident: bool(incident.notices))
    bodies = [delivery.message.body for delivery in journal.deliveries(INCIDENT)]
    assert bodies
    assert all(body.endswith("\n1 of 2 mirrors fail.") for body in bodies)


def _home_with(tmp_path: Path, count: int) -> str:
    journal = open_journal(tmp_path / "journal.db", SetClock())
    facts = journal.append("i1", "p1", entries(count))
    journal.close()
    return f"Record: {head_of('i1', count, facts[-1].digest)}"


def test_verify_finds_by_a_message_what_was_cut_with_care(tmp_path: Path) -> None:
    head = _home_with(tmp_path, 12)
    arguments = ["--home", str(tmp_path), "--head", head]
    sound = CliRunner().invoke(verify, arguments, catch_exceptions=False)
    assert head in sound.output
    assert "Every chain is whole." in sound.output
    with tampering(tmp_path / "journal.db") as forger:
        forger.execute("DELETE FROM facts WHERE position & 0xFFFFFFFF > 9")
        digest = "SELECT digest FROM facts ORDER BY position DESC LIMIT 1"
        forger.execute(f"UPDATE chains SET seq = 9, digest = ({digest})")
    assert CliRunner().invoke(verify, arguments[:2]).exit_code == 0  # sound in itself
    result = CliRunner().invoke(verify, arguments)
    assert isinstance(result.exception, WorldFailed)
    assert "Facts 10 to 12 of 'i1' are gone" in result.output


def test_verify_refuses_a_text_without_a_head(tmp_path: Path) -> None:
    _home_with(tmp_path, 1)
    result = CliRunner().invoke(verify, ["--home", str(tmp_path), "--head", "hello"])
    assert isinstance(result.exception, Refused)


def test_a_head_of_another_record_is_told_apart(tmp_path: Path) -> None:
    _home_with(tmp_path, 3)
    journal = open_journal(tmp_path / "other.db", SetClock())
    (fact,) = journal.append("i1", "p2", entries(1))
    result = CliRunner().invoke(
        verify, ["--home", str(tmp_path), "--head", "-"], input=str(head_of("i1", 1, fact.digest))
    )
    assert "Fact 1 of 'i1' is not the one" in result.output
