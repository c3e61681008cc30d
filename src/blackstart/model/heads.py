# SPDX-License-Identifier: Apache-2.0
"""The head of a chain as one short line for messages, so that a record that was cut shows.

Whoever can write the whole record can cut its end and make the rest sound. Heads in other hands
(chat, mail) are what he cannot reach: `blackstart journal verify --head TEXT` compares them. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_SHOWN = 16  # digits of the digest: nobody finds another fact with the same 64 bits by chance
_GAP = r"[\s>|]+"  # a mail program may break the line, and quote it
_HEAD = re.compile(
    rf"([A-Za-z0-9._-]+){_GAP}fact{_GAP}([0-9]{{1,10}}){_GAP}={_GAP}([0-9a-f]{{16}})"
)


@dataclass(frozen=True, slots=True)
class Head:
    """A fact by chain and number, and the first digits of its digest."""

    chain: str
    seq: int
    digest: str

    def __str__(self) -> str:
        """Return the line for messages."""
        return f"{self.chain} fact {self.seq} = {self.digest}"


def head_of(chain: str, seq: int, digest: str) -> Head:
    """Return the head with its digest shortened."""
    return Head(chain, seq, digest[:_SHOWN])


def heads_in(text: str) -> tuple[Head, ...]:
    """Return every head that stands in a text, a whole mail say, in its order."""
    found = (Head(chain, int(seq), digest) for chain, seq, digest in _HEAD.findall(text))
    return tuple(dict.fromkeys(found))


def fault_of(head: Head, end: int, digest_at: Callable[[int], str]) -> str:
    """Return what a head shows to be wrong with a chain, "" when it fits.

    `end` is the number of the chain's last fact (0: there is no such chain), `digest_at` gives
    the digest of a fact by its number.
    """
    if end == 0:
        return f"The record of '{head.chain}' is gone: a message speaks of its fact {head.seq}."
    if head.seq > end:
        return (
            f"Facts {end + 1} to {head.seq} of '{head.chain}' are gone: the record ends with "
            f"fact {end}, a message speaks of fact {head.seq}."
        )
    if head.seq < 1 or not digest_at(head.seq).startswith(head.digest):
        return (
            f"Fact {head.seq} of '{head.chain}' is not the one that the message speaks of: it, "
            "or a fact before it, was replaced."
        )
    return ""
