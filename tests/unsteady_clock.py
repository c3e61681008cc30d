# SPDX-License-Identifier: Apache-2.0
"""A machine's two clocks, moved apart by hand: the wall clock is set, time itself only passes."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.engine_verbs import AT


class TwoClocks:
    """Wall time and monotonic time. `pass_s` lets time go by; `set_by_s` sets the wall clock."""

    def __init__(self, wall: datetime = AT) -> None:
        self._wall = wall
        self._passed_s = 1_000.0

    def now(self) -> datetime:
        return self._wall

    def monotonic_s(self) -> float:
        return self._passed_s

    def boottime_s(self) -> float:
        return self._passed_s

    def pass_s(self, seconds: float) -> None:
        self._wall += timedelta(seconds=seconds)
        self._passed_s += seconds

    def set_by_s(self, seconds: float) -> None:
        self._wall += timedelta(seconds=seconds)
