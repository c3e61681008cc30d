# SPDX-License-Identifier: Apache-2.0
"""A runner that dies by kill -9 in the middle of command.run takes the command with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from blackstart.ports.action import Partial, Unknown
from blackstart.providers.command import Run
from blackstart.world.clock import wait_until
from blackstart.world.process import started_ticks
from tests.provider_stage import Stage

COMMAND = """
import os, pathlib, sys, threading
beside = pathlib.Path(sys.argv[1] + ".new")
beside.write_text(str(os.getpid()))
beside.rename(sys.argv[1])
threading.Event().wait()
"""
RUNNER = """
import sys
from tests.provider_stage import Stage
from tests.faults.test_command_death import running
running(sys.argv[1]).perform(Stage().context())
"""


def running(folder: str, *, repeatable: bool = False) -> Run:
    return Run(
        argv=(sys.executable, "-c", COMMAND, f"{folder}/pid"),
        traces=f"{folder}/traces",
        repeatable=repeatable,
    )


def test_the_command_dies_with_its_runner_and_is_not_repeated_blindly(tmp_path: Path) -> None:
    root, folder = Path(__file__).parents[2], str(tmp_path)
    with subprocess.Popen([sys.executable, "-c", RUNNER, folder], cwd=root) as runner:
        assert wait_until((tmp_path / "pid").exists, timeout_s=20)
        pid = int((tmp_path / "pid").read_text())
        assert started_ticks(pid) is not None
        runner.send_signal(signal.SIGKILL)
        assert runner.wait(timeout=10) == -signal.SIGKILL
    assert wait_until(lambda: started_ticks(pid) is None, timeout_s=10)
    context = Stage().context()
    assert isinstance(running(folder).inspect(context), Unknown)
    assert isinstance(running(folder, repeatable=True).inspect(context), Partial)
