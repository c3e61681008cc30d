# SPDX-License-Identifier: Apache-2.0
"""The machine's clocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


class SystemClock:
    """Wall time in UTC to the millisecond, and the monotonic clock."""

    def now(self) -> datetime:
        """Return the present moment in UTC, cut to the millisecond."""
        present = datetime.now(UTC)
        return present.replace(microsecond=present.microsecond // 1000 * 1000)

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never jumps."""
        return time.monotonic()


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
