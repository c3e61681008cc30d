# SPDX-License-Identifier: Apache-2.0
"""The machine's clocks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from blackstart.ports.clock import Clock

_CATCH_UP = 0.9  # seconds shown per second that passes, while the machine's clock is behind


class SystemClock:
    """Wall time in UTC to the millisecond, and the two clocks of the kernel that never jump."""

    def now(self) -> datetime:
        """Return the present moment in UTC, cut to the millisecond."""
        present = datetime.now(UTC)
        return present.replace(microsecond=present.microsecond // 1000 * 1000)

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never jumps."""
        return time.monotonic()

    def boottime_s(self) -> float:
        """Return seconds on a clock that never jumps, and goes on while the machine sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


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


class SteadyClock:
    """A clock that never runs back and never stands still, whatever is done to the one inside.

    It shows what the inner clock shows. When that jumps back (a correction, a leap second, a hand
    that slipped), this one goes on from where it was, a tenth slower than time itself, until the
    inner one has caught up: what is due in ten minutes is due in little more than eleven, and no
    two moments change places. A jump forth is followed at once. Safe to use from several threads.
    """

    def __init__(self, inner: Clock) -> None:
        """Keep the clock to steady."""
        self._inner = inner
        self._lock = threading.Lock()
        self._shown: datetime | None = None
        self._shown_at_s = inner.monotonic_s()

    def now(self) -> datetime:
        """Return the present moment in UTC, to the millisecond, never before an earlier one."""
        with self._lock:
            shown = self._go_on()
        return shown.replace(microsecond=shown.microsecond // 1000 * 1000)

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never jumps."""
        return self._inner.monotonic_s()

    def boottime_s(self) -> float:
        """Return seconds on a clock that never jumps, and goes on while the machine sleeps."""
        return self._inner.boottime_s()

    def not_before(self, at: datetime) -> None:
        """From now on show no moment before this one, which somebody has seen already."""
        with self._lock:
            self._shown = max(self._go_on(), at)

    def _go_on(self) -> datetime:
        now_s = self._inner.monotonic_s()
        passed_s = max(0.0, now_s - self._shown_at_s) * _CATCH_UP
        shown = self._inner.now()
        if self._shown is not None:
            shown = max(shown, self._shown + timedelta(seconds=passed_s))
        self._shown, self._shown_at_s = shown, now_s
        return shown


@cache
def boot_id() -> str:
    """Return what names this start of the machine; its monotonic clock begins anew with each."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def countdown(clock: Clock, limit_s: float) -> Callable[[], float]:
    """Return what says how many seconds are left of the limit from now on; below 0 it is over."""
    end_s = clock.monotonic_s() + limit_s
    return lambda: end_s - clock.monotonic_s()


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
