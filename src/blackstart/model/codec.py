# SPDX-License-Identifier: Apache-2.0
"""Facts as bytes, in one canonical form: JSON, keys sorted, times in UTC.

The journal hashes the bytes it stores, so the form is fixed when a fact is written; reading
accepts what was written (unknown fields are ignored, so that an older reader survives).
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

import msgspec

from blackstart.model.events import EVENTS, Event, Fact

GENESIS = "0" * 64


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of the content in hexadecimal."""
    return sha256(content).hexdigest()


def to_bytes(value: object) -> bytes:
    """Return any value of the model as canonical JSON."""
    return msgspec.json.encode(value, order="deterministic")


def encode_fact(
    chain: str, seq: int, at: datetime, actor: str, event: Event, previous: str
) -> bytes:
    """Return the bytes of a fact; they contain the previous digest, which makes the chain."""
    return to_bytes(
        {
            "chain": chain,
            "seq": seq,
            "at": at.astimezone(UTC).isoformat(timespec="milliseconds"),
            "actor": actor,
            "kind": type(event).__name__,
            "event": event,
            "previous": previous,
        }
    )


class _Stored(msgspec.Struct, frozen=True):
    chain: str
    seq: int
    at: datetime
    actor: str
    kind: str
    event: msgspec.Raw  # its form depends on the kind
    previous: str


_STORED = msgspec.json.Decoder(_Stored)


@cache
def _decoder_of(kind: str) -> msgspec.json.Decoder[Any]:
    """Return what reads events of this kind; made once, because an incident has thousands."""
    return msgspec.json.Decoder(EVENTS[kind])


def decode_fact(content: bytes) -> Fact:
    """Return the fact in these bytes.

    Raises msgspec.ValidationError for bytes that are not a fact, KeyError for an unknown kind.
    """
    stored = _STORED.decode(content)
    return Fact(
        chain=stored.chain,
        seq=stored.seq,
        at=stored.at,
        actor=stored.actor,
        event=_decoder_of(stored.kind).decode(stored.event),
        digest=digest_of(content),
        previous=stored.previous,
    )
