# SPDX-License-Identifier: Apache-2.0
"""Writes lost are a set difference; what was never sent is an error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from blackstart.sandbox.loss import count_lost

_START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _note(log: Path, *numbers: int) -> None:
    lines = [f"{n} {(_START + timedelta(seconds=n)).isoformat()}\n" for n in numbers]
    log.write_text("".join(lines))


def test_nothing_is_lost_when_all_acknowledged_rows_are_there(tmp_path: Path) -> None:
    _note(tmp_path / "sent.log", 1, 2, 3)
    _note(tmp_path / "acknowledged.log", 1, 2)

    loss = count_lost(tmp_path, {1, 2, 3})

    assert (loss.acknowledged, loss.lost, loss.in_flight_present) == (2, (), (3,))
    assert loss.is_exact
    assert loss.first_lost_at is None
    assert loss.last_kept_at == _START + timedelta(seconds=2)


def test_acknowledged_and_absent_is_lost_with_its_moment(tmp_path: Path) -> None:
    _note(tmp_path / "sent.log", 1, 2, 3, 4)
    _note(tmp_path / "acknowledged.log", 1, 2, 3)

    loss = count_lost(tmp_path, {1})

    assert loss.lost == (2, 3)
    assert loss.first_lost_at == _START + timedelta(seconds=2)
    assert loss.last_acknowledged_at == _START + timedelta(seconds=3)


def test_a_row_that_was_never_sent_is_an_error(tmp_path: Path) -> None:
    _note(tmp_path / "sent.log", 1)
    _note(tmp_path / "acknowledged.log", 1)

    loss = count_lost(tmp_path, {1, 9})

    assert loss.surplus == (9,)
    assert not loss.is_exact


def test_only_what_was_acknowledged_before_the_moment_counts(tmp_path: Path) -> None:
    _note(tmp_path / "sent.log", 1, 2, 3)
    _note(tmp_path / "acknowledged.log", 1, 2, 3)

    loss = count_lost(tmp_path, {1, 3}, before=_START + timedelta(seconds=3))

    assert (loss.acknowledged, loss.lost, loss.in_flight_present) == (2, (2,), ())


def test_half_a_last_line_is_left_out(tmp_path: Path) -> None:
    _note(tmp_path / "sent.log", 1, 2)
    _note(tmp_path / "acknowledged.log", 1)
    with (tmp_path / "acknowledged.log").open("a") as log:
        log.write("2 2026-01-")

    loss = count_lost(tmp_path, {1, 2})

    assert (loss.acknowledged, loss.in_flight_present) == (1, (2,))
