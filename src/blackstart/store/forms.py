# SPDX-License-Identifier: Apache-2.0
"""How a journal of an older form is brought to today's: the steps that were ever taken.

A new form is one more entry here, a higher `SCHEMA_VERSION`, and a fixture
(`scripts/fixture_journal.py`). A step keeps every fact as it lies.

Form 2 is for mirrors. `pages` counts the changes of what is not a fact (deliveries, contacts): rows
are taken together by 256, and triggers turn a page to a new revision, so that no writer can forget
to. `mirrors` is how far each mirror has come; `generation` and its `claimant` say which bringing
back this installation is, `superseded_by` that a later one has taken over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from blackstart.store.schema import SCHEMA_VERSION

PAGED: Mapping[str, tuple[str, ...]] = {
    "deliveries": (
        "key",
        "incident",
        "notice",
        "channel",
        "person",
        "message",
        "state",
        "attempts",
        "due_at",
        "reason",
        "receipt",
    ),
    "people": ("person", "name"),
    "addresses": ("person", "kind", "address"),
    "audiences": ("audience", "person"),
}
PAGE_BITS = 8  # 256 rows on a page

_FORM_2 = """
ALTER TABLE installation ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
ALTER TABLE installation ADD COLUMN claimant TEXT NOT NULL DEFAULT '';
ALTER TABLE installation ADD COLUMN superseded_by INTEGER NOT NULL DEFAULT 0;
CREATE TABLE pages (page TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
CREATE INDEX pages_by_revision ON pages (revision);
CREATE TABLE mirrors (
    mirror TEXT NOT NULL PRIMARY KEY,
    facts INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    whole_at INTEGER NOT NULL,
    heard_at INTEGER NOT NULL,
    failing_since INTEGER NOT NULL,
    error TEXT NOT NULL
) STRICT;
"""
_TURN = (
    "INSERT INTO pages VALUES ('{table}-' || ({row}.rowid >> {bits}),"
    " (SELECT ifnull(max(revision), 0) + 1 FROM pages))"
    " ON CONFLICT (page) DO UPDATE SET revision = excluded.revision;"
)
_MARK_ALL = "INSERT INTO pages SELECT DISTINCT '{table}-' || (rowid >> {bits}), 1 FROM {table}"


def bring_up_to_date(connection: sqlite3.Connection, version: int) -> None:
    """Take every step from the form `version` to today's, within the caller's transaction."""
    for number in range(version + 1, SCHEMA_VERSION + 1):
        for statement in _STEPS[number]():
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _to_form_2() -> Iterator[str]:
    yield from (part for part in _FORM_2.split(";") if part.strip())
    for table in PAGED:
        for verb, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
            turn = _TURN.format(table=table, row=row, bits=PAGE_BITS)
            name = f"{table}_{verb.lower()}_turns_page"
            yield f"CREATE TRIGGER {name} AFTER {verb} ON {table} BEGIN {turn} END"
        yield _MARK_ALL.format(table=table, bits=PAGE_BITS)


_STEPS = {2: _to_form_2}
