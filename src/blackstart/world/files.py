# SPDX-License-Identifier: Apache-2.0
"""Files written so that a death leaves the old content or the new, never half of one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from blackstart.world.clock import wait_until


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace the file at once: written beside it, synced, renamed, and the folder synced."""
    # Named by the thread, so that two that write the same at once do not take it from each other.
    beside = path.with_name(f".{path.name}.{threading.get_native_id()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True, at_most_s: float | None = None) -> Iterator[bool]:
    """Hold an exclusive lock on the file; yields False at once when `wait` is off and it is taken.

    The kernel gives the lock back when the holder dies; one that is stopped keeps it. Raises
    TimeoutError, an OSError, when it is still taken after `at_most_s` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "ab") as file:
        if at_most_s is not None:
            _take(file, path, at_most_s)
        elif not _try(file, wait=wait):
            yield False
            return
        yield True


def _take(file: IO[bytes], path: Path, at_most_s: float) -> None:
    if not wait_until(lambda: _try(file, wait=False), timeout_s=at_most_s, every_s=0.01):
        what = f"another program, maybe a stopped one, holds {path}: see `fuser {path}`"
        raise TimeoutError(errno.ETIMEDOUT, what)


def _try(file: IO[bytes], *, wait: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def free_bytes(path: Path) -> int:
    """Return the free space on the file system that holds the path."""
    return shutil.disk_usage(path).free
