# SPDX-License-Identifier: Apache-2.0
"""What the tests of the journal share: a clock set by hand, sample facts, ways to tamper."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from blackstart.model.events import ActionStarted, NoticeQueued
from blackstart.ports.channel import Message
from blackstart.ports.journal import Entry, Journal, Parcel

START = datetime(2026, 11, 23, 3, 0, 0, 123000, tzinfo=UTC)


class SetClock:
    """A clock that moves only when it is told to; its wall time can be set in either direction."""

    def __init__(self) -> None:
        self.present = START
        self._passed_s = 0.0
        self._suspended_s = 0.0

    def now(self) -> datetime:
        return self.present

    def monotonic_s(self) -> float:
        return self._passed_s

    def boottime_s(self) -> float:
        return self._passed_s + self._suspended_s

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += seconds
        self.set_by(seconds)

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: its monotonic clock stands still meanwhile."""
        self._suspended_s += seconds
        self.set_by(seconds)

    def set_by(self, seconds: float) -> None:
        """Set the wall time, while no time passes."""
        self.present += timedelta(seconds=seconds)


def started(number: int) -> ActionStarted:
    """An event that can be told from its neighbours."""
    return ActionStarted(
        run="i1.r1", step="restore_data", action="restore", attempt=number, key=f"i1/{number}"
    )


def entries(count: int, first: int = 1) -> tuple[Entry, ...]:
    return tuple(Entry(event=started(number)) for number in range(first, first + count))


def notice(
    people: tuple[str, ...],
    name: str = "announced",
    subject: str = "We are on it",
    channel: str = "users",
) -> Entry:
    """A queued notice with one parcel for each person."""
    event = NoticeQueued(
        notice=name,
        kind="announced",
        channel=channel,
        audience="affected",
        recipients=len(people),
        subject=subject,
        body="0" * 64,
    )
    message = Message(subject=subject, body="Said plainly.", kind="announced", incident="i1")
    parcels = tuple(
        Parcel(notice=name, channel=channel, person=person, message=message) for person in people
    )
    return Entry(event=event, parcels=parcels)


def attempts_of(journal: Journal, chain: str) -> list[int]:
    """The numbers of the `started` events of a chain, as they are read back."""
    return [
        fact.event.attempt for fact in journal.read(chain) if isinstance(fact.event, ActionStarted)
    ]


@contextlib.contextmanager
def tampering(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as somebody who has taken away the triggers that protect the facts."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER facts_never_change")
        connection.execute("DROP TRIGGER facts_never_go")
        yield connection


def text_of(path: Path) -> str:
    """Return all that the file holds, one row on a line: its tables first, then their rows."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        made = db.execute("SELECT sql, type, name FROM sqlite_schema WHERE sql > '' ORDER BY name")
        parts = made.fetchall()
        lines = [sql for sql, _, _ in parts]
        for _, kind, name in parts:
            if kind == "table":
                rows = db.execute(f"SELECT * FROM {name} ORDER BY rowid")
                lines += [f"{name}: {' | '.join(map(_as_text, row))}" for row in rows]
    return "\n".join(lines) + "\n"


def _as_text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
