# SPDX-License-Identifier: Apache-2.0
"""A mirror in a folder: another disk, a network file system, anything that is mounted.

An object is written under another name, synced, and only then linked to its own; a death leaves
nothing under a name that means something. The folder itself is never made here: where a mount is
missing, its bare mount point must not be taken for the mirror.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from blackstart.model.errors import MirrorFailed
from blackstart.world.files import sync_folder
from blackstart.world.random import nonce

_DRAFTS = ".new"  # names that mean nothing yet; whatever a death left there is of no use

_HINTS = {
    errno.ENOSPC: "Free space there, then it goes on by itself.",
    errno.EDQUOT: "Free space there, or raise the quota, then it goes on by itself.",
    errno.EROFS: "Mount it for writing, then it goes on by itself.",
    errno.EACCES: "Let this user write there, then it goes on by itself.",
    errno.EPERM: "Let this user write there, then it goes on by itself.",
    errno.ENOENT: "Mount it, or make the folder once by hand, then it goes on by itself.",
}


class FolderDepot:
    """Implements `ports.depot.Depot` in a folder that exists. Files are 0600, folders 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        """The place as people know it."""
        return f"dir:{self._folder}"

    def put_new(self, key: str, content: bytes) -> bool:
        """Store the object unless there is one of that name; say whether it was stored."""
        with self._told(), self._draft(key, content) as draft:
            path = self._path_of(key)
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                return False
            sync_folder(path.parent)
            return True

    def put(self, key: str, content: bytes) -> None:
        """Store the object in place of one of that name."""
        with self._told(), self._draft(key, content) as draft:
            path = self._path_of(key)
            draft.replace(path)
            sync_folder(path.parent)

    def fetch(self, key: str) -> bytes | None:
        """Return the object, None when there is none of that name."""
        with self._told():
            self._must_be_there()
            try:
                return self._path_of(key).read_bytes()
            except FileNotFoundError:
                return None

    def keys(self, folder: str) -> tuple[str, ...]:
        """Return the keys of all objects below the folder, sorted."""
        with self._told():
            self._must_be_there()
            return tuple(sorted(self._walk(self._path_of(folder))))

    def remove(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there."""
        with self._told():
            self._must_be_there()
            path = self._path_of(key)
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)

    def _walk(self, folder: Path) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(folder):
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(Path(entry.path))
                else:
                    yield Path(entry.path).relative_to(self._folder).as_posix()

    @contextlib.contextmanager
    def _draft(self, key: str, content: bytes) -> Iterator[Path]:
        """Write the content under a name that means nothing; what is left of it is removed."""
        self._must_be_there()
        drafts = self._folder / _DRAFTS
        for folder in (drafts, self._path_of(key).parent):
            self._make(folder)
        draft = drafts / f"{os.getpid()}-{nonce()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, down from ours, each name durable."""
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent)

    def _path_of(self, key: str) -> Path:
        path = self._folder / key
        if ".." in path.parts:
            raise MirrorFailed(f"'{key}' leads out of {self.name}.", "Name another object.")
        return path

    def _must_be_there(self) -> None:
        if not self._folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "the folder is not there", str(self._folder))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            hint = _HINTS.get(error.errno or 0, "Repair it, then it goes on by itself.")
            reason = (error.strerror or str(error)).lower()
            raise MirrorFailed(f"The mirror {self.name} fails: {reason}.", hint) from error
