# SPDX-License-Identifier: Apache-2.0
"""The machine's clocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path


class SystemClock:
    """Wall time in UTC to the millisecond, and the monotonic clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC, cut to the millisecond."""
        present = datetime.now(UTC)
        return present.replace(microsecond=present.microsecond // 1000 * 1000)

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never jumps."""
        return time.monotonic()


class RehearsalClock(SystemClock):
    """The machine's clock, moved by the seconds that stand in a file.

    For rehearsals: three days are played in minutes. Whoever moves it writes the file; a missing
    file moves nothing.
    """

    def __init__(self, offset: Path) -> None:
        """Keep where the offset stands."""
        self._offset = offset

    def now(self) -> datetime:
        """Return the moved moment."""
        try:
            moved_s = float(self._offset.read_text(encoding="ascii") or "0")
        except (OSError, ValueError):
            moved_s = 0.0
        return super().now() + timedelta(seconds=moved_s)


def clock_of(environment: Mapping[str, str]) -> SystemClock:
    """Return the clock to use: the machine's, or one moved for a rehearsal.

    `BLACKSTART_REHEARSAL_CLOCK` names the file that moves it.
    """
    offset = environment.get("BLACKSTART_REHEARSAL_CLOCK")
    return RehearsalClock(Path(offset)) if offset else SystemClock()


def wait_until(
    is_so: Callable[[], bool],
    *,
    timeout_s: float,
    every_s: float = 0.05,
    stop: threading.Event | None = None,
) -> bool:
    """Ask again and again until the answer is yes; False when the time is over or `stop` is set."""
    deadline = time.monotonic() + timeout_s
    pause = stop or threading.Event()
    while not is_so():
        if time.monotonic() >= deadline or pause.wait(every_s):
            return False
    return True
