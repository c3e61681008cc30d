# SPDX-License-Identifier: Apache-2.0
"""A host that is killed while it writes, or stopped and woken: what comes back, who is refused."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.model.errors import Superseded
from tests.journals import attempts_of
from tests.mirror_homes import bring_back, home_at
from tests.s3_server import ACCESS, SECRET, s3_server

ROOT = Path(__file__).parents[2]
GOAL_S = 5.0  # of facts that may be lost


@contextlib.contextmanager
def writer(home: Path, *places: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "MIRROR_ACCESS": ACCESS, "MIRROR_SECRET": SECRET}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.mirrored_writer", str(home), *places],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def lines_of(started: subprocess.Popen[str], count: int) -> list[str]:
    assert started.stdout is not None
    return [started.stdout.readline() for _ in range(count)]


def written_until_killed(started: subprocess.Popen[str], for_s: float) -> list[tuple[int, float]]:
    """Let it write for a while and kill it; return what it had acknowledged, with the times."""
    lines = lines_of(started, 1)
    until = float(lines[0].split()[1]) + for_s
    while float(lines[-1].split()[1]) < until:
        lines += lines_of(started, 1)
    started.send_signal(signal.SIGKILL)
    assert started.stdout is not None
    lines += [line for line in started.stdout if line.endswith("\n")]
    return [(int(number), float(at)) for number, at in map(str.split, lines)]


def lost_s(acknowledged: list[tuple[int, float]], came_back: int) -> float:
    """Seconds of acknowledged facts that are missing."""
    missing = [at for number, at in acknowledged if number > came_back]
    return acknowledged[-1][1] - missing[0] if missing else 0.0


@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_a_host_killed_while_it_writes_loses_no_more_than_the_goal(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRROR_ACCESS", ACCESS)
    monkeypatch.setenv("MIRROR_SECRET", SECRET)
    with contextlib.ExitStack() as stack:
        if kind == "folder":
            (tmp_path / "mirror").mkdir()
            place = f"dir:{tmp_path / 'mirror'}"
        else:
            server = stack.enter_context(s3_server(tmp_path / "s3"))
            place = (
                f"s3://mirrors/blackstart?endpoint={server.endpoint}"
                "&access_key=secret:env/MIRROR_ACCESS&secret_key=secret:env/MIRROR_SECRET"
            )
        started = stack.enter_context(writer(tmp_path / "old", place))
        acknowledged = written_until_killed(started, 2.0)
        came = bring_back(place, tmp_path / "new", key=None, accept_loss=False)
        with home_at(tmp_path / "new") as new:
            back = attempts_of(new.journal, "i1")
            assert back == list(range(1, len(back) + 1))
            assert new.journal.verify() == ()
        assert lost_s(acknowledged, len(back)) <= GOAL_S
        assert (came.took_over_at - came.whole_at).total_seconds() >= lost_s(
            acknowledged, len(back)
        )


def test_a_host_that_was_stopped_and_wakes_after_it_was_replaced_writes_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "mirror").mkdir()
    place = f"dir:{tmp_path / 'mirror'}"
    with writer(tmp_path / "old", place) as started:
        lines_of(started, 50)
        os.kill(started.pid, signal.SIGSTOP)
        stopped_at = time.monotonic()
        bring_back(place, tmp_path / "new", key=None, accept_loss=False)
        with home_at(tmp_path / "old") as old:
            before = len(old.journal.read("i1"))
        while time.monotonic() - stopped_at < 5.5:  # its last answer from a mirror is stale then
            os.sched_yield()
        os.kill(started.pid, signal.SIGCONT)
        out, _ = started.communicate(timeout=60)
    assert started.returncode == Superseded.exit_code
    assert out.splitlines()[-2].startswith("Superseded: This installation (generation 1) was")
    with home_at(tmp_path / "old") as old:
        assert len(old.journal.read("i1")) - before <= 1  # the one that was under way
