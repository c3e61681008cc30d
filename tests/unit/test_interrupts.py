# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C ends a prompt, a set-up and a wait at once, with one sentence, and cleans up.

A stand-in for the drill runs at a terminal of its own (pty), where Ctrl-C is typed.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMIT_S = 20.0
# What `blackstart drill` does around its stage, with little in place of the stage itself.
DRILL = """
import sys
from pathlib import Path
import click
from blackstart import cli
from blackstart.bootstrap import open_home
from blackstart.cli.drill import passing_run
from blackstart.cli.follow import Followed, follow
from blackstart.cli.signals import ending_plainly
from blackstart.cli.typed import TypedLines
from blackstart.world import process

def wait(interrupts, home):
    with interrupts.polled() as stop:
        print("ready", flush=True)
        follow(Followed(home=home), answer=lambda *_: None, is_alive=lambda: True,
               show=lambda: None, limit_s=60.0, stop=stop)

def ask(interrupts, home):
    with interrupts.polled() as stop:
        print("ready", flush=True)
        print("taken:", TypedLines(stop).ask("Your answer", ["go", "no-go"]), flush=True)

def set_up(interrupts, home):
    print("ready", flush=True)
    process.run(["sleep", "60"], timeout_s=60)

@click.command()
@click.argument("cache", type=Path)
@click.argument("what")
def drill(cache, what):
    with ending_plainly() as interrupts, passing_run(cache) as layout:
        globals()[what](interrupts, open_home(layout.root / "home"))

cli.main(drill)
"""


class Terminal:
    """The stand-in at a terminal of its own, and all that it said."""

    def __init__(self, cache: Path, what: str) -> None:
        self.ours, theirs = pty.openpty()
        self.said = ""
        self.child = subprocess.Popen(
            ["setsid", "--ctty", "--wait", sys.executable, "-c", DRILL, str(cache), what],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def type(self, key: bytes) -> None:
        os.write(self.ours, key)

    def read_until(self, words: str) -> None:
        """Read until it says so; with no words until it has ended."""
        deadline = time.monotonic() + LIMIT_S
        while not words or words not in self.said:
            left_s = max(0.0, deadline - time.monotonic())
            assert select.select([self.ours], [], [], left_s)[0], f"never {words!r}: {self.said}"
            try:
                self.said += os.read(self.ours, 4096).decode()
            except OSError:  # the other end is closed
                assert not words, f"it ended before {words!r}: {self.said}"
                return


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert not [path for path in (tmp_path / "run").iterdir() if path.is_dir()]


@pytest.mark.parametrize("what", ["set_up", "ask", "wait"])
def test_ctrl_c_ends_it_at_once_with_one_sentence_and_cleans_up(cache: Path, what: str) -> None:
    terminal = Terminal(cache, what)
    try:
        terminal.read_until("ready")
        if what == "ask":
            terminal.read_until("Your answer")
        began = time.monotonic()
        terminal.type(b"\x03")
        terminal.read_until("")
        assert terminal.child.wait(LIMIT_S) == 130
        assert time.monotonic() - began < 5.0
    finally:
        terminal.child.kill()
        terminal.child.wait()
        os.close(terminal.ours)
    assert terminal.said.count("Interrupted") == 1
    assert "Nothing of this drill is left running." in terminal.said
    assert "cleaned up" in terminal.said
    assert "Traceback" not in terminal.said


def test_an_answer_is_asked_for_until_it_is_one_of_the_choices(cache: Path) -> None:
    terminal = Terminal(cache, "ask")
    try:
        terminal.read_until("(go, no-go; the first letters do): ")
        terminal.type(b"perhaps\n")
        terminal.read_until("'perhaps' is none of them.")
        terminal.type(b"go\n")
        terminal.read_until("taken: go")
        terminal.read_until("")
        assert terminal.child.wait(LIMIT_S) == 0
    finally:
        terminal.child.kill()
        terminal.child.wait()
        os.close(terminal.ours)


def test_the_end_of_the_input_is_an_interruption(cache: Path) -> None:
    terminal = Terminal(cache, "ask")
    try:
        terminal.read_until("(go, no-go; the first letters do): ")
        terminal.type(b"\x04")
        terminal.read_until("")
        assert terminal.child.wait(LIMIT_S) == 130
    finally:
        terminal.child.kill()
        terminal.child.wait()
        os.close(terminal.ours)
