# SPDX-License-Identifier: Apache-2.0
"""An action performed by another process, which is killed in its middle; and what is left of it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from blackstart.ports.action import Action
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import residents
from blackstart.world.sites import Site
from tests.provider_stage import Stage


def perform(action: Action, stage: Stage, key: str) -> None:
    """Perform it under a key; this runs in the process that is killed."""
    action.perform(stage.context(key=key))


def kill_runner(
    action: Action,
    stage: Stage,
    key: str,
    is_time: Callable[[], object],
    act: Callable[[Action, Stage, str], None] = perform,
) -> None:
    """Let another process perform the attempt, and kill it when it is time, or when it ends."""
    spawn = multiprocessing.get_context("spawn")
    victim = spawn.Process(target=act, args=(action, stage, key))
    victim.start()
    assert wait_until(lambda: bool(is_time()) or not victim.is_alive(), timeout_s=60, every_s=0.005)
    victim.kill()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL


def pids_of(site: Site, command: str, word: str = "") -> list[int]:
    """Return the pids of a program of the site that has the word among its own; no zombies."""
    found = []
    for one in residents(site):
        with suppress(OSError):
            words = Path(f"/proc/{one.pid}/cmdline").read_bytes().decode("utf-8", "replace")
            is_meant = one.command.startswith(command) and (not word or word in words.split("\0"))
            if is_meant and process.started_ticks(one.pid) is not None:
                found.append(one.pid)
    return found
