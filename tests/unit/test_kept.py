# SPDX-License-Identifier: Apache-2.0
"""What a drill keeps running is started again after its death, as the units in packaging/ say."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from blackstart.cli.kept import AGENT_AGAIN_S, MOST_ENDS, WATCH_AGAIN_S, keep_running
from blackstart.world.clock import wait_until

PACKAGING = Path(__file__).parents[2] / "packaging"


def test_a_killed_program_is_started_again_and_ended_for_good(tmp_path: Path) -> None:
    kept = keep_running(["sleep", "100"], tmp_path / "log", 0.05)
    first = kept.pid
    assert kept.look()
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: kept.look() and kept.pid != first and kept.is_alive, timeout_s=10)
    assert kept.ends == 1
    kept.end(grace_s=0)
    assert not kept.is_alive


def test_one_that_ends_again_and_again_is_given_up(tmp_path: Path) -> None:
    kept = keep_running(["false"], tmp_path / "log", 0.0)
    assert wait_until(lambda: not kept.look(), timeout_s=20, every_s=0.01)
    assert kept.ends == MOST_ENDS


def test_the_pauses_are_those_of_the_units() -> None:
    for unit, again_s in (
        ("blackstart-agent.service", AGENT_AGAIN_S),
        ("blackstart-watch@.service", WATCH_AGAIN_S),
    ):
        text = (PACKAGING / unit).read_text()
        found = re.search(r"^RestartSec=(\d+)$", text, re.MULTILINE)
        assert found
        assert float(found[1]) == again_s
        assert "Restart=always" in text
