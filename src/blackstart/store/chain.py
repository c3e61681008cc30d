# SPDX-License-Identifier: Apache-2.0
"""Chained facts: appended and read back, within the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from blackstart.model.codec import GENESIS, decode_fact, encode_fact
from blackstart.model.errors import JournalFailed, Refused
from blackstart.model.events import Event, Fact
from blackstart.store.schema import MOST_FACTS, from_ms, position_of, seq_at, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of a chain: what the next fact follows."""

    place: int
    seq: int
    digest: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be appended to a chain, by whom and when."""

    chain: str
    actor: str
    events: Sequence[Event]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The facts of a draft that follow one end of the chain, their rows, and the new end."""

    facts: tuple[Fact, ...]
    rows: tuple[tuple[int, str, bytes], ...]
    end: End


def append_facts(
    connection: sqlite3.Connection, draft: Draft, *, expect_seq: int | None, guess: End | None
) -> Linked:
    """Add the events to the end of the chain, all with the same time.

    `guess` is the end as the caller saw it last; while nobody else appends it spares a look-up.
    Raises Refused when the chain does not end with `expect_seq`.
    """
    if guess is not None and expect_seq in (None, guess.seq):
        linked = _linked(draft, guess)
        if _is_stored(connection, guess, linked):
            return linked
    end = _end_of(connection, draft.chain)
    if expect_seq not in (None, end.seq):
        raise Refused(
            f"The record of '{draft.chain}' ends with fact {end.seq}, not with fact {expect_seq}.",
            "Read what came in between, decide anew, then append.",
        )
    linked = _linked(draft, end)
    _is_stored(connection, end, linked)
    return linked


def _linked(draft: Draft, end: End) -> Linked:
    at_ms = max(to_ms(draft.now), end.at_ms)
    at = from_ms(at_ms)
    seq, digest = end.seq, end.digest
    facts: list[Fact] = []
    rows: list[tuple[int, str, bytes]] = []
    for event in draft.events:
        seq += 1
        content = encode_fact(draft.chain, seq, at, draft.actor, event, digest)
        fact = decode_fact(content)  # what cannot be read back must never be written
        digest = fact.digest
        facts.append(fact)
        rows.append((position_of(end.place, seq), digest, content))
    new_end = End(place=end.place, seq=seq, digest=digest, at_ms=at_ms)
    return Linked(facts=tuple(facts), rows=tuple(rows), end=new_end)


def _is_stored(connection: sqlite3.Connection, end: End, linked: Linked) -> bool:
    """Store the facts, unless the chain ends elsewhere."""
    new = linked.end
    cursor = connection.execute(
        "UPDATE chains SET seq = ?, digest = ?, at = ? WHERE place = ? AND seq = ? AND digest = ?",
        (new.seq, new.digest, new.at_ms, end.place, end.seq, end.digest),
    )
    if cursor.rowcount != 1:
        return False
    for row in linked.rows:
        connection.execute("INSERT INTO facts (position, digest, content) VALUES (?, ?, ?)", row)
    return True


def _end_of(connection: sqlite3.Connection, chain: str) -> End:
    """Look the end of the chain up; a chain that is not there begins here."""
    row = connection.execute(
        "SELECT place, seq, digest, at FROM chains WHERE chain = ?", (chain,)
    ).fetchone()
    if row is not None:
        return End(place=row[0], seq=row[1], digest=row[2], at_ms=row[3])
    cursor = connection.execute(
        "INSERT INTO chains (chain, seq, digest, at) VALUES (?, 0, ?, 0)", (chain, GENESIS)
    )
    return End(place=cursor.lastrowid or 0, seq=0, digest=GENESIS, at_ms=0)


def read_facts(connection: sqlite3.Connection, chain: str, after_seq: int) -> tuple[Fact, ...]:
    """Return the facts of the chain after the number. Raises JournalFailed for unreadable ones."""
    row = connection.execute("SELECT place FROM chains WHERE chain = ?", (chain,)).fetchone()
    if row is None:
        return ()
    bounds = (position_of(row[0], max(after_seq, 0)), position_of(row[0], MOST_FACTS))
    rows = connection.execute(
        "SELECT position, content FROM facts WHERE position > ? AND position <= ?"
        " ORDER BY position",
        bounds,
    )
    return tuple(_decoded(chain, seq_at(position), content) for position, content in rows)


def _decoded(chain: str, seq: int, content: bytes) -> Fact:
    try:
        return decode_fact(content)
    except KeyError as error:
        raise JournalFailed(
            f"Fact {seq} of '{chain}' is of a kind that this Blackstart does not know ({error}).",
            "Read it with the Blackstart that wrote it, or a newer one.",
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, TypeError) as error:
        raise JournalFailed(
            f"Fact {seq} of '{chain}' cannot be read ({error}).",
            "Verify the record to see what was altered, and put a sound copy in its place.",
        ) from error
