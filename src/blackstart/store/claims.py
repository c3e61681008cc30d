# SPDX-License-Identifier: Apache-2.0
"""The right to drive an incident, with a fencing token that only grows.

A claim that ran out may be taken by another; the number makes sure that its old holder, who may
only have been asleep, can write nothing afterwards. A claim given back keeps its number.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from blackstart.model.errors import Refused
from blackstart.store.schema import to_ms

_NOBODY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The incident that the holder drives, and the token it was given."""

    incident: str
    token: int


def take(
    connection: sqlite3.Connection, incident: str, holder: str, now: datetime, ttl_s: float
) -> int | None:
    """Take or renew the claim; return its token, or None while another holds it."""
    row = connection.execute(
        "SELECT holder, token, expires_at FROM claims WHERE incident = ?", (incident,)
    ).fetchone()
    before, token, expires_at = row or (_NOBODY, 0, 0)
    if before not in (_NOBODY, holder) and expires_at > to_ms(now):
        return None
    if before != holder:
        token += 1
    connection.execute(
        "INSERT INTO claims (incident, holder, token, expires_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (incident) DO UPDATE SET holder = excluded.holder, token = excluded.token,"
        " expires_at = excluded.expires_at",
        (incident, holder, token, to_ms(now + timedelta(seconds=ttl_s))),
    )
    return int(token)


def holder_of(connection: sqlite3.Connection, incident: str, now: datetime) -> str:
    """Return whose claim is in force, "" when nobody's is."""
    row = connection.execute(
        "SELECT holder FROM claims WHERE incident = ? AND expires_at > ?", (incident, to_ms(now))
    ).fetchone()
    return str(row[0]) if row else _NOBODY


def give_back(connection: sqlite3.Connection, incident: str, holder: str) -> None:
    """Give the claim back; nothing happens when the holder no longer has it."""
    connection.execute(
        "UPDATE claims SET holder = ?, expires_at = 0 WHERE incident = ? AND holder = ?",
        (_NOBODY, incident, holder),
    )


def must_be_newest(connection: sqlite3.Connection, fence: Fence) -> None:
    """Raise Refused when somebody was given a newer token than this one."""
    row = connection.execute(
        "SELECT token FROM claims WHERE incident = ?", (fence.incident,)
    ).fetchone()
    if row and row[0] > fence.token:
        raise Refused(
            f"Incident '{fence.incident}' is driven by another program now "
            f"(its claim is number {row[0]}, this program's was {fence.token}).",
            "End this program, or let it take the claim again when the other gives it back.",
        )
