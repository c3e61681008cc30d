# SPDX-License-Identifier: Apache-2.0
"""A runner that dies by kill -9 in the middle of command.run takes the command with it.

What the command itself had started may live on: nothing is repeated while it does.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from blackstart.ports.action import Partial, Running, Unknown
from blackstart.providers.command import Run
from blackstart.world.clock import wait_until
from blackstart.world.process import end, started_ticks
from tests.provider_stage import Stage

COMMAND = """
import os, pathlib, sys, threading
beside = pathlib.Path(sys.argv[1] + ".new")
beside.write_text(str(os.getpid()))
beside.rename(sys.argv[1])
threading.Event().wait()
"""
ALONE = (sys.executable, "-c", COMMAND)
WITH_A_CHILD = ("sh", "-c", f'"{sys.executable}" -c "$0" "$1"; true', COMMAND)
RUNNER = """
import sys
from tests.provider_stage import Stage
from tests.faults import test_command_death as ours
ours.running(sys.argv[1], getattr(ours, sys.argv[2])).perform(Stage().context())
"""


def running(folder: str, argv: tuple[str, ...] = ALONE, *, repeatable: bool = False) -> Run:
    return Run(argv=(*argv, f"{folder}/pid"), traces=f"{folder}/traces", repeatable=repeatable)


def killed_in_its_middle(folder: Path, command: str) -> int:
    """Kill the runner while the command runs; return the pid that the command told."""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", RUNNER, str(folder), command], cwd=root) as runner:
        assert wait_until((folder / "pid").exists, timeout_s=20)
        runner.send_signal(signal.SIGKILL)
        assert runner.wait(timeout=10) == -signal.SIGKILL
    return int((folder / "pid").read_text())


def test_the_command_dies_with_its_runner_and_is_not_repeated_blindly(tmp_path: Path) -> None:
    pid = killed_in_its_middle(tmp_path, "ALONE")
    assert wait_until(lambda: started_ticks(pid) is None, timeout_s=10)
    context = Stage().context()
    found = running(str(tmp_path)).inspect(context)
    assert isinstance(found, Unknown)
    assert found.for_good
    assert isinstance(running(str(tmp_path), repeatable=True).inspect(context), Partial)


def test_what_the_command_had_started_is_waited_for_before_anything_is_repeated(
    tmp_path: Path,
) -> None:
    pid = killed_in_its_middle(tmp_path, "WITH_A_CHILD")
    ticks = started_ticks(pid)
    assert ticks is not None
    action, context = running(str(tmp_path), WITH_A_CHILD, repeatable=True), Stage().context()
    found = action.inspect(context)
    assert isinstance(found, Running)
    assert str(pid) in found.note
    end(pid, ticks, grace_s=0)
    assert isinstance(action.inspect(context), Partial)
