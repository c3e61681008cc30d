# SPDX-License-Identifier: Apache-2.0
"""A person at the terminal answers what stands before their eyes, and is asked again after a stop.

The questions are asked at a terminal of their own (pty), where keys are pressed too early.
"""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from blackstart.bootstrap import Home
from blackstart.bootstrap.mirrors import Mirrors
from blackstart.cli.follow import END, Followed, ask_at_terminal, follow, is_over
from blackstart.cli.incident import meant
from blackstart.cli.live import LiveView
from blackstart.cli.typed import fitting
from blackstart.model.asks import Answer, answer
from blackstart.model.errors import Refused
from blackstart.model.incident import AskView, Incident, fold
from blackstart.store.evidence import open_evidence
from blackstart.store.secretbox import open_secret_box
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock
from tests.engine_world import (
    World,
    close_all,
    drive_to_end,
    give,
    house_in,
    make_world,
    report,
)
from tests.sample_facts import half_done
from tests.unit.test_live import snapshot

LIMIT_S = 20.0
ASKING = """
import select, sys, threading
from blackstart.cli.typed import TypedLines
typed = TypedLines(threading.Event())
print("working", flush=True)
select.select([sys.stdin], [], [])
for question in ("First", "Second"):
    typed.forget()
    print(question, "taken:", typed.ask(question, ["go", "hold", "stand-down"]), flush=True)
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield make_world(tmp_path / "w")
    close_all()


def read_until(terminal: int, words: str, said: str = "") -> str:
    deadline = time.monotonic() + LIMIT_S
    while words not in said:
        left_s = max(0.0, deadline - time.monotonic())
        assert select.select([terminal], [], [], left_s)[0], f"never {words!r}: {said}"
        said += os.read(terminal, 4096).decode()
    return said


def test_keys_pressed_before_a_question_is_shown_do_not_answer_it() -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen([sys.executable, "-c", ASKING], stdin=theirs, stdout=theirs)
    os.close(theirs)
    try:
        said = read_until(ours, "working")
        os.write(ours, b"hold\nhold\nhol")  # unseen: two whole answers and a begun one
        said = read_until(ours, "First (go, hold, stand-down", said)
        os.write(ours, b"GO\nstand-down\n")  # the second line comes before the second question
        said = read_until(ours, "First taken: go", said)
        said = read_until(ours, "Second (go", said)
        os.write(ours, b"s\n")
        said = read_until(ours, "Second taken: stand-down", said)
        assert "taken: hold" not in said
        assert child.wait(LIMIT_S) == 0
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def test_the_first_letters_say_it_when_they_fit_one_only() -> None:
    kinds = ("rebuild", "repair", "stand-down")
    assert fitting("Stand", kinds) == ("stand-down",)
    assert fitting("REBUILD ", kinds) == ("rebuild",)
    assert fitting("re", kinds) == ("rebuild", "repair")
    assert fitting("go", ("go", "go-on")) == ("go",)
    assert fitting("x", kinds) == ()
    assert fitting("", kinds) == ()
    assert fitting("", ("acknowledged",)) == ("acknowledged",)


def test_an_answer_on_the_command_line_may_be_short_too() -> None:
    incident = fold(half_done(41.0))
    team = next(name for name, ask in incident.asks.items() if ask.opened.kind == "question")
    assert meant(incident, "decision", "St") == "stand-down"
    assert (
        meant(incident, "decision", "perhaps") == "perhaps"
    )  # refused by the rules, with the options
    assert meant(incident, team, "All of it") == "All of it"


def test_after_a_question_the_view_wipes_no_line_above_it() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, height=40, force_terminal=True)
    with LiveView(console, lambda: snapshot(41.0)) as view:
        view.refresh()
        view.refresh()
        assert "\x1b[1A" in out.getvalue()  # what it drew itself, it draws over
        with view.pausing():
            pass
        before = len(out.getvalue())
        view.refresh()
        assert "\x1b[1A" not in out.getvalue()[before:]


def followed_in(world: World) -> Followed:
    journal = open_journal(world.root / "journal.db", SystemClock())
    home = Home(
        folder=world.root,
        journal=journal,
        evidence=open_evidence(world.root / "evidence"),
        secrets=open_secret_box(world.root),
        clock=SystemClock(),
        mirrors=Mirrors(world.root, journal, SystemClock(), lambda ref: ref.name),
    )
    return Followed(home=home, house=house_in(world, home.journal))


def test_after_a_retry_that_fails_again_the_person_is_asked_again(world: World) -> None:
    (world.root / "not-ready").touch()
    followed = followed_in(world)
    journal = followed.home.journal
    report(journal)
    answers = iter(("skip", "retry", "retry", END))
    asked: list[str] = []
    told: list[str] = []

    def prompt(ask: AskView) -> tuple[str, str]:
        asked.append(ask.opened.ask)
        return next(answers), "test"

    def say(_followed: Followed, ask: AskView, text: str, why: str, how: str) -> None:
        if text == "skip":
            raise Refused("What follows needs it.", "Give it.")
        said = Answer(text=text, by="p1", why=why, how=how)
        name = ask.opened.ask
        give(world, journal, lambda known, state: answer(known, state, name, said))

    def stands_still(incident: Incident) -> bool:
        return is_over(world.plan, world.runbooks, incident, SystemClock().now())

    def drive_on() -> bool:
        drive_to_end(world, journal, is_enough=stands_still)
        return True

    drive_on()
    follow(
        followed,
        answer=ask_at_terminal(prompt, told.append, say),
        is_alive=drive_on,
        show=lambda: None,
        limit_s=LIMIT_S,
        stop=threading.Event(),
    )
    assert [name.rpartition(":")[2] for name in asked] == ["1", "1", "2", "3"]
    assert told == ["What follows needs it.\n  → Give it."]
    assert next(answers, None) is None
