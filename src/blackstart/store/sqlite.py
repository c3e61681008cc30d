# SPDX-License-Identifier: Apache-2.0
"""The journal in one SQLite file: nothing to install and nothing to run beside it.

Implements `ports.journal.Journal`; each method is one transaction of the part that it belongs
to (chain, outbox, contacts, claims).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from blackstart.model.errors import JournalLost, Superseded, WorldFailed
from blackstart.model.events import Fact
from blackstart.ports.clock import Clock
from blackstart.ports.journal import Entry, MirrorView, QueuedDelivery
from blackstart.ports.roster import AffectedPerson
from blackstart.store import claims, contacts, outbox
from blackstart.store.chain import Draft, End, Linked, append_facts, read_facts
from blackstart.store.database import Database
from blackstart.store.failures import shows_damage
from blackstart.store.generation import least_token, must_be_in_force
from blackstart.store.mirror_progress import last_heard, views_of
from blackstart.store.verification import faults_of
from blackstart.world.clock import SteadyClock, boot_id


def open_journal(path: Path, clock: Clock, *, patience_s: float = 10.0) -> SqliteJournal:
    """Open the journal at this path, making file and folder first when there are none.

    `patience_s` is how long to wait for another program that is writing. Raises JournalFailed
    when it cannot be made, is no journal or is damaged; Unready when a newer Blackstart wrote it.
    """
    return SqliteJournal(Database(path, clock, patience_s=patience_s), clock)


class SqliteJournal:
    """One installation's record, for the threads of this process and for other processes."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        fence: claims.Fence | None = None,
        confirm: Callable[[], None] | None = None,
    ) -> None:
        self.database = database
        self._clock = clock
        self._of_chain: dict[str, SteadyClock] = {}
        self._fence = fence
        self._confirm = confirm
        self._ends: dict[str, End] = {}  # guesses; the database has the last word
        self._most = 0  # facts that this opening has seen

    def with_fence(self, incident: str, token: int) -> SqliteJournal:
        """Return the same record for the holder of a claim; see the port."""
        fence = claims.Fence(incident=incident, token=token)
        return SqliteJournal(self.database, self._clock, fence, self._confirm)

    def confirmed_by(self, confirm: Callable[[], None]) -> SqliteJournal:
        """Return the same record for a driver that calls `confirm` before it claims or writes.

        It raises when this installation may not act, a later generation having taken over.
        """
        return SqliteJournal(self.database, self._clock, self._fence, confirm)

    def append(
        self, chain: str, actor: str, entries: Sequence[Entry], *, expect_seq: int | None = None
    ) -> tuple[Fact, ...]:
        """Append all entries in one durable transaction and return the facts.

        Raises Refused for an outdated claim or another end of the chain than expected, and
        JournalFailed when it cannot be written; nothing is left behind then.
        """
        events = [entry.event for entry in entries]
        parcels = [parcel for entry in entries for parcel in entry.parcels]

        guess = self._ends.get(chain)
        clock = self._clock_of(chain)

        def work(connection: sqlite3.Connection) -> Linked:
            self._must_be_allowed(connection)
            draft = Draft(chain=chain, actor=actor, events=events, now=clock.now())
            linked = append_facts(connection, draft, expect_seq=expect_seq, guess=guess)
            if parcels:
                outbox.queue(connection, chain, parcels, linked.facts[-1].at)
            return linked

        if not events:
            return ()
        self._must_be_confirmed()
        linked = self.database.write(work)
        self._ends[chain] = linked.end
        clock.not_before(linked.facts[-1].at)
        return linked.facts

    def _clock_of(self, chain: str) -> SteadyClock:
        """Return the clock that goes on from the chain's last fact, also when ours is behind it."""
        return self._of_chain.setdefault(chain, SteadyClock(self._clock))

    def version(self) -> int:
        """Return how many facts there are in all chains together. Raises JournalLost when fewer."""
        with self.database.reading() as connection:
            row = connection.execute("SELECT ifnull(sum(seq), 0) FROM chains").fetchone()
        found = int(row[0])
        if found < self._most:
            raise JournalLost(
                f"The record at {self.database.path} lacks facts that were in it: "
                f"{self._most} were seen, {found} are left.",
                "An older copy was put in its place: end every Blackstart here, put back the "
                "newest one, then start again.",
            )
        self._most = found
        return found

    def read(self, chain: str, after_seq: int = 0) -> tuple[Fact, ...]:
        """Return the facts of a chain after the given number, in order."""
        with self.database.reading() as connection:
            facts = read_facts(connection, chain, after_seq)
        if facts:
            self._clock_of(chain).not_before(facts[-1].at)
        return facts

    def chains(self) -> tuple[str, ...]:
        """Return the names of all chains, oldest first."""
        with self.database.reading() as connection:
            rows = connection.execute("SELECT chain FROM chains ORDER BY place").fetchall()
        return tuple(name for (name,) in rows)

    def verify(self) -> tuple[str, ...]:
        """Return every fault of every chain and of the file itself; empty when sound."""
        faults: list[str] = []
        with self.database.snapshot() as connection:
            try:
                faults += faults_of(connection)
                lines = connection.execute("PRAGMA integrity_check(20)").fetchall()
                faults += (f"The file is damaged: {line}." for (line,) in lines if line != "ok")
            except sqlite3.Error as error:
                if not shows_damage(error):
                    raise
                faults.append(f"The file is damaged: {error}.")
        return tuple(faults)

    def due_deliveries(
        self, incident: str, now: datetime, limit: int
    ) -> tuple[QueuedDelivery, ...]:
        """Return what is to be sent now, and what was left `sending` for 30 s by a dead sender."""
        with self.database.reading() as connection:
            return outbox.due(connection, incident, now, limit)

    def deliveries(self, incident: str, notice: str = "") -> tuple[QueuedDelivery, ...]:
        """Return the deliveries of an incident, or of one of its notices."""
        with self.database.reading() as connection:
            return outbox.of_incident(connection, incident, notice)

    def move_delivery(
        self,
        key: str,
        state: str,
        *,
        due_at: datetime | None = None,
        reason: str = "",
        receipt: str = "",
    ) -> None:
        """Move a delivery, durably. Of several that move it alike, one succeeds."""

        def work(connection: sqlite3.Connection) -> None:
            self._must_be_allowed(connection)
            outbox.move_delivery(
                connection,
                key,
                state,
                now=self._clock.now(),
                due_at=due_at,
                reason=reason,
                receipt=receipt,
            )

        self._must_be_confirmed()
        self.database.write(work)

    def remember_people(self, audience: str, people: Sequence[AffectedPerson]) -> int:
        """Put people and addresses into the contact store under an audience; returns how many."""
        return self.database.write_without_traces(
            lambda connection: contacts.remember(connection, audience, people)
        )

    def audience(self, name: str) -> tuple[str, ...]:
        """Return the person ids of an audience."""
        with self.database.reading() as connection:
            return contacts.members_of(connection, name)

    def address_of(self, person: str, kind: str) -> str | None:
        """Return one address of a person, or None when there is none (or it was erased)."""
        with self.database.reading() as connection:
            return contacts.address_of(connection, person, kind)

    def erase_person(self, person: str) -> None:
        """Forget a person, leaving no bytes in the files; the chains still verify.

        Raises WorldFailed when another program held an older state of the file open for long:
        the person is forgotten then, but bytes remain until the call is repeated.
        """
        self.database.write_without_traces(lambda connection: contacts.erase(connection, person))
        with self.database.reading() as connection:
            row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if row[0]:
            raise WorldFailed(
                f"'{person}' is forgotten, but traces are left in the write-ahead log, "
                "because another program was reading the record.",
                "Repeat the command when the other program has ended.",
            )

    def claim(self, incident: str, holder: str, ttl_s: float) -> int | None:
        """Take or renew the claim to drive an incident; None when another holds it.

        Raises Superseded when a later generation has taken over.
        """
        self._must_be_confirmed()

        def work(connection: sqlite3.Connection) -> int | None:
            must_be_in_force(connection)
            above = least_token(connection)
            return claims.take(connection, incident, holder, self._instant(), ttl_s, above=above)

        return self.database.write(work)

    def holder(self, incident: str) -> str:
        """Return who drives the incident now, "" when nobody's claim is in force."""
        with self.database.reading() as connection:
            return claims.holder_of(connection, incident, self._instant())

    def _instant(self) -> claims.Instant:
        return claims.Instant(boot=boot_id(), at_s=self._clock.monotonic_s())

    def release(self, incident: str, holder: str) -> None:
        """Give the claim back."""
        self.database.write(lambda connection: claims.give_back(connection, incident, holder))

    def note_progress(
        self, incident: str, subject: str, done: float, total: float, unit: str
    ) -> None:
        """Keep the newest progress of a subject; not worth a sync of the disk."""
        self.database.write_lightly(
            lambda connection: connection.execute(
                "INSERT INTO progress (incident, subject, done, total, unit)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (incident, subject) DO UPDATE SET"
                " done = excluded.done, total = excluded.total, unit = excluded.unit",
                (incident, subject, done, total, unit),
            )
        )

    def progress(self, incident: str) -> tuple[tuple[str, float, float, str], ...]:
        """Return the newest progress of each subject, in the order in which they appeared."""
        with self.database.reading() as connection:
            return tuple(
                connection.execute(
                    "SELECT subject, done, total, unit FROM progress WHERE incident = ?"
                    " ORDER BY rowid",
                    (incident,),
                ).fetchall()
            )

    def replaced(self) -> str:
        """Return the sentence that says that the installation was replaced, "" when it was not."""
        try:
            with self.database.reading() as connection:
                must_be_in_force(connection)
        except Superseded as error:
            return error.what
        return ""

    def heard(self) -> datetime | None:
        """Return when a mirror last said that no later generation has taken over."""
        with self.database.reading() as connection:
            return last_heard(connection)

    def mirrors(self) -> tuple[MirrorView, ...]:
        """Return how far each mirror of the record has come."""
        with self.database.reading() as connection:
            return views_of(connection, self._clock.now())

    def _must_be_confirmed(self) -> None:
        if self._confirm is not None:
            self._confirm()

    def _must_be_allowed(self, connection: sqlite3.Connection) -> None:
        """Within the transaction: the file was not replaced, the claim not taken over."""
        must_be_in_force(connection)
        if self._fence is not None:
            claims.must_be_newest(connection, self._fence)

    def close(self) -> None:
        """Close the store, for everyone who shares this opening of it."""
        self.database.close()
