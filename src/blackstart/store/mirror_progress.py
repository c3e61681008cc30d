# SPDX-License-Identifier: Apache-2.0
"""How far each mirror has come, kept in the journal's file so that every program can show it."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime

from blackstart.ports.journal import MirrorView
from blackstart.store.pages import newest_revision
from blackstart.store.schema import from_ms, to_ms


def note_whole(
    connection: sqlite3.Connection, mirror: str, facts: int, revision: int, at: datetime
) -> None:
    """Note that the mirror held everything as of a moment."""
    connection.execute(
        "INSERT INTO mirrors VALUES (?1, ?2, ?3, ?4, ?4, 0, '') ON CONFLICT (mirror) DO UPDATE SET"
        " facts = ?2, revision = ?3, whole_at = ?4, heard_at = ?4, failing_since = 0, error = ''",
        (mirror, facts, revision, to_ms(at)),
    )


def note_heard(connection: sqlite3.Connection, mirror: str, at: datetime) -> None:
    """Note that the mirror answered, and that no later generation has taken over."""
    connection.execute(
        "INSERT INTO mirrors VALUES (?1, 0, 0, 0, ?2, 0, '') ON CONFLICT (mirror) DO UPDATE SET"
        " heard_at = ?2",
        (mirror, to_ms(at)),
    )


def note_failing(connection: sqlite3.Connection, mirror: str, error: str, at: datetime) -> None:
    """Note that the mirror fails, and since when."""
    connection.execute(
        "INSERT INTO mirrors VALUES (?1, 0, 0, 0, 0, ?2, ?3) ON CONFLICT (mirror) DO UPDATE SET"
        " error = ?3, failing_since = iif(failing_since, failing_since, ?2)",
        (mirror, to_ms(at), error),
    )


def last_heard(connection: sqlite3.Connection) -> datetime | None:
    """Return when any mirror last said that no later generation has taken over."""
    (at_ms,) = connection.execute("SELECT ifnull(max(heard_at), 0) FROM mirrors").fetchone()
    return from_ms(at_ms) if at_ms else None


def was_ever_whole(connection: sqlite3.Connection, mirror: str) -> bool:
    """Say whether the mirror held everything at any time."""
    row = connection.execute("SELECT whole_at FROM mirrors WHERE mirror = ?", (mirror,)).fetchone()
    return row is not None and row[0] > 0


def forget_others(connection: sqlite3.Connection, names: Collection[str]) -> None:
    """Forget places that are no mirrors any more."""
    for (name,) in connection.execute("SELECT mirror FROM mirrors").fetchall():
        if name not in names:
            connection.execute("DELETE FROM mirrors WHERE mirror = ?", (name,))


def views_of(connection: sqlite3.Connection, now: datetime) -> tuple[MirrorView, ...]:
    """Return how far each mirror has come."""
    (total,) = connection.execute("SELECT ifnull(sum(seq), 0) FROM chains").fetchone()
    newest = newest_revision(connection)
    rows = connection.execute(
        "SELECT mirror, facts, revision, whole_at, failing_since, error FROM mirrors ORDER BY rowid"
    )
    return tuple(
        MirrorView(
            name=name,
            behind_facts=total - facts,
            behind_s=(now - from_ms(whole_at)).total_seconds()
            if whole_at and (total, newest) != (facts, revision)
            else 0.0,
            whole_at=from_ms(whole_at) if whole_at else None,
            failing_since=from_ms(failing) if failing else None,
            error=error,
        )
        for name, facts, revision, whole_at, failing, error in rows
    )
