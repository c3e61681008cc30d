# SPDX-License-Identifier: Apache-2.0
"""Times and sizes are said one way everywhere, and the way people say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from blackstart.model.words import NOTHING, say_bytes, say_count, say_duration, say_moment


@pytest.mark.parametrize(
    ("duration_s", "said"),
    [
        (None, NOTHING),
        (0, "0 s"),
        (0.04, "< 0.1 s"),
        (0.4, "0.4 s"),
        (5.0, "5 s"),
        (48.34, "48.3 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (185, "3 min 05 s"),
        (3_599.6, "1 h"),
        (3_600, "1 h"),
        (3_900, "1 h 05 min"),
        (86_400, "24 h"),
        (90_000, "25 h"),
        (172_799, "2 d"),
        (172_800, "2 d"),
        (273_600, "3 d 4 h"),
        (-185, "-3 min 05 s"),
    ],
)
def test_durations_are_said_without_noughts(duration_s: float | None, said: str) -> None:
    assert say_duration(duration_s) == said


def test_a_moment_is_said_in_utc_wherever_it_was_noted() -> None:
    at = datetime(2026, 11, 23, 5, 14, 15, tzinfo=timezone(timedelta(hours=2)))
    assert say_moment(at) == say_moment(at.astimezone(UTC)) == "2026-11-23 03:14:15 UTC"


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 B"), (1023, "1023 B"), (12.3 * 1024**2, "12.3 MiB"), (3 * 1024**4, "3072.0 GiB")],
)
def test_sizes_are_said_in_binary_units(size_bytes: float, said: str) -> None:
    assert say_bytes(size_bytes) == said


def test_a_number_is_said_with_its_noun() -> None:
    said = [say_count(1, "user"), say_count(4, "user"), say_count(2, "reply", "replies")]
    assert said == ["1 user", "4 users", "2 replies"]
