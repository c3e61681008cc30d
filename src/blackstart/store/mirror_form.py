# SPDX-License-Identifier: Apache-2.0
"""How a mirror is laid out, and how its objects are written: each carries its own digest.

    installation                     whose mirror it is; made once
    generation/G                     who brought it back as generation G; made once each
    log/G/N                          segments: what was added, chained by digest; made once each
    pages/G/PAGE-DIGEST              deliveries and contacts as of a segment; replaced ones removed
    evidence/AB/ABCD…, secrets/RUN/NAME   artefacts and sealed secrets; made once each
    alive/G                          when generation G last said that the mirror was whole

A segment names the one that it follows. The newest one whose whole way back to the beginning is
there is what the mirror holds; nothing else decides it, so what a death left unfinished, and what
an installation that was replaced still adds to its own log, is never read.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import TypeVar

import msgspec

from blackstart.model.errors import MirrorFailed

INSTALLATION_KEY = "installation"
GENERATIONS, LOG, PAGES, EVIDENCE, SECRETS = "generation", "log", "pages", "evidence", "secrets"
_FORM = 1
_MARK = b"BLKS mirror\x01"
_DIGEST_BYTES = 32
_QUICK = 1  # zlib's level: five times smaller, and quicker than most disks

T = TypeVar("T", bound=msgspec.Struct)


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The object `installation`."""

    identity: str
    form: int = _FORM


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An object of `generation/`: who claimed it, a name that nobody else has."""

    generation: int
    claimant: str
    host: str
    at_ms: int


class ChainEnd(msgspec.Struct, frozen=True, array_like=True):
    """The last fact of a chain, and the chain's place in the journal."""

    place: int
    seq: int
    digest: str
    at_ms: int


class StoredFact(msgspec.Struct, frozen=True, array_like=True):
    """A fact as it lies in the journal."""

    position: int
    digest: str
    content: bytes


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """What was added since the segment that it follows, and where everything ended then.

    `is_whole`: it ends with a whole transaction, and `pages` holds the digest of every page.
    `pending` are artefacts that were too large to wait for, `key` tells the key that sealed the
    secrets from others, `mirrors` are all places that the installation is copied to.
    """

    generation: int
    number: int
    follows: tuple[int, int] | None
    previous: str
    taken_ms: int
    is_whole: bool
    ends: dict[str, ChainEnd]
    facts: list[StoredFact]
    pages: dict[str, str]
    pending: list[str]
    key: str
    mirrors: list[str]
    form: int = _FORM

    @property
    def place(self) -> tuple[int, int]:
        """Generation and number."""
        return self.generation, self.number

    @property
    def count(self) -> int:
        """How many facts there were in all chains together."""
        return sum(end.seq for end in self.ends.values())


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    """The object `alive/G`: the mirror held everything at that moment."""

    at_ms: int
    count: int
    host: str


class Artefact(msgspec.Struct, frozen=True, kw_only=True):
    """An object of `evidence/`."""

    name: str
    content: bytes


def written(value: msgspec.Struct) -> bytes:
    """Return a value as the bytes of an object."""
    return sealed(msgspec.msgpack.encode(value))


def sealed(content: bytes) -> bytes:
    """Return content as the bytes of an object: a mark, the digest of the rest, and the rest."""
    packed = zlib.compress(content, _QUICK)
    return _MARK + sha256(packed).digest() + packed


def opened(name: str, whole: bytes) -> bytes:
    """Return the content of an object. Raises MirrorFailed when a byte of it is not as written."""
    start = len(_MARK) + _DIGEST_BYTES
    digest, packed = whole[len(_MARK) : start], whole[start:]
    if not whole.startswith(_MARK) or sha256(packed).digest() != digest:
        raise _damaged(name, "its bytes do not match its digest")
    return zlib.decompress(packed)


def read_as(kind: type[T], name: str, whole: bytes) -> T:
    """Return the value in the bytes of an object. Raises MirrorFailed."""
    try:
        return msgspec.msgpack.decode(opened(name, whole), type=kind)
    except msgspec.MsgspecError as error:
        raise _damaged(name, str(error)) from error


def digest_of_object(whole: bytes) -> str:
    """Return the digest by which the next segment, or a page's key, names an object."""
    return sha256(whole).hexdigest()


def generation_key(generation: int) -> str:
    """Return the key of a claim."""
    return f"{GENERATIONS}/{generation:06}"


def segment_key(place: tuple[int, int]) -> str:
    """Return the key of a segment."""
    return f"{LOG}/{place[0]:06}/{place[1]:010}"


def place_in(key: str) -> tuple[int, int]:
    """Return generation and number of the segment with this key."""
    _, generation, number = key.split("/")
    return int(generation), int(number)


def page_key(generation: int, page: str, digest: str) -> str:
    """Return the key of a page."""
    return f"{PAGES}/{generation:06}/{page}-{digest}"


def alive_key(generation: int) -> str:
    """Return the key of the sign of life."""
    return f"alive/{generation:06}"


def evidence_key(digest: str) -> str:
    """Return the key of an artefact."""
    return f"{EVIDENCE}/{digest[:2]}/{digest}"


def _damaged(name: str, why: str) -> MirrorFailed:
    return MirrorFailed(
        f"The object {name} of the mirror is damaged: {why}.",
        "Keep it as it is, and use another mirror of the same installation.",
    )
