# SPDX-License-Identifier: Apache-2.0
"""Durations as people write them: 90d, 24h, 1h30m, 5m, 0.5s."""

from __future__ import annotations

import re

_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)([dhms])")
_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}


def seconds_of(text: str) -> float:
    """Return the seconds of a duration whose form `shape.Duration` has accepted."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(text))
