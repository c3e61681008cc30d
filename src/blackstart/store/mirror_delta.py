# SPDX-License-Identifier: Apache-2.0
"""What a mirror lacks, read from the journal in one moment: facts that were added, pages that
changed. Bounded: what is too much for one segment comes in several, the last of which is whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field

from blackstart.model.codec import digest_of
from blackstart.store.mirror_form import ChainEnd, StoredFact
from blackstart.store.pages import changed_since, content_of, newest_revision
from blackstart.store.schema import MOST_FACTS, position_of, seq_at

FACTS_AT_ONCE = 20_000


@dataclass(slots=True, kw_only=True)
class Cursor:
    """How far a mirror is known to have come; see `mirror_form.Segment`."""

    follows: tuple[int, int] | None = None
    previous: str = ""
    number: int = 1  # of the next segment
    ends: dict[str, ChainEnd] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    told: tuple[tuple[str, ...], str] = ((), "")  # all mirrors, and the key, as the mirror knows
    revision: int = -1  # -1: which rows the mirror has is known by their digests only


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What is to be added after a cursor; `pages` are the new contents, empty for a page gone."""

    ends: Mapping[str, ChainEnd]
    facts: list[StoredFact]
    is_whole: bool
    pages: Mapping[str, bytes]
    revision: int

    def changes(self, cursor: Cursor) -> bool:
        """Say whether the mirror lacks anything of it."""
        known = cursor.pages
        return bool(self.facts) or any(
            digest_of(content) != known.get(page, "") if content else page in known
            for page, content in self.pages.items()
        )


def delta_of(connection: sqlite3.Connection, cursor: Cursor) -> Delta:
    """Return what the mirror lacks, within a snapshot of the caller's."""
    ends = dict(cursor.ends)
    facts: list[StoredFact] = []
    for chain, place, seq, digest, at_ms in connection.execute(
        "SELECT chain, place, seq, digest, at FROM chains ORDER BY place"
    ).fetchall():
        known = ends.get(chain)
        if known is not None and known.seq == seq:
            continue
        after = known.seq if known else 0
        added = _facts(connection, place, after, FACTS_AT_ONCE - len(facts))
        facts += added
        last = seq_at(added[-1].position) if added else after
        if last < seq:
            if added:
                ends[chain] = ChainEnd(place, last, added[-1].digest, 0)
            return Delta(ends=ends, facts=facts, is_whole=False, pages={}, revision=cursor.revision)
        ends[chain] = ChainEnd(place, seq, digest, at_ms)
    pages = {
        page: content_of(connection, page) for page in changed_since(connection, cursor.revision)
    }
    return Delta(
        ends=ends,
        facts=facts,
        is_whole=True,
        pages=pages,
        revision=newest_revision(connection),
    )


def fits(connection: sqlite3.Connection, ends: Mapping[str, ChainEnd]) -> str:
    """Return which fact of these ends the journal does not have, "" when it has them all."""
    for chain, end in ends.items():
        row = connection.execute(
            "SELECT facts.digest FROM chains JOIN facts ON position = (place << 32) + ?"
            " WHERE chain = ? AND place = ?",
            (end.seq, chain, end.place),
        ).fetchone()
        if row is None or row[0] != end.digest:
            return f"fact {end.seq} of '{chain}'"
    return ""


def _facts(connection: sqlite3.Connection, place: int, after: int, limit: int) -> list[StoredFact]:
    rows = connection.execute(
        "SELECT position, digest, content FROM facts WHERE position > ? AND position <= ?"
        " ORDER BY position LIMIT ?",
        (position_of(place, after), position_of(place, MOST_FACTS), limit),
    )
    return [StoredFact(*row) for row in rows]
