# SPDX-License-Identifier: Apache-2.0
"""The SQLite file below the journal: made once, opened per thread, written in whole transactions.

WAL lets readers go on while somebody writes; `synchronous=FULL` makes a commit outlive a power
cut; every write begins with BEGIN IMMEDIATE, so that what it read is still so when it commits.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from blackstart.model.errors import JournalFailed, JournalLost, JournalUnavailable, Unready
from blackstart.ports.clock import Clock
from blackstart.store.failures import journal_failure
from blackstart.store.forms import bring_up_to_date
from blackstart.store.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION
from blackstart.world.files import locked, sync_folder
from blackstart.world.random import nonce

Written = TypeVar("Written")

_BESIDE = ("-wal", "-shm")


class _Held:
    """A connection that is closed when its thread, and with it the last reference, is gone."""

    __slots__ = ("__weakref__", "connection")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class _OfThread(threading.local):
    held: _Held | None = None


class Database:
    """One SQLite file, shared by the threads of this process and by other processes."""

    def __init__(self, path: Path, clock: Clock, *, patience_s: float) -> None:
        """Open the file, making it first when there is none.

        `patience_s` is how long a statement waits for a lock. Raises JournalFailed when the file
        cannot be made, is no journal or is damaged; Unready when a newer Blackstart wrote it.
        """
        self.path = path
        self._clock = clock
        self._look_again_at = 0.0
        self._patience_s = patience_s
        self._of_thread = _OfThread()
        self._all: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._is_closed = False
        try:
            _make_if_absent(path)
            self._inode = path.stat().st_ino
        except OSError as error:
            raise JournalUnavailable(
                f"The record at {path} cannot be made ({error.strerror}).",
                f"Let this user write to {path.parent}, or name another home, then repeat.",
            ) from error
        try:
            with self.reading() as connection:
                version = _must_be_ours(connection, path)
            if version < SCHEMA_VERSION:
                self.write(lambda connection: _bring_up_to_date(connection, path))
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend the thread's connection for single statements."""
        self._must_be_in_place()
        try:
            yield self._connection()
        except sqlite3.Error as error:
            raise journal_failure(error, self.path) from error

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Lend it for several statements that must all see the same moment."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _undo(connection)

    def write(self, work: Callable[[sqlite3.Connection], Written]) -> Written:
        """Do the work in a transaction: durable when this returns, undone when it raises."""
        self._must_be_in_place()
        connection = self._connection()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                written = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                _undo(connection)
                raise
        except sqlite3.Error as error:
            raise journal_failure(error, self.path) from error
        return written

    def write_lightly(self, work: Callable[[sqlite3.Connection], Written]) -> Written:
        """Do the work in a transaction that a power cut may undo (a death of ours may not)."""
        with self._pragma("synchronous = NORMAL", "synchronous = FULL"):
            return self.write(work)

    def write_without_traces(self, work: Callable[[sqlite3.Connection], Written]) -> Written:
        """Do the work in a transaction that overwrites with zeros the bytes that it removes."""
        with self._pragma("secure_delete = ON", "secure_delete = OFF"):
            return self.write(work)

    @contextlib.contextmanager
    def _pragma(self, during: str, after: str) -> Iterator[None]:
        with self.reading() as connection:
            connection.execute(f"PRAGMA {during}")
            try:
                yield
            finally:
                connection.execute(f"PRAGMA {after}")

    def close(self) -> None:
        """Close the connections of all threads; what is used afterwards raises JournalFailed."""
        with self._guard:
            self._is_closed = True
            for held in list(self._all):
                held.connection.close()

    def _connection(self) -> sqlite3.Connection:
        if self._is_closed:
            raise JournalFailed(
                f"The record at {self.path} was closed by this program.", "Open it again."
            )
        held = self._of_thread.held
        if held is None:
            try:
                held = _Held(_connect(self.path, self._patience_s))
            except sqlite3.Error as error:
                raise journal_failure(error, self.path) from error
            with self._guard:
                self._all.add(held)
            self._of_thread.held = held
        return held.connection

    def _must_be_in_place(self) -> None:
        """SQLite goes on with a file that was removed under it; so look once a second."""
        moment = self._clock.monotonic_s()
        if moment < self._look_again_at:
            return
        self._look_again_at = moment + 1.0
        try:
            is_in_place = self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            is_in_place = False
        except OSError as error:
            self._look_again_at = 0.0
            raise JournalUnavailable(
                f"The record at {self.path} is out of reach ({error.strerror}).",
                f"Let this user reach {self.path.parent}; nothing more was recorded.",
            ) from error
        if not is_in_place:
            self._look_again_at = 0.0
            raise JournalLost(
                f"The record at {self.path} was removed or replaced while it was in use.",
                "Put the file back, or start this program anew; nothing more was recorded.",
            )


def _undo(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # some errors have undone it already
        connection.execute("ROLLBACK")


def _connect(path: Path, patience_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=patience_s,
        isolation_level=None,
        check_same_thread=False,  # each thread has its own; `close` reaches them all
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = OFF")  # facts are never removed
        connection.execute("PRAGMA trusted_schema = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _make_if_absent(path: Path) -> None:
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(path.with_name(f"{path.name}.lock")):
        if not path.exists():
            _make(path)


def _make(path: Path) -> None:
    """Make it whole under another name, so that no half-made journal is ever seen."""
    if any(path.with_name(path.name + beside).exists() for beside in _BESIDE):
        raise JournalLost(
            f"The record at {path} is gone, while its write-ahead log is still there.",
            "Put the file back beside its log, or move the log aside (keep it: it is evidence).",
        )
    new = path.with_name(f".{path.name}.new")
    for leftover in ("", *_BESIDE):
        new.with_name(new.name + leftover).unlink(missing_ok=True)
    new.touch(mode=0o600)
    try:
        with contextlib.closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute("INSERT INTO installation (identity) VALUES (?)", (nonce(),))
            bring_up_to_date(connection, 1)
            connection.commit()
    except sqlite3.Error as error:
        raise journal_failure(error, path) from error
    new.rename(path)
    sync_folder(path.parent)


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Look again within the transaction: another program may have been faster."""
    bring_up_to_date(connection, _must_be_ours(connection, path))


def _must_be_ours(connection: sqlite3.Connection, path: Path) -> int:
    """Return the form of the file. Raises JournalFailed, Unready."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise JournalFailed(
            f"The file {path} is no journal of Blackstart.",
            "Look whether the path is right; the file was left as it is.",
        )
    if version > SCHEMA_VERSION:
        raise Unready(
            f"The record at {path} was written by a newer Blackstart "
            f"(form {version}, this one knows {SCHEMA_VERSION}).",
            "Install the newer Blackstart on this machine.",
        )
    return version
