# SPDX-License-Identifier: Apache-2.0
"""Keeps a small journal of today's form for the tests of tomorrow.

    .venv/bin/python scripts/fixture_journal.py

Writes `tests/fixtures/journals/form-N.db` and, so that a review can read it, the same as text in
`form-N.txt`. N is `SCHEMA_VERSION`. Run it once for each new form, in the change that raises the
number, and never again for the same form: what was released stays as it was written, and every
later Blackstart has to open it (`tests/unit/test_released_journals.py`). New kinds of facts need
no new form; they get a fixture with the next one.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from blackstart.model.events import EVENTS, INSTALLATION, NoticeQueued
from blackstart.ports.journal import Entry
from blackstart.ports.roster import AffectedPerson
from blackstart.store.schema import SCHEMA_VERSION
from blackstart.store.sqlite import open_journal
from tests.journals import START, SetClock, notice, text_of
from tests.sample_facts import INCIDENT, complete_drill

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "journals"
EVERY_KIND = "every-kind"
PEOPLE = (
    AffectedPerson(id="u1", name="Ada Example", addresses={"email": "ada@example.com"}),
    AffectedPerson(id="u2", name="Bob Example", addresses={"email": "bob@example.com"}),
)
_PLAIN: Mapping[Any, Any] = {
    str: "text",
    float: 1.5,
    int: 1,
    bool: True,
    datetime: START,
}


def sample_of(kind: Any) -> Any:
    """Return some value of a type that events are made of, with nothing left empty."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{field.name: sample_of(hints[field.name]) for field in fields(kind)})
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        return (sample_of(inner[0]),)
    if origin is types.UnionType or origin is typing.Union:
        return sample_of(inner[0])
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"name": sample_of(inner[1]) if inner[1] in _PLAIN else "value"}
    raise TypeError(f"no sample of {kind}")


def entries_of_every_kind() -> Iterator[Entry]:
    """Yield one event of every kind."""
    for kind in EVENTS.values():
        yield Entry(event=sample_of(kind))


def fill(path: Path) -> None:
    """Write a complete drill, one event of every kind, and messages in several states."""
    clock = SetClock()
    journal = open_journal(path, clock)
    for fact in complete_drill():
        clock.move((fact.at - clock.now()).total_seconds())
        journal.append(INCIDENT, fact.actor, [Entry(event=fact.event)])
    journal.append(EVERY_KIND, "p1", list(entries_of_every_kind()))
    journal.append(INSTALLATION, "p1", [Entry(event=sample_of(EVENTS["RestorePointVerified"]))])
    journal.remember_people("users", PEOPLE)
    queued = notice(("u1", "u2"), name="sample")
    assert isinstance(queued.event, NoticeQueued)
    journal.append("messages", "p1", [queued])
    key = journal.deliveries("messages")[0].key
    journal.move_delivery(key, "sending")
    journal.move_delivery(key, "accepted", receipt="<m1>")
    journal.claim(INCIDENT, "driver@example:1", timedelta(seconds=15).total_seconds())
    journal.note_progress(INCIDENT, "restore_data.restore", 3, 4, "MiB")
    journal.close()


def main() -> int:
    """Write the fixture; return 1 when there is one of this form already."""
    path = FOLDER / f"form-{SCHEMA_VERSION}.db"
    if path.exists():
        print(f"{path} is there already: what was released stays as it was written.")
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    fill(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    path.with_suffix(".txt").write_text(text_of(path), encoding="utf-8")
    for beside in ("-wal", "-shm", ".lock"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    print(f"{path}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
