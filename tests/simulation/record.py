# SPDX-License-Identifier: Apache-2.0
"""The record of a simulated installation: the real journal in SQLite, each call a point to die at.

Evidence and secrets are kept in memory: what is proven here is when they are written, not how.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from blackstart.model import events as ev
from blackstart.model.errors import JournalUnavailable, Unready
from blackstart.ports.journal import Entry, Journal, QueuedDelivery
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef
from blackstart.store.sqlite import open_journal
from tests.simulation.stage import Process, Stage, Task

T = TypeVar("T")
_LEASE_S = 30.0  # of a delivery that is being sent


class Desk:
    """What the processes of one installation share: the file, and who hears of a new fact."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.path = folder / "journal.db"
        self.artefacts: dict[str, tuple[str, bytes]] = {}
        self.sealed: dict[str, str] = {}
        self.started: set[str] = set()  # keys of attempts whose start is in the record
        self.refuses_until_s = 0.0
        self.listeners: list[Callable[[], None]] = []
        self.taken_over: Callable[[], None] = lambda: None
        self.open: list[DeskJournal] = []
        self.faults: list[str] = []
        self.newest: str = ""  # who took the claim last
        self.awake: list[float] = [0.0]  # when somebody took the claim, or thawed
        stage.before_leap = self._renew
        stage.thawed = lambda: self.awake.append(stage.now_s)

    def journal(self, process: Process) -> DeskJournal:
        """Open the record for a process."""
        opened = DeskJournal(self, process, open_journal(self.path, self.stage))
        self.open.append(opened)
        return opened

    def close(self, process: Process) -> None:
        """Close what a dead process had open, as the kernel does."""
        for journal in [one for one in self.open if one.process is process]:
            journal.inner.close()
            self.open.remove(journal)

    def tell_all(self) -> None:
        """Let everybody hear that there is something new."""
        self.stage.look_soon()
        for listener in self.listeners:
            listener()

    def refuse(self, seconds: float) -> None:
        """Let nothing be written for so long."""
        self.refuses_until_s = self.stage.now_s + seconds
        self.stage.at(self.refuses_until_s, lambda: self.awake.append(self.stage.now_s))

    def awake_since(self, at_s: float) -> float:
        """Return since when, at that moment, somebody could drive without a break."""
        return max(one for one in self.awake if one <= at_s + 0.01)

    def drivers(self) -> list[Process]:
        """Return the living processes that took the claim and did not give it back."""
        return [one.process for one in self.open if one.held and one.process.is_alive]

    def _renew(self, until_s: float) -> None:
        """Renew, for a leap in time, the claims of drivers that rest: they would have done it."""
        for journal in self.open:
            awake = journal.process.thaws_at_s <= self.stage.now_s
            if journal.held and awake and journal.holding_task in self.stage.resting:
                incident, holder, ttl_s = journal.held
                journal.inner.claim(incident, holder, until_s - self.stage.now_s + ttl_s)


class DeskJournal:
    """The journal as one process sees it. Implements `ports.journal.Journal`."""

    def __init__(self, desk: Desk, process: Process, inner: Journal) -> None:
        self.desk = desk
        self.process = process
        self.inner = inner
        self.held: tuple[str, str, float] | None = None
        self.holding_task: Task | None = None

    def _write(self, what: str, write: Callable[[], T]) -> T:
        stage = self.desk.stage
        stage.point(f"{what} before")
        if stage.now_s < self.desk.refuses_until_s:
            raise JournalUnavailable("The record cannot grow: the disk is full.", "Free space.")
        written = write()
        stage.point(f"{what} after")
        return written

    def _read(self, read: Callable[[], T]) -> T:
        self.desk.stage.must_live()
        return read()

    def with_fence(self, incident: str, token: int) -> DeskJournal:
        """Return the same record for the holder of a claim."""
        return DeskJournal(self.desk, self.process, self.inner.with_fence(incident, token))

    def append(
        self, chain: str, actor: str, entries: Sequence[Entry], *, expect_seq: int | None = None
    ) -> tuple[ev.Fact, ...]:
        """Append, tell everybody."""

        def write() -> tuple[ev.Fact, ...]:
            facts = self.inner.append(chain, actor, entries, expect_seq=expect_seq)
            if actor != self.desk.newest:
                self.desk.faults.append(f"{actor} wrote while {self.desk.newest} has the claim")
            for fact in facts:
                self.desk.stage.tell(say(fact))
                if isinstance(fact.event, ev.ActionStarted):
                    self.desk.started.add(fact.event.key)
            self.desk.tell_all()
            return facts

        return self._write("append", write)

    def version(self) -> int:
        """Return how many facts there are."""
        return self._read(self.inner.version)

    def read(self, chain: str, after_seq: int = 0) -> tuple[ev.Fact, ...]:
        """Return the facts of a chain after the given number."""
        return self._read(lambda: self.inner.read(chain, after_seq))

    def chains(self) -> tuple[str, ...]:
        """Return the names of all chains."""
        return self._read(self.inner.chains)

    def verify(self) -> tuple[str, ...]:
        """Return every fault of every chain."""
        return self._read(self.inner.verify)

    def due_deliveries(
        self, incident: str, now: datetime, limit: int
    ) -> tuple[QueuedDelivery, ...]:
        """Return what is to be sent now."""
        return self._read(lambda: self.inner.due_deliveries(incident, now, limit))

    def deliveries(self, incident: str, notice: str = "") -> tuple[QueuedDelivery, ...]:
        """Return the deliveries of an incident, or of one of its notices."""
        return self._read(lambda: self.inner.deliveries(incident, notice))

    def move_delivery(
        self,
        key: str,
        state: str,
        *,
        due_at: datetime | None = None,
        reason: str = "",
        receipt: str = "",
    ) -> None:
        """Move a delivery; whoever rests looks again when it is due."""

        def write() -> None:
            self.inner.move_delivery(key, state, due_at=due_at, reason=reason, receipt=receipt)
            stage = self.desk.stage
            if state == "sending":
                stage.after(_LEASE_S + 0.01, stage.look_soon)
            elif due_at is not None:
                stage.at(stage.at_s(due_at) + 0.01, stage.look_soon)

        self._write("move_delivery", write)

    def remember_people(self, audience: str, people: Sequence[AffectedPerson]) -> int:
        """Put people into the contact store."""
        return self._write("remember", lambda: self.inner.remember_people(audience, people))

    def audience(self, name: str) -> tuple[str, ...]:
        """Return the person ids of an audience."""
        return self._read(lambda: self.inner.audience(name))

    def address_of(self, person: str, kind: str) -> str | None:
        """Return one address of a person."""
        return self._read(lambda: self.inner.address_of(person, kind))

    def erase_person(self, person: str) -> None:
        """Forget a person."""
        self._write("erase", lambda: self.inner.erase_person(person))

    def claim(self, incident: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew the claim."""

        def write() -> int | None:
            token = self.inner.claim(incident, holder, ttl_s)
            if token is not None:
                self._note_claim(incident, holder, ttl_s)
            return token

        token = self._write("claim", write)
        if token is None:
            self.held = None
        return token

    def _note_claim(self, incident: str, holder: str, ttl_s: float) -> None:
        if self.held is None:
            self.holding_task = self.desk.stage.current
        self.held = (incident, holder, ttl_s)
        if holder != self.desk.newest:
            self.desk.newest = holder
            self.desk.taken_over()
            self.desk.awake.append(self.desk.stage.now_s)

    def holder(self, incident: str) -> str:
        """Return who drives the incident now."""
        return self._read(lambda: self.inner.holder(incident))

    def release(self, incident: str, holder: str) -> None:
        """Give the claim back."""
        self._write("release", lambda: self.inner.release(incident, holder))
        self.held = None
        self.desk.tell_all()

    def note_progress(
        self, incident: str, subject: str, done: float, total: float, unit: str
    ) -> None:
        """Keep the newest progress of a subject."""
        self._write(
            "progress", lambda: self.inner.note_progress(incident, subject, done, total, unit)
        )

    def progress(self, incident: str) -> tuple[tuple[str, float, float, str], ...]:
        """Return the newest progress of each subject."""
        return self._read(lambda: self.inner.progress(incident))

    def close(self) -> None:
        """Close the record."""
        self.inner.close()


class DeskEvidence:
    """Artefacts of the installation, in memory. Implements `ports.journal.EvidenceStore`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def keep(self, name: str, content: bytes) -> str:
        """Keep the content under its hash."""
        self._desk.stage.point("keep before")
        digest = hashlib.sha256(content).hexdigest()
        self._desk.artefacts.setdefault(digest, (name, content))
        self._desk.stage.point("keep after")
        return digest

    def fetch(self, digest: str) -> bytes:
        """Return the content."""
        return self._desk.artefacts[digest][1]

    def name_of(self, digest: str) -> str:
        """Return the name that it was kept under."""
        return self._desk.artefacts[digest][0]


class DeskSecrets:
    """Secrets of the installation, in memory. Implements `ports.secrets.SecretBox`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def put(self, run: str, name: str, value: str) -> SecretRef:
        """Seal it; the first value of a name stays."""
        self._desk.stage.point("put before")
        ref = SecretRef(f"secret:run/{run}/{name}")
        self._desk.sealed.setdefault(str(ref), value)
        self._desk.stage.point("put after")
        return ref

    def reveal(self, ref: SecretRef) -> str:
        """Return the value."""
        if str(ref) not in self._desk.sealed:
            raise Unready(f"The secret {ref} is not there.", "Put it there.")
        return self._desk.sealed[str(ref)]


def say(fact: ev.Fact) -> str:
    """Return one line of the story for a fact."""
    event = fact.event
    wanted = ("run", "step", "action", "attempt", "ask", "answer", "notice", "outcome", "finding")
    words = [str(getattr(event, name)) for name in wanted if getattr(event, name, "")]
    return f"{fact.seq:4} {type(event).__name__} {' '.join(words)} [{fact.actor}]"
