# SPDX-License-Identifier: Apache-2.0
"""The right to drive an incident, with a fencing token that only grows.

A claim that ran out may be taken by another; the number makes sure that its old holder, who may
only have been asleep, can write nothing afterwards. A claim given back keeps its number.

When a claim runs out is measured by the machine's monotonic clock, which all its programs share
and nobody can set: a wall clock that jumps forth must not give an incident two drivers, one that
jumps back must not keep a dead one's claim. That clock begins anew with each start of the machine,
so the row without an incident names the start that the others belong to; after another start, or
on another machine, nobody who made a claim lives any more.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from blackstart.model.errors import Refused

_NOBODY = ""
_THIS_START = ""  # in place of an incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The incident that the holder drives, and the token it was given."""

    incident: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instant:
    """A moment of the monotonic clock, and the start of the machine that it belongs to."""

    boot: str
    at_s: float


def take(
    connection: sqlite3.Connection,
    incident: str,
    holder: str,
    now: Instant,
    ttl_s: float,
    *,
    above: int = 0,
) -> int | None:
    """Take or renew the claim; return its token, or None while another holds it.

    A new token is greater than every one before it and than `above`.
    """
    if not _is_of(connection, now.boot):
        _begin_anew(connection, now.boot)
    row = connection.execute(
        "SELECT holder, token, expires_at FROM claims WHERE incident = ?", (incident,)
    ).fetchone()
    before, token, expires_at = row or (_NOBODY, 0, 0)
    if before not in (_NOBODY, holder) and expires_at > _to_ms(now.at_s):
        return None
    if before != holder:
        token = max(token, above) + 1
    connection.execute(
        "INSERT INTO claims (incident, holder, token, expires_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (incident) DO UPDATE SET holder = excluded.holder, token = excluded.token,"
        " expires_at = excluded.expires_at",
        (incident, holder, token, _to_ms(now.at_s + ttl_s)),
    )
    return int(token)


def _is_of(connection: sqlite3.Connection, boot: str) -> bool:
    """Say whether the claims that are kept were made since this start of the machine."""
    row = connection.execute(
        "SELECT holder FROM claims WHERE incident = ?", (_THIS_START,)
    ).fetchone()
    return row is not None and row[0] == boot


def _begin_anew(connection: sqlite3.Connection, boot: str) -> None:
    """Let every claim lapse, keeping its number, and note which start of the machine this is."""
    connection.execute("UPDATE claims SET holder = ?, expires_at = 0", (_NOBODY,))
    connection.execute(
        "INSERT INTO claims (incident, holder, token, expires_at) VALUES (?, ?, 0, 0)"
        " ON CONFLICT (incident) DO UPDATE SET holder = excluded.holder",
        (_THIS_START, boot),
    )


def holder_of(connection: sqlite3.Connection, incident: str, now: Instant) -> str:
    """Return whose claim is in force, "" when nobody's is."""
    row = connection.execute(
        "SELECT holder FROM claims WHERE incident = ? AND expires_at > ?",
        (incident, _to_ms(now.at_s)),
    ).fetchone()
    return str(row[0]) if row and _is_of(connection, now.boot) else _NOBODY


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


def _to_ms(at_s: float) -> int:
    return int(at_s * 1000)
