# SPDX-License-Identifier: Apache-2.0
"""The tables of the first form of the SQLite journal, and the mark by which its file is known.

What later forms added is in `forms`, one step each.

Moments are whole milliseconds since 1970-01-01 UTC. `chains` numbers the chains without a gap
(`place`), so that one that vanished is noticed, and holds the end of each, so that facts cut off
there are. A fact's `position` is place x 2**32 + its number: facts lie in one tree, chain by
chain, and an append dirties few pages. The view `facts_by_chain` is for people.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

APPLICATION_ID = 0x424C_4B53  # "BLKS", in the header of the file
SCHEMA_VERSION = 2
MOST_FACTS = 0xFFFF_FFFF  # in one chain

SCHEMA = """
CREATE TABLE installation (identity TEXT NOT NULL) STRICT;
CREATE TABLE facts (
    position INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE TABLE chains (
    place INTEGER PRIMARY KEY,
    chain TEXT NOT NULL UNIQUE,
    seq INTEGER NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE VIEW facts_by_chain AS
    SELECT chain, position & 0xFFFFFFFF AS number, facts.digest, CAST(content AS TEXT) AS fact
    FROM facts JOIN chains ON place = position >> 32 ORDER BY position;
CREATE TRIGGER facts_never_change BEFORE UPDATE ON facts
BEGIN SELECT RAISE(ABORT, 'facts are never changed'); END;
CREATE TRIGGER facts_never_go BEFORE DELETE ON facts
BEGIN SELECT RAISE(ABORT, 'facts are never removed'); END;
CREATE TABLE deliveries (
    key TEXT NOT NULL PRIMARY KEY,
    incident TEXT NOT NULL,
    notice TEXT NOT NULL,
    channel TEXT NOT NULL,
    person TEXT NOT NULL,
    message BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    receipt TEXT NOT NULL,
    UNIQUE (incident, notice, channel, person)
) STRICT;
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state IN ('queued', 'sending');
CREATE INDEX deliveries_of_person ON deliveries (person);
CREATE TABLE people (person TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT;
CREATE TABLE addresses (
    person TEXT NOT NULL,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (person, kind)
) STRICT;
CREATE TABLE audiences (
    place INTEGER PRIMARY KEY,
    audience TEXT NOT NULL,
    person TEXT NOT NULL,
    UNIQUE (audience, person)
) STRICT;
CREATE TABLE claims (
    incident TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE progress (
    incident TEXT NOT NULL,
    subject TEXT NOT NULL,
    done REAL NOT NULL,
    total REAL NOT NULL,
    unit TEXT NOT NULL,
    PRIMARY KEY (incident, subject)
) STRICT;
"""


def position_of(place: int, seq: int) -> int:
    """Return where the fact with this number of the chain at this place lies."""
    return (place << 32) + seq


def seq_at(position: int) -> int:
    """Return the number of the fact at the position within its chain."""
    return position & MOST_FACTS


def place_at(position: int) -> int:
    """Return the place of the chain that the position belongs to."""
    return position >> 32


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(at: datetime) -> int:
    """Return the moment as whole milliseconds since 1970, cut, without rounding."""
    milliseconds: int = (at - _EPOCH) // _MILLISECOND
    return milliseconds


def from_ms(at_ms: int) -> datetime:
    """Return the moment, in UTC."""
    return _EPOCH + at_ms * _MILLISECOND
