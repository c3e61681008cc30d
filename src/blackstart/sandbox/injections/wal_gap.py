# SPDX-License-Identifier: Apache-2.0
"""A file is missing in the middle of the write-ahead log: PostgreSQL takes it for the end."""

from __future__ import annotations

from pathlib import Path

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, STANZA, Layout, SandboxError
from blackstart.sandbox.on_site import expect, sql

_SEGMENTS = 3


def tear_gap(layout: Layout) -> None:
    """Write some segments, wait until they are archived, delete one in the middle everywhere."""
    site = living(layout, PRODUCTION)
    names = [_write_segment(layout) for _ in range(_SEGMENTS)]
    log = site.directory / "log" / "postgres.log"
    expect("the archive", lambda: bool(_copies(layout, names[-1])), timeout_s=30, log=log)
    found = _copies(layout, names[1])
    if not found:
        raise SandboxError(f"WAL file {names[1]} is nowhere", "look at the archive")
    while found:  # what is received loses its `.partial` meanwhile, and is there under another name
        for path in found:
            path.unlink(missing_ok=True)
        found = _copies(layout, names[1])


def _write_segment(layout: Layout) -> str:
    """Fill the present segment with something, begin the next one, and return its name."""
    site = living(layout, PRODUCTION)
    write = "CREATE TABLE IF NOT EXISTS gap (at timestamptz); INSERT INTO gap VALUES (now());"
    sql(site, write, database=DATABASE)
    return sql(site, "SELECT pg_walfile_name(pg_switch_wal())", database=DATABASE)


def _copies(layout: Layout, name: str) -> list[Path]:
    archived = (layout.backup / "repo" / "archive" / STANZA).rglob(f"{name}-*")
    return [*archived, *(layout.backup / "wal").glob(f"{name}*")]


INJECTION = Injection(
    name="wal-gap",
    what="one file in the middle of the write-ahead log is gone from the archive and from what was "
    "received: the database would open with what came before it",
    expected=stops_at("restore_data.complete"),
    inject=tear_gap,
)
