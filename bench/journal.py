# SPDX-License-Identifier: Apache-2.0
"""Durable chained appends per second, beside raw SQLite commits of the same bytes, in one run.

Short rounds alternate, so that a busy disk weighs on both alike; the medians are compared. Prints
each figure beside its goal, and the speed of verifying; the exit code is 1 when the ratio misses
its goal.

    python bench/journal.py [FOLDER]     # FOLDER is on the disk to be measured; default: temporary
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from blackstart.model.events import ActionStarted
from blackstart.ports.journal import Entry
from blackstart.store.sqlite import SqliteJournal, open_journal
from blackstart.world.clock import SystemClock

ROUNDS = 250
COMMITS = 20
GOAL_RATIO = 0.7
EVENT = ActionStarted(
    run="incident-2026-11-23.r1",
    step="restore_data",
    action="restore",
    attempt=1,
    key="incident-2026-11-23/incident-2026-11-23.r1/restore_data/restore/1",
)


def raw_commits(connection: sqlite3.Connection, content: bytes) -> None:
    """Commit COMMITS rows of the same size, one by one, as durably as the journal does."""
    for _ in range(COMMITS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows (content) VALUES (?)", (content,))
        connection.execute("COMMIT")


def chained_appends(journal: SqliteJournal) -> None:
    """Append COMMITS facts, one by one."""
    for _ in range(COMMITS):
        journal.append("incident-2026-11-23", "bench", (Entry(event=EVENT),))


def rate_of(work: Callable[[], None]) -> float:
    """Return commits per second."""
    began = time.perf_counter()
    work()
    return COMMITS / (time.perf_counter() - began)


def main(folder: Path) -> int:
    """Measure in the folder; return 1 when the goal is missed."""
    journal = open_journal(folder / "journal.db", SystemClock())
    journal.append("incident-2026-11-23", "bench", (Entry(event=EVENT),))
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as stored:
        content = stored.execute("SELECT content FROM facts").fetchone()[0]
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT")
    rates = [
        (rate_of(lambda: raw_commits(raw, content)), rate_of(lambda: chained_appends(journal)))
        for _ in range(ROUNDS)
    ]
    raw.close()
    began = time.perf_counter()
    faults = journal.verify()
    verified_s = time.perf_counter() - began
    facts = journal.version()
    journal.close()
    plain, chained = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = chained / plain
    sys.stdout.write(
        f"raw SQLite commits  {plain:8.0f} /s   ({len(content)} bytes, WAL, synchronous=FULL)\n"
        f"chained appends     {chained:8.0f} /s   median of {ROUNDS} x {COMMITS}\n"
        f"ratio               {ratio:8.2f}      (goal >= {GOAL_RATIO})\n"
        f"verify              {facts / verified_s:8.0f} facts/s, {len(faults)} faults\n"
    )
    return int(ratio < GOAL_RATIO or bool(faults))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
