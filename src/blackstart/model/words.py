# SPDX-License-Identifier: Apache-2.0
"""Times and sizes in words that can be read at three in the morning."""

from __future__ import annotations

from datetime import UTC, datetime


def say_duration(seconds: float) -> str:
    """Return a duration: `4.2 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds < 0:
        return "-" + say_duration(-seconds)
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def say_moment(at: datetime) -> str:
    """Return a moment with its zone: `2026-11-23 03:14:15 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def say_bytes(size_bytes: float) -> str:
    """Return a size in binary units: `12.3 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size_bytes) < 1024 or unit == "GiB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError("unreachable")


def say_count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 user`, `4 users`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
