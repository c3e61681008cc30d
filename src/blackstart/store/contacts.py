# SPDX-License-Identifier: Apache-2.0
"""Names and addresses of people, apart from the facts, so that a person can be forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from blackstart.model.codec import to_bytes
from blackstart.model.states import DeliveryState, is_final
from blackstart.ports.channel import Message
from blackstart.ports.roster import AffectedPerson

ERASED = "the person was erased from the contact store"


def remember(
    connection: sqlite3.Connection, audience: str, people: Sequence[AffectedPerson]
) -> int:
    """Add the people to the audience; what is known of them already is brought up to date."""
    connection.executemany(
        "INSERT INTO people (person, name) VALUES (?, ?)"
        " ON CONFLICT (person) DO UPDATE SET name = excluded.name",
        ((person.id, person.name) for person in people),
    )
    connection.executemany(
        "INSERT INTO addresses (person, kind, address) VALUES (?, ?, ?)"
        " ON CONFLICT (person, kind) DO UPDATE SET address = excluded.address",
        ((person.id, *entry) for person in people for entry in person.addresses.items()),
    )
    connection.executemany(
        "INSERT INTO audiences (audience, person) VALUES (?, ?)"
        " ON CONFLICT (audience, person) DO NOTHING",
        ((audience, person.id) for person in people),
    )
    return len({person.id for person in people})


def members_of(connection: sqlite3.Connection, audience: str) -> tuple[str, ...]:
    """Return the ids of the audience's people, in the order in which they were remembered."""
    rows = connection.execute(
        "SELECT person FROM audiences WHERE audience = ? ORDER BY place", (audience,)
    )
    return tuple(person for (person,) in rows)


def address_of(connection: sqlite3.Connection, person: str, kind: str) -> str | None:
    """Return the person's address of this kind, or None."""
    row = connection.execute(
        "SELECT address FROM addresses WHERE person = ? AND kind = ?", (person, kind)
    ).fetchone()
    return str(row[0]) if row else None


def erase(connection: sqlite3.Connection, person: str) -> None:
    """Forget the person: name, addresses, membership, and the texts that were sent.

    What still waits in the outbox is refused. What is in flight keeps its text, because it may
    have to be sent once more; there is no address left to send it to.
    """
    connection.execute("DELETE FROM people WHERE person = ?", (person,))
    connection.execute("DELETE FROM addresses WHERE person = ?", (person,))
    connection.execute("DELETE FROM audiences WHERE person = ?", (person,))
    rows = connection.execute(
        "SELECT key, state, message FROM deliveries WHERE person = ?", (person,)
    ).fetchall()
    for key, state, message in rows:
        _blank(connection, key, DeliveryState(state), msgspec.json.decode(message, type=Message))


def _blank(
    connection: sqlite3.Connection, key: str, state: DeliveryState, message: Message
) -> None:
    new = DeliveryState.REFUSED if state is DeliveryState.QUEUED else state
    if not is_final(new):
        return
    blank = Message(
        subject="", body="", kind=message.kind, incident=message.incident, tone=message.tone
    )
    connection.execute(
        "UPDATE deliveries SET state = ?, message = ?, reason = ? WHERE key = ?",
        (new.value, to_bytes(blank), ERASED, key),
    )
