# SPDX-License-Identifier: Apache-2.0
"""Looks for every fault of the chains: facts altered, dropped, moved, added or cut off.

One pass over the bytes as they are stored. Who can rewrite the whole file with care can make
another sound one; copies in other hands are what shows that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from blackstart.model.codec import GENESIS, digest_of
from blackstart.store.schema import place_at, seq_at, to_ms


class _Link(msgspec.Struct, frozen=True):
    """The fields of a stored fact that make the chain."""

    chain: str
    seq: int
    at: datetime
    previous: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """One row of the facts: the chain and number that it lies under, and what it holds."""

    chain: str
    seq: int
    digest: str
    content: bytes

    def __str__(self) -> str:
        return f"Fact {self.seq} of '{self.chain}'"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """The end of a chain, as recorded apart from its facts."""

    chain: str
    seq: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """The end of a chain, as far as the pass has come."""

    seq: int = 0
    digest: str = GENESIS
    at_ms: int = 0


_LINKS = msgspec.json.Decoder(_Link)


def faults_of(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield every fault, each as one sentence that names the fact."""
    recorded = {
        place: _Recorded(chain=chain, seq=seq, digest=digest)
        for place, chain, seq, digest in connection.execute(
            "SELECT place, chain, seq, digest FROM chains ORDER BY place"
        )
    }
    ends: dict[int, _End] = {}
    for position, digest, content in connection.execute(
        "SELECT position, digest, content FROM facts ORDER BY position"
    ):
        place = place_at(position)
        chain = recorded[place].chain if place in recorded else f"unknown chain {place}"
        stored = _Stored(
            chain=chain,
            seq=seq_at(position),
            digest=digest,
            content=content if isinstance(content, bytes) else b"",  # damage can give anything
        )
        before = ends.get(place, _End())
        link = _link_of(stored.content)
        yield from _own_faults(stored, link)
        yield from _order_faults(stored, link, before)
        at_ms = max(before.at_ms, to_ms(link.at)) if link else before.at_ms
        ends[place] = _End(seq=stored.seq, digest=digest, at_ms=at_ms)
    yield from _missing_chains(recorded)
    yield from _end_faults(recorded, ends)


def _link_of(content: bytes) -> _Link | None:
    try:
        link = _LINKS.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return link if link.at.tzinfo is not None else None


def _own_faults(stored: _Stored, link: _Link | None) -> Iterator[str]:
    if digest_of(stored.content) != stored.digest:
        yield f"{stored} was altered: its bytes do not match its digest."
    if link is None:
        yield f"{stored} cannot be read: its bytes are no fact."
    elif (link.chain, link.seq) != (stored.chain, stored.seq):
        yield f"{stored} is in the wrong place: it says it is fact {link.seq} of '{link.chain}'."


def _order_faults(stored: _Stored, link: _Link | None, before: _End) -> Iterator[str]:
    if stored.seq == 0:
        yield f"{stored} was added without Blackstart: facts are numbered from 1."
    elif stored.seq > before.seq + 1:
        yield f"{_facts(before.seq + 1, stored.seq - 1)} of '{stored.chain}' are gone."
    elif link is not None and link.previous != before.digest:
        yield f"{stored} does not continue fact {before.seq}: one of the two was replaced."
    if link is not None and to_ms(link.at) < before.at_ms:
        yield f"{stored} has a time before that of a fact that it follows."


def _missing_chains(recorded: dict[int, _Recorded]) -> Iterator[str]:
    expected = 1
    for place, end in recorded.items():
        if place != expected:
            yield f"{place - expected} chain(s) that began before '{end.chain}' are gone."
        expected = place + 1


def _end_faults(recorded: dict[int, _Recorded], ends: dict[int, _End]) -> Iterator[str]:
    for place, end in recorded.items():
        found = ends.get(place, _End())
        if found.seq < end.seq:
            yield f"{_facts(found.seq + 1, end.seq)} of '{end.chain}' are gone from its end."
        elif found.seq > end.seq:
            yield f"{_facts(end.seq + 1, found.seq)} of '{end.chain}' were added at its end."
        elif found.digest != end.digest:
            yield f"Fact {end.seq} of '{end.chain}' is not the one that was written: replaced."
    for place, found in ends.items():
        if place not in recorded:
            yield f"{_facts(1, found.seq)} lie in unknown chain {place}: its name is gone."


def _facts(first: int, last: int) -> str:
    return f"Facts {first} to {last}"
