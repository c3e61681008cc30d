# SPDX-License-Identifier: Apache-2.0
"""Durable chained appends per second, beside raw SQLite commits of the same bytes, in one run.

Short rounds alternate, so that a busy disk weighs on all alike; the medians are compared. The same
once more while a mirror is shipped to from this process, and how long a million facts take to
verify. Prints each figure beside its goal; the exit code is 1 when one is missed.

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
from datetime import UTC, datetime
from pathlib import Path

from blackstart.bootstrap import Home, open_home
from blackstart.model.codec import GENESIS, digest_of, encode_fact
from blackstart.model.events import ActionStarted
from blackstart.ports.journal import Entry
from blackstart.store.schema import position_of, to_ms
from blackstart.store.sqlite import SqliteJournal, open_journal
from blackstart.world.clock import SystemClock

ROUNDS = 250
COMMITS = 20
GOAL_RATIO = 0.7
MILLION = 1_000_000
GOAL_VERIFY_S = 15.0
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


def mirrored_appends(home: Home) -> None:
    """Append COMMITS facts, one by one, to a record that is being shipped."""
    for _ in range(COMMITS):
        home.journal.append("incident-2026-11-23", "bench", (Entry(event=EVENT),))


def side_by_side(folder: Path) -> bool:
    """Print commits, appends and mirrored appends per second; say whether the goals are met."""
    journal = open_journal(folder / "journal.db", SystemClock())
    journal.append("incident-2026-11-23", "bench", (Entry(event=EVENT),))
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as stored:
        content = stored.execute("SELECT content FROM facts").fetchone()[0]
    raw = sqlite3.connect(folder / "raw.db", isolation_level=None)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, content BLOB NOT NULL) STRICT")
    mirrored = open_home(folder / "mirrored")
    (folder / "place").mkdir()
    mirrored.mirrors.add(f"dir:{folder / 'place'}")
    with mirrored.mirrors.shipping(lambda told: print(told, file=sys.stderr)):
        rates = [
            (
                rate_of(lambda: raw_commits(raw, content)),
                rate_of(lambda: chained_appends(journal)),
                rate_of(lambda: mirrored_appends(mirrored)),
            )
            for _ in range(ROUNDS)
        ]
    behind = [view.behind_facts for view in mirrored.mirrors.views()]
    faults = (*journal.verify(), *mirrored.journal.verify())
    mirrored.journal.close()
    journal.close()
    raw.close()
    plain, chained, shipped = (statistics.median(column) for column in zip(*rates, strict=True))
    sys.stdout.write(
        f"raw SQLite commits  {plain:8.0f} /s   ({len(content)} bytes, WAL, synchronous=FULL)\n"
        f"chained appends     {chained:8.0f} /s   median of {ROUNDS} x {COMMITS}\n"
        f"ratio               {chained / plain:8.2f}      (goal >= {GOAL_RATIO})\n"
        f"with a mirror       {shipped:8.0f} /s   shipped to from the same process; at its end "
        f"{behind[0]} facts behind\n"
        f"ratio               {shipped / plain:8.2f}      (goal >= {GOAL_RATIO})\n"
    )
    return min(chained, shipped) / plain >= GOAL_RATIO and not faults and behind == [0]


def write_million(path: Path) -> None:
    """Fill a journal with a million chained facts in one transaction."""
    open_journal(path, SystemClock()).close()
    at = datetime(2026, 11, 23, 3, tzinfo=UTC)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        digest = GENESIS
        for seq in range(1, MILLION + 1):
            content = encode_fact("incident", seq, at, "bench", EVENT, digest)
            digest = digest_of(content)
            connection.execute(
                "INSERT INTO facts VALUES (?, ?, ?)", (position_of(1, seq), digest, content)
            )
        connection.execute(
            "INSERT INTO chains VALUES (1, 'incident', ?, ?, ?)", (MILLION, digest, to_ms(at))
        )
        connection.execute("COMMIT")


def verified(folder: Path) -> bool:
    """Print how long a million facts take to verify; say whether the goal is met."""
    write_million(folder / "million.db")
    journal = open_journal(folder / "million.db", SystemClock())
    began = time.perf_counter()
    faults = journal.verify()
    took_s = time.perf_counter() - began
    journal.close()
    sys.stdout.write(
        f"verify              {took_s:8.1f} s    a million facts, {len(faults)} faults "
        f"(goal <= {GOAL_VERIFY_S:g} s)\n"
    )
    return took_s <= GOAL_VERIFY_S and not faults


def main(folder: Path) -> int:
    """Measure in the folder; return 1 when a goal is missed."""
    return int(not (side_by_side(folder) & verified(folder)))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(main(Path(sys.argv[1])))
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(main(Path(temporary)))
