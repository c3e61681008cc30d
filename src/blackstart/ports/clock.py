# SPDX-License-Identifier: Apache-2.0
"""Time, as the core sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for the record, monotonic time for durations, boot time for what slept."""

    def now(self) -> datetime:
        """Return the present moment, in UTC, to the millisecond."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never jumps."""
        ...

    def boottime_s(self) -> float:
        """Return seconds on a clock that never jumps, and goes on while the machine sleeps."""
        ...
