# SPDX-License-Identifier: Apache-2.0
"""A program that is started again when it ends, as its systemd unit in `packaging/` says.

One that ends again and again is given up, as systemd does: it would only hide a defect.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from blackstart.world import process
from blackstart.world.clock import SystemClock

AGENT_AGAIN_S = 2.0  # RestartSec= of packaging/blackstart-agent.service
WATCH_AGAIN_S = 10.0  # RestartSec= of packaging/blackstart-watch@.service
MOST_ENDS, WITHIN_S = 5, 30.0

_clock = SystemClock()


@dataclass(slots=True, kw_only=True)
class Kept:
    """A program of ours and its newest process; it dies with us."""

    argv: list[str]
    log: Path
    again_after_s: float
    spawned: process.Spawned
    ends: int = 0
    _ended_at_s: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_ENDS))
    _is_down: bool = False

    @property
    def pid(self) -> int:
        """The pid of its newest process."""
        return self.spawned.pid

    @property
    def is_alive(self) -> bool:
        """Say whether it runs now."""
        return process.is_alive(self.spawned.pid, self.spawned.started_ticks)

    def look(self) -> bool:
        """Start it again when its time has come; False when it is given up."""
        now_s = _clock.monotonic_s()
        if self.is_alive:
            return True
        if not self._is_down:
            self._is_down = True
            self.ends += 1
            self._ended_at_s.append(now_s)
        if len(self._ended_at_s) == MOST_ENDS and now_s - self._ended_at_s[0] < WITHIN_S:
            return False
        if now_s - self._ended_at_s[-1] >= self.again_after_s:
            self.spawned = process.spawn(self.argv, log=self.log, dies_with_us=True)
            self._is_down = False
        return True

    def end(self, *, grace_s: float) -> None:
        """End it for good."""
        process.end(self.spawned.pid, self.spawned.started_ticks, grace_s=grace_s)


def keep_running(argv: list[str], log: Path, again_after_s: float) -> Kept:
    """Start a program that is looked after from now on. Raises ProcessNotStarted."""
    spawned = process.spawn(argv, log=log, dies_with_us=True)
    return Kept(argv=argv, log=log, again_after_s=again_after_s, spawned=spawned)
