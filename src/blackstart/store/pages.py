# SPDX-License-Identifier: Apache-2.0
"""What is not a fact, by pages of 256 rows: deliveries and contacts, as mirrors copy them.

Facts are only ever added; these rows change, and a person can be erased from them. A mirror
therefore holds them in objects that can be replaced and removed.
"""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from blackstart.store.forms import PAGE_BITS, PAGED

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[list[Any]])


def newest_revision(connection: sqlite3.Connection) -> int:
    """Return a number that grows with every change of any page."""
    row = connection.execute("SELECT ifnull(max(revision), 0) FROM pages").fetchone()
    return int(row[0])


def changed_since(connection: sqlite3.Connection, revision: int) -> tuple[str, ...]:
    """Return the pages that changed after the revision."""
    rows = connection.execute(
        "SELECT page FROM pages WHERE revision > ? ORDER BY revision", (revision,)
    )
    return tuple(page for (page,) in rows)


def content_of(connection: sqlite3.Connection, page: str) -> bytes:
    """Return the rows of the page as bytes; empty when it has none (any more)."""
    table, _, number = page.rpartition("-")
    first = int(number) << PAGE_BITS
    rows = connection.execute(_SELECT[table], (first, first + (1 << PAGE_BITS) - 1)).fetchall()
    return _ENCODER.encode(rows) if rows else b""


def put_back(connection: sqlite3.Connection, page: str, content: bytes) -> None:
    """Put the rows of a page into a journal that has none of them.

    Raises msgspec.ValidationError or KeyError for what is no page.
    """
    table = page.rpartition("-")[0]
    connection.executemany(_INSERT[table], _DECODER.decode(content))


_READ = "SELECT rowid, {columns} FROM {table} WHERE rowid BETWEEN ? AND ? ORDER BY rowid"
_WRITE = "INSERT INTO {table} (rowid, {columns}) VALUES (?{marks})"
_SELECT = {
    table: _READ.format(columns=", ".join(columns), table=table) for table, columns in PAGED.items()
}
_INSERT = {
    table: _WRITE.format(columns=", ".join(columns), table=table, marks=", ?" * len(columns))
    for table, columns in PAGED.items()
}
