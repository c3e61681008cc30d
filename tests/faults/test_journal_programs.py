# SPDX-License-Identifier: Apache-2.0
"""The SQLite journal written by several programs at once, killed ones, and ones on a full disk."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.model.errors import JournalFailed
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock
from tests.journals import attempts_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@contextlib.contextmanager
def writer(path: Path, chain: str, count: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start a writing program in a process of its own; it is ready, and waits to be let go."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.journal_writer", str(path), chain, str(count), *more],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            assert started.stdout is not None
            assert started.stdout.readline() == "ready\n"
            yield started
        finally:
            started.kill()


def let_go(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("go\n")
    started.stdin.flush()


def rest_of(started: subprocess.Popen[str]) -> list[int]:
    assert started.stdout is not None
    return [int(line) for line in started.stdout.read().splitlines()]


def test_programs_that_append_at_once_lose_nothing_and_keep_one_chain(path: Path) -> None:
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(writer(path, "i1", 60)) for _ in range(3)]
        for each in writers:
            let_go(each)
        acknowledged = sorted(seq for each in writers for seq in rest_of(each))
        assert [each.wait(timeout=60) for each in writers] == [0, 0, 0]
    journal = open_journal(path, SystemClock())
    facts = journal.read("i1")
    assert acknowledged == [fact.seq for fact in facts] == list(range(1, 181))
    assert sorted(fact.at for fact in facts) == [fact.at for fact in facts]
    assert sorted(attempts_of(journal, "i1")) == sorted(list(range(1, 61)) * 3)
    assert journal.verify() == ()
    journal.close()


def test_programs_that_read_before_they_append_never_overrun_each_other(path: Path) -> None:
    with writer(path, "i1", 30, "own") as one, writer(path, "i1", 30, "own") as two:
        let_go(one)
        let_go(two)
        acknowledged = sorted(rest_of(one) + rest_of(two))
    journal = open_journal(path, SystemClock())
    assert acknowledged == list(range(1, 61))
    assert attempts_of(journal, "i1") == acknowledged  # each was written on what it had read
    assert journal.verify() == ()
    journal.close()


def test_a_program_killed_in_the_middle_has_every_acknowledged_fact_on_record(path: Path) -> None:
    acknowledged = 0
    for wanted in (1, 40, 90):
        with writer(path, "i1", 100_000) as started:
            let_go(started)
            assert started.stdout is not None
            seen = [int(started.stdout.readline()) for _ in range(wanted)]
            os.kill(started.pid, signal.SIGKILL)
            acknowledged = ([*seen, *map(int, started.stdout.read().split())])[-1]
            assert started.wait(timeout=60) == -signal.SIGKILL
        journal = open_journal(path, SystemClock())
        facts = journal.read("i1")
        assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
        assert acknowledged <= len(facts) <= acknowledged + 1
        assert journal.verify() == ()
        journal.close()


def test_a_write_that_the_kernel_cuts_short_is_said_and_undone(path: Path) -> None:
    open_journal(path, SystemClock()).close()
    with writer(path, "i1", 10_000) as started:
        limit = "--fsize=200000:200000"
        subprocess.run(["prlimit", "--pid", str(started.pid), limit], check=True)
        let_go(started)
        out, _ = started.communicate(timeout=60)
    *acknowledged, what, hint = out.splitlines()
    assert started.returncode == JournalFailed.exit_code
    assert what.startswith("JournalUnavailable: The record at")
    assert hint.startswith("  → ")
    journal = open_journal(path, SystemClock())
    assert [fact.seq for fact in journal.read("i1")] == [int(line) for line in acknowledged]
    assert journal.verify() == ()
    journal.close()


@pytest.mark.platform
def test_a_full_disk_is_said_and_work_goes_on_when_there_is_space_again(tmp_path: Path) -> None:
    script = (
        'mount -t tmpfs -o size=300k none "$1" && "$2" -m tests.faults.journal_writer '
        '"$1/journal.db" i1 5000 < "$3"; code=$?; mount -o remount,size=8m none "$1"; '
        '"$2" -m tests.faults.journal_writer "$1/journal.db" i1 3 < "$3"; exit $code'
    )
    place, go = tmp_path / "disk", tmp_path / "go"
    place.mkdir()
    go.write_text("go\n")
    argv = ["unshare", "-m", "sh", "-c", script, "sh", str(place), sys.executable, str(go)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == JournalFailed.exit_code, done.stderr
    before, _, after = done.stdout.partition("JournalUnavailable: ")
    acknowledged = [int(line) for line in before.split()[1:]]
    assert "the disk" in after
    assert [int(word) for word in after.split("ready\n")[1].split()] == [
        acknowledged[-1] + number for number in (1, 2, 3)
    ]
