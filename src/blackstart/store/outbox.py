# SPDX-License-Identifier: Apache-2.0
"""Deliveries: queued with the fact that speaks of them, moved by the table of states only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from blackstart.model.codec import digest_of, to_bytes
from blackstart.model.errors import Refused
from blackstart.model.states import DeliveryState, move
from blackstart.ports.channel import Message
from blackstart.ports.journal import Parcel, QueuedDelivery
from blackstart.store.schema import from_ms, to_ms

LEASE_S = 30.0  # a delivery that is `sending` for longer was left by a sender that died
_MESSAGES = msgspec.json.Decoder(Message)


def queue(
    connection: sqlite3.Connection, incident: str, parcels: Iterable[Parcel], at: datetime
) -> None:
    """Queue the parcels, due at once; one that was queued before is left as it is."""
    identity = connection.execute("SELECT identity FROM installation").fetchone()[0]
    connection.executemany(
        "INSERT INTO deliveries (key, incident, notice, channel, person, message, state,"
        " attempts, due_at, reason, receipt) VALUES (?, ?, ?, ?, ?, ?, 'queued', 0, ?, '', '')"
        " ON CONFLICT (incident, notice, channel, person) DO NOTHING",
        (
            (
                _key_of(identity, incident, parcel),
                incident,
                parcel.notice,
                parcel.channel,
                parcel.person,
                to_bytes(parcel.message),
                to_ms(at),
            )
            for parcel in parcels
        ),
    )


def _key_of(identity: str, incident: str, parcel: Parcel) -> str:
    """Name the delivery so that no other installation's can be taken for it in a shared channel."""
    whole = (identity, incident, parcel.notice, parcel.channel, parcel.person)
    return digest_of(to_bytes(whole))[:32]


def due(
    connection: sqlite3.Connection, incident: str, now: datetime, limit: int
) -> tuple[QueuedDelivery, ...]:
    """Return queued deliveries whose time has come and `sending` ones whose lease is over.

    At most `limit`, and then as many of the channels that are not among them: thousands for one
    channel that hangs must not stand before the rest. The plus keeps SQLite to the index of due
    times, so that it stops at the limit.
    """
    found: list[QueuedDelivery] = []
    while True:
        seen = {each.channel for each in found}
        more = _deliveries(
            connection.execute(
                "SELECT key, incident, notice, channel, person, message, state, attempts, due_at,"
                " reason, receipt FROM deliveries WHERE state IN ('queued', 'sending')"
                " AND +incident = ? AND due_at <= ?"
                " AND channel NOT IN (SELECT value FROM json_each(?))"
                " ORDER BY due_at, rowid LIMIT ?",
                (incident, to_ms(now), to_bytes(sorted(seen)).decode(), limit),
            ).fetchall()
        )
        found += more
        if len(more) < limit:
            return tuple(found)


def of_incident(
    connection: sqlite3.Connection, incident: str, notice: str
) -> tuple[QueuedDelivery, ...]:
    """Return the deliveries of the incident, or of its notice, in the order of queueing."""
    return _deliveries(
        connection.execute(
            "SELECT key, incident, notice, channel, person, message, state, attempts, due_at,"
            " reason, receipt FROM deliveries WHERE incident = ? AND (? IN ('', notice))"
            " ORDER BY rowid",
            (incident, notice),
        ).fetchall()
    )


def _deliveries(rows: Sequence[tuple[Any, ...]]) -> tuple[QueuedDelivery, ...]:
    return tuple(
        QueuedDelivery(
            key=row[0],
            incident=row[1],
            notice=row[2],
            channel=row[3],
            person=row[4],
            message=_MESSAGES.decode(row[5]),
            state=row[6],
            attempts=row[7],
            due_at=from_ms(row[8]),
            reason=row[9],
            receipt=row[10],
        )
        for row in rows
    )


def move_delivery(
    connection: sqlite3.Connection,
    key: str,
    state: str,
    *,
    now: datetime,
    due_at: datetime | None,
    reason: str,
    receipt: str,
) -> None:
    """Move the delivery, within the caller's transaction.

    Without `due_at` it is due now, and while it is `sending` when the sender's lease is over. A
    receipt once given stays. Raises IllegalMove for a move that is not in the table, Refused for
    an unknown key.
    """
    row = connection.execute("SELECT state FROM deliveries WHERE key = ?", (key,)).fetchone()
    if row is None:
        raise Refused(
            f"No delivery has the key {key}.", "List the deliveries of the incident to find it."
        )
    new = move(DeliveryState(row[0]), DeliveryState(state))
    is_sending = new is DeliveryState.SENDING
    due_at = due_at or now + timedelta(seconds=LEASE_S if is_sending else 0.0)
    connection.execute(
        "UPDATE deliveries SET state = ?, attempts = attempts + ?, due_at = ?, reason = ?,"
        " receipt = ifnull(nullif(?, ''), receipt) WHERE key = ?",
        (new.value, int(is_sending), to_ms(due_at), reason, receipt, key),
    )
