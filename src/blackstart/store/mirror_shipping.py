# SPDX-License-Identifier: Apache-2.0
"""Ships what was recorded to one mirror: each round adds one whole segment, or nothing.

Before a segment come the files that it speaks of, after it goes what it replaced. A death at any
point leaves the mirror at the segment before. Of two shippers at once one makes the segment, the
other sees it, takes it for its own (both ship the same record) and goes on after it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from blackstart.model.codec import digest_of
from blackstart.model.errors import MirrorFailed, Refused, Superseded
from blackstart.ports.clock import Clock
from blackstart.ports.depot import Depot
from blackstart.store.database import Database
from blackstart.store.generation import Standing, note_superseded, standing_of, superseded
from blackstart.store.mirror_delta import Cursor, Delta, delta_of, fits
from blackstart.store.mirror_files import KEY_FILE, Files, key_fingerprint
from blackstart.store.mirror_form import (
    INSTALLATION_KEY,
    PAGES,
    Alive,
    Claim,
    Owner,
    Segment,
    alive_key,
    digest_of_object,
    generation_key,
    page_key,
    read_as,
    sealed,
    segment_key,
    written,
)
from blackstart.store.mirror_progress import (
    note_failing,
    note_heard,
    note_whole,
    was_ever_whole,
)
from blackstart.store.mirror_reading import newest_first, newest_generation, owner_of
from blackstart.store.schema import to_ms

_ASK_EVERY_S = 2.0  # whether a later generation has taken over
_ALIVE_EVERY_S = 5.0
_RACES = 5  # segments of others met in a row


class Shipper:
    """Ships one home to one depot. For one thread; several at once, anywhere, do no harm."""

    def __init__(
        self,
        database: Database,
        home: Path,
        depot: Depot,
        clock: Clock,
        mirrors: Callable[[], tuple[str, ...]],
        *,
        is_only: bool = False,
    ) -> None:
        """Keep what to ship; `mirrors` returns the places of all mirrors, which each will know.

        `is_only`: no other shipper of this home is at work there, so what no segment speaks of is
        of no use and is removed; it may be what another is about to speak of.
        """
        self._is_only = is_only
        self.depot = depot
        self._database = database
        self._home = home
        self._clock = clock
        self._mirrors = mirrors
        self._cursor: Cursor | None = None
        self._files: Files | None = None
        self._asked_s = self._alive_s = float("-inf")
        self._is_swept = False

    def ship(self) -> None:
        """Bring the mirror up to date, and note how that went.

        Raises MirrorFailed when the place does not do its part, Refused when it belongs to
        another installation, Superseded when a later generation has taken over.
        """
        try:
            self._ship()
        except (MirrorFailed, Refused, Superseded) as error:
            self._cursor = self._files = None  # what came of it is seen when it is looked at anew
            self._asked_s = float("-inf")
            self.note_failing(error.what)
            raise

    def note_failing(self, what: str) -> None:
        """Note for all to see that the mirror is not kept up to date, and why."""
        at = self._clock.now()
        self._database.write_lightly(
            lambda connection: note_failing(connection, self.depot.name, what, at)
        )

    def _ship(self) -> None:
        with self._database.reading() as connection:
            standing = standing_of(connection)
        self._must_be_in_force(standing)
        races = 0
        while races < _RACES:
            if self._cursor is None or self._files is None:
                self._files = Files(self._home, self.depot)
                self._cursor = self._adopted(standing)
            cursor, at = self._cursor, self._clock.now()
            with self._database.snapshot() as connection:
                delta = delta_of(connection, cursor)
            pending = self._files.copy_small()
            lacks = delta.changes(cursor) or (delta.is_whole and cursor.told != self._to_tell())
            if lacks and not self._add(cursor, delta, standing, pending, to_ms(at)):
                self._cursor = None  # somebody else made that segment: see what it holds
                races += 1
            elif delta.is_whole:
                cursor.revision = delta.revision
                self._tell_whole(cursor, standing, at, is_news=lacks)
                self._files.copy_large()
                return
        raise MirrorFailed(
            f"Others add to {self.depot.name} faster than this program can follow.",
            "See which programs ship this home; one is enough.",
        )

    def _must_be_in_force(self, standing: Standing) -> None:
        """Ask now and then which generation is in force; see to it that ours is known there."""
        if standing.superseded_by:
            raise superseded(standing.generation, standing.superseded_by)
        now_s = self._clock.monotonic_s()
        if self._cursor is not None and now_s - self._asked_s < _ASK_EVERY_S:
            return
        newest = newest_generation(self.depot)
        if newest > standing.generation:
            self._database.write(lambda connection: note_superseded(connection, newest))
            raise superseded(standing.generation, newest)
        self._asked_s = now_s
        at = self._clock.now()
        self._database.write_lightly(lambda connection: note_heard(connection, self.depot.name, at))

    def _adopted(self, standing: Standing) -> Cursor:
        """Return how far the mirror has come, having made sure that it is ours."""
        self._must_be_ours(standing)
        own = [0]
        for place in newest_first(self.depot, standing.generation):
            if place[0] == standing.generation:
                own.append(place[1])
            key = segment_key(place)
            whole = self.depot.fetch(key)
            try:
                segment = read_as(Segment, key, whole or b"")
            except MirrorFailed:
                continue  # damaged: what it held is shipped once more, after the one before it
            with self._database.reading() as connection:
                lacking = fits(connection, segment.ends)
            if not lacking:
                is_own = place[0] == standing.generation
                return Cursor(
                    follows=place,
                    previous=digest_of_object(whole or b""),
                    number=max(own) + 1,
                    ends=dict(segment.ends),
                    pages=dict(segment.pages) if is_own else {},
                    told=(tuple(segment.mirrors), segment.key),
                )
            if place[0] == standing.generation:
                raise Superseded(
                    f"The mirror {self.depot.name} holds {lacking}, which this record lacks: this "
                    "folder is an older copy of the installation.",
                    "Put it aside and bring the installation back: `blackstart journal restore`.",
                )
        return Cursor(number=max(own) + 1)

    def _must_be_ours(self, standing: Standing) -> None:
        owner = owner_of(self.depot)
        if owner is None:
            self._must_be_new()
            self.depot.put_new(INSTALLATION_KEY, written(Owner(identity=standing.identity)))
            owner = owner_of(self.depot)
        if owner is None or owner.identity != standing.identity:
            raise Refused(
                f"The mirror {self.depot.name} belongs to another installation.",
                "Give each installation a folder or prefix of its own.",
            )
        claim_generation(self.depot, standing, to_ms(self._clock.now()))

    def _must_be_new(self) -> None:
        """An empty place that held a mirror is most likely a mount that is missing."""
        with self._database.reading() as connection:
            was_whole = was_ever_whole(connection, self.depot.name)
        if was_whole:
            raise MirrorFailed(
                f"The mirror {self.depot.name} is empty, though it held the record before.",
                "Mount it, or find out who emptied it; `blackstart journal mirror` begins anew.",
            )

    def _add(
        self,
        cursor: Cursor,
        delta: Delta,
        standing: Standing,
        pending: tuple[str, ...],
        taken_ms: int,
    ) -> bool:
        """Add one segment; say whether it was ours that was made."""
        pages = self._put_pages(cursor, delta, standing.generation)
        mirrors, key = self._to_tell()
        segment = Segment(
            generation=standing.generation,
            number=cursor.number,
            follows=cursor.follows,
            previous=cursor.previous,
            taken_ms=taken_ms,
            is_whole=delta.is_whole,
            ends=dict(delta.ends),
            facts=delta.facts,
            pages=pages,
            pending=list(pending),
            key=key,
            mirrors=list(mirrors),
        )
        whole = written(segment)
        if not self.depot.put_new(segment_key(segment.place), whole):
            return False
        for page, digest in cursor.pages.items():
            if pages.get(page) != digest:
                self.depot.remove(page_key(standing.generation, page, digest))
        cursor.follows, cursor.previous = segment.place, digest_of_object(whole)
        cursor.number += 1
        cursor.ends, cursor.pages = dict(segment.ends), pages
        cursor.told = mirrors, key
        return True

    def _put_pages(self, cursor: Cursor, delta: Delta, generation: int) -> dict[str, str]:
        """Store the pages that changed; return the digest of every page."""
        pages = dict(cursor.pages)
        for page, content in delta.pages.items():
            digest = digest_of(content)
            if not content:
                pages.pop(page, None)
            elif pages.get(page) != digest:
                self.depot.put(page_key(generation, page, digest), sealed(content))
                pages[page] = digest
        return pages

    def _to_tell(self) -> tuple[tuple[str, ...], str]:
        """Return what whoever brings the installation back has to know besides the record."""
        return self._mirrors(), key_fingerprint(self._home / KEY_FILE)

    def _sweep(self, cursor: Cursor, standing: Standing) -> None:
        """Remove pages that no segment of ours speaks of, once: erased people may be on them."""
        kept = {
            page_key(standing.generation, page, digest) for page, digest in cursor.pages.items()
        }
        for key in self.depot.keys(PAGES):
            if key not in kept and int(key.split("/")[1]) <= standing.generation:
                self.depot.remove(key)
        self._is_swept = True

    def _tell_whole(
        self, cursor: Cursor, standing: Standing, at: datetime, *, is_news: bool
    ) -> None:
        """Note that the mirror is whole: here for others to see, and there for whoever opens it."""
        now_s = self._clock.monotonic_s()
        is_time = now_s - self._alive_s >= _ALIVE_EVERY_S
        count = sum(end.seq for end in cursor.ends.values())
        if is_news or is_time:
            self._database.write_lightly(
                lambda connection: note_whole(
                    connection, self.depot.name, count, cursor.revision, at
                )
            )
        if is_time:
            told = Alive(at_ms=to_ms(at), count=count, host=socket.gethostname())
            self.depot.put(alive_key(standing.generation), written(told))
            self._alive_s = now_s
        if is_news and self._is_only and not self._is_swept:
            self._sweep(cursor, standing)


def claim_generation(depot: Depot, standing: Standing, at_ms: int) -> None:
    """See to it that our generation is known there, and that nobody else claimed its number.

    Raises Superseded when somebody did.
    """
    key = generation_key(standing.generation)
    claim = Claim(
        generation=standing.generation,
        claimant=standing.claimant,
        host=socket.gethostname(),
        at_ms=at_ms,
    )
    if depot.put_new(key, written(claim)):
        return
    found = read_as(Claim, key, depot.fetch(key) or b"")
    if found.claimant != standing.claimant:
        raise Superseded(
            f"Generation {standing.generation} was claimed twice: at {depot.name} by "
            f"{found.host}, and by this installation.",
            "Decide which of the two goes on, end the other, and bring the first back once more "
            "with `blackstart journal restore`: that raises the generation above both.",
        )
