# SPDX-License-Identifier: Apache-2.0
"""Makes the home of an installation anew from what a mirror holds.

Everything is built and verified in a folder beside the new home, which gets its name last. Claims
and progress do not come back: nobody drives, and what was under way is in doubt.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from blackstart.model.codec import digest_of
from blackstart.model.errors import MirrorFailed
from blackstart.ports.clock import Clock
from blackstart.ports.depot import Depot
from blackstart.store.database import Database
from blackstart.store.evidence import open_evidence
from blackstart.store.mirror_form import (
    EVIDENCE,
    SECRETS,
    Artefact,
    opened,
    page_key,
    read_as,
)
from blackstart.store.mirror_reading import Held
from blackstart.store.pages import put_back
from blackstart.store.verification import faults_of
from blackstart.world.files import write_durably

_AT_ONCE = 16
_SECRET = re.compile(r"secrets/[A-Za-z0-9_][A-Za-z0-9._-]*/[A-Za-z0-9_][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesBack:
    """What came back of the files, and which artefacts did not."""

    evidence: int
    secrets: int
    missing: tuple[str, ...]


def rebuild_record(
    depot: Depot, held: Held, path: Path, clock: Clock, *, generation: int, claimant: str
) -> None:
    """Make the journal of the new generation at this path, and verify it.

    Raises MirrorFailed when what the mirror holds is no sound record.
    """
    pages = dict(_pages(depot, held))
    database = Database(path, clock, patience_s=10.0)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE installation SET identity = ?, generation = ?, claimant = ?",
            (held.owner.identity, generation, claimant),
        )
        for segment in held.way:
            connection.executemany(
                "INSERT INTO facts (position, digest, content) VALUES (?, ?, ?)",
                ((fact.position, fact.digest, fact.content) for fact in segment.facts),
            )
        connection.executemany(
            "INSERT INTO chains (place, chain, seq, digest, at) VALUES (?, ?, ?, ?, ?)",
            (
                (end.place, chain, end.seq, end.digest, end.at_ms)
                for chain, end in held.newest.ends.items()
            ),
        )
        for page, content in pages.items():
            put_back(connection, page, content)

    try:
        database.write(work)
        with database.snapshot() as connection:
            faults = tuple(faults_of(connection))
    except (msgspec.MsgspecError, KeyError) as error:
        raise _unsound(depot, str(error)) from error
    finally:
        database.close()
    if faults:
        raise _unsound(depot, " ".join(faults[:5]))


def _pages(depot: Depot, held: Held) -> Iterator[tuple[str, bytes]]:
    for page, digest in held.newest.pages.items():
        key = page_key(held.newest.generation, page, digest)
        whole = depot.fetch(key)
        if whole is None:
            raise MirrorFailed(
                f"{key} is gone from {depot.name}.", "Use another mirror of the installation."
            )
        content = opened(key, whole)
        if digest_of(content) != digest:
            raise _unsound(depot, f"{key} is not the page that was written.")
        yield page, content


def rebuild_files(depot: Depot, held: Held, home: Path) -> FilesBack:
    """Fetch artefacts and sealed secrets into the home. Raises MirrorFailed, WorldFailed.

    An artefact that is damaged counts as missing: its name is its digest, so nothing else can
    take its place.
    """
    evidence = open_evidence(home / EVIDENCE)
    keys = depot.keys(EVIDENCE)
    missing: set[str] = set(held.newest.pending)

    def fetch(key: str) -> None:
        digest = key.rpartition("/")[2]
        try:
            artefact = read_as(Artefact, key, depot.fetch(key) or b"")
        except MirrorFailed:
            missing.add(digest)
            return
        if evidence.keep(artefact.name, artefact.content) == digest:
            missing.discard(digest)
        else:
            missing.add(digest)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(fetch, keys):
            pass
    secrets = [key for key in depot.keys(SECRETS) if _SECRET.fullmatch(key)]
    for key in secrets:
        path = home.joinpath(*key.split("/"))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, opened(key, depot.fetch(key) or b""))
    (home / SECRETS).mkdir(mode=0o700, exist_ok=True)
    return FilesBack(
        evidence=len(keys) - len(missing & {key.rpartition("/")[2] for key in keys}),
        secrets=len(secrets),
        missing=tuple(sorted(missing)),
    )


def _unsound(depot: Depot, why: str) -> MirrorFailed:
    return MirrorFailed(
        f"What {depot.name} holds is no sound record: {why}",
        "Keep it as it is, and use another mirror of the same installation.",
    )
