# SPDX-License-Identifier: Apache-2.0
"""The record: chained facts, the outbox that shares their transaction, contacts, evidence.

Facts are appended and never changed. `append` either makes everything in the batch durable or
raises JournalFailed and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from blackstart.model.events import Event, Fact
from blackstart.ports.channel import Message
from blackstart.ports.roster import AffectedPerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One delivery to queue: which notice, over which channel, to whom."""

    notice: str
    channel: str
    person: str  # id in the contact store; "" for a channel with one place of its own
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedDelivery:
    """A delivery as the outbox knows it. States are those of the table in `model.states`."""

    key: str
    incident: str
    notice: str
    channel: str
    person: str
    message: Message
    state: str
    attempts: int
    due_at: datetime
    reason: str = ""
    receipt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event to append, with the deliveries that must be queued in the same transaction."""

    event: Event
    parcels: tuple[Parcel, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorView:
    """How far a mirror has come: facts and seconds behind, and what is wrong since when."""

    name: str
    behind_facts: int
    behind_s: float  # since it last held everything; 0 when it still does
    whole_at: datetime | None
    failing_since: datetime | None
    error: str


class Journal(Protocol):
    """One installation's record. Safe to use from several threads and several processes."""

    def append(
        self, chain: str, actor: str, entries: Sequence[Entry], *, expect_seq: int | None = None
    ) -> tuple[Fact, ...]:
        """Append all entries to the chain in one durable transaction and return the facts.

        The time of a fact never runs behind the last one of its chain. With `expect_seq` the
        append happens only if the chain's last number is that; otherwise Refused is raised, and
        the caller reads what came in between. Raises JournalFailed when it cannot be written.
        """
        ...

    def with_fence(self, incident: str, token: int) -> Journal:
        """Return the same record for the holder of a claim, given the token that `claim` returned.

        Its `append` and `move_delivery` raise Refused, on every chain, once somebody else holds a
        newer token for the incident: a driver thought dead that comes back can write nothing.
        """
        ...

    def version(self) -> int:
        """Return a number that grows with every fact, at the cost of one look-up.

        A driver compares it with the last one it saw and reads only when it has grown.
        """
        ...

    def read(self, chain: str, after_seq: int = 0) -> tuple[Fact, ...]:
        """Return the facts of a chain after the given number, in order."""
        ...

    def chains(self) -> tuple[str, ...]:
        """Return the names of all chains, oldest first."""
        ...

    def verify(self) -> tuple[str, ...]:
        """Return every fault of every chain, one sentence each that names the fact."""
        ...

    def due_deliveries(
        self, incident: str, now: datetime, limit: int
    ) -> tuple[QueuedDelivery, ...]:
        """Return deliveries of the incident whose time has come, and those left `sending`.

        At most `limit`, and then as many of the channels that are not among them.
        """
        ...

    def deliveries(self, incident: str, notice: str = "") -> tuple[QueuedDelivery, ...]:
        """Return the deliveries of an incident, or of one of its notices."""
        ...

    def move_delivery(
        self,
        key: str,
        state: str,
        *,
        due_at: datetime | None = None,
        reason: str = "",
        receipt: str = "",
    ) -> None:
        """Move a delivery to a state, durably; counts an attempt when the state is `sending`.

        Raises IllegalMove when the table in `model.states` does not allow it.
        """
        ...

    def remember_people(self, audience: str, people: Sequence[AffectedPerson]) -> int:
        """Put people into the erasable contact store under an audience; return how many."""
        ...

    def audience(self, name: str) -> tuple[str, ...]:
        """Return the person ids of an audience."""
        ...

    def address_of(self, person: str, kind: str) -> str | None:
        """Return one address of a person, or None when there is none (or it was erased)."""
        ...

    def erase_person(self, person: str) -> None:
        """Forget name and addresses of a person; the chains still verify."""
        ...

    def claim(self, incident: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew the claim to drive an incident; return its fencing token.

        None when another holds it.
        """
        ...

    def holder(self, incident: str) -> str:
        """Return who drives the incident now, "" when nobody's claim is in force."""
        ...

    def release(self, incident: str, holder: str) -> None:
        """Give the claim back."""
        ...

    def note_progress(
        self, incident: str, subject: str, done: float, total: float, unit: str
    ) -> None:
        """Keep the newest progress of a subject (bounded, no part of the chain)."""
        ...

    def progress(self, incident: str) -> tuple[tuple[str, float, float, str], ...]:
        """Return the newest progress of each subject."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...


class EvidenceStore(Protocol):
    """Artefacts named by their hash."""

    def keep(self, name: str, content: bytes) -> str:
        """Store the content durably and return its SHA-256; the same content is stored once."""
        ...

    def fetch(self, digest: str) -> bytes:
        """Return the content. Raises WorldFailed when it is absent or does not match its name."""
        ...

    def name_of(self, digest: str) -> str:
        """Return the name that the artefact was kept under."""
        ...
