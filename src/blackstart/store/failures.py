# SPDX-License-Identifier: Apache-2.0
"""What SQLite's errors mean to a person, and what to do about each.

Codes: https://www.sqlite.org/rescode.html (the lowest byte is the primary code).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from blackstart.model.errors import JournalFailed, JournalLost, JournalUnavailable

_NOTHING_DONE = "nothing was recorded and nothing was done"
_LOCKED = (
    "is locked by another program",
    (
        "See who holds it with `fuser {path}`, let that program finish or end it, "
        f"then repeat; {_NOTHING_DONE}."
    ),
)
_READ_ONLY = (
    "may not be written",
    (
        "Give this user write access to {folder} and every file in it, or make its file system "
        f"writable, then repeat; {_NOTHING_DONE}."
    ),
)

SENTENCES: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: (
        "cannot grow: the disk is full",
        f"Free space on the file system of {{folder}}, then repeat; {_NOTHING_DONE}.",
    ),
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "Look whether {path} exists and whether this user may write to its folder, then repeat.",
    ),
    sqlite3.SQLITE_NOTADB: (
        "is not a database",
        (
            "Look whether the path is right. If it is, move the file aside (it is evidence) "
            "and put the newest copy in its place."
        ),
    ),
    sqlite3.SQLITE_CORRUPT: (
        "is damaged",
        (
            "Stop every Blackstart here, keep {path} and the files beside it as evidence, "
            "and put the newest sound copy in their place."
        ),
    ),
    sqlite3.SQLITE_IOERR: (
        "cannot be reached: the disk reported an error",
        (
            "Look at the kernel's messages (`dmesg`) and at the free space of {folder}, "
            f"repair the disk, then repeat; {_NOTHING_DONE}."
        ),
    ),
    sqlite3.SQLITE_NOMEM: (
        "cannot be used: this machine is out of memory",
        f"End what needs the memory, then repeat; {_NOTHING_DONE}.",
    ),
    sqlite3.SQLITE_CONSTRAINT: (
        "holds rows that Blackstart did not write, or would not allow",
        "Verify the record: the faults that it names show what was added or altered.",
    ),
}
_UNFORESEEN = (
    "failed in a way that was not foreseen",
    f"Keep a copy of {{folder}}, verify the record, then repeat; {_NOTHING_DONE}.",
)

_DAMAGE = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
_PASSES = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_NOMEM,
)


def shows_damage(error: sqlite3.Error) -> bool:
    """Say whether the error speaks of the content of the file, not of reaching it."""
    return _code_of(error) in _DAMAGE


def journal_failure(error: sqlite3.Error, path: Path) -> JournalFailed:
    """Return the failure to raise for an error of SQLite on the journal at this path."""
    code = _code_of(error)
    what, hint = SENTENCES.get(code, _UNFORESEEN)
    kind = JournalLost if code in _DAMAGE else JournalFailed
    return (JournalUnavailable if code in _PASSES else kind)(
        f"The record at {path} {what} ({error}).", hint.format(path=path, folder=path.parent)
    )


def _code_of(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
