# SPDX-License-Identifier: Apache-2.0
"""Files and folders as wholes: measured by digest, copied durably, put in place in one step.

The digest of a tree covers names, kinds, contents and link targets, and neither owners nor modes
nor times. Putting in place uses renameat2(2): the name holds the old thing or the new one at every
moment, and nothing that appears meanwhile is overwritten.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from blackstart.model.errors import WorldFailed
from blackstart.world.files import sync_folder

_PIECE_BYTES = 1_000_000
_AT_FDCWD, _NOREPLACE, _EXCHANGE = -100, 1, 2
_LIBC = ctypes.CDLL(None, use_errno=True)


class TreeFailed(WorldFailed):
    """A file or folder cannot be measured, copied or put in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a file or a folder holds: its digest (SHA-256), and how much it is."""

    digest: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a copy looks: owner, group and modes; None leaves those of the source."""

    owner: tuple[int, int] | None = None
    mode: int | None = None
    folder_mode: int | None = None


Tell = Callable[[int], None]  # is given the bytes of each piece; raises to stop


def measure(path: Path, tell: Tell = lambda _: None) -> Measure:
    """Return what is at a path. Raises TreeFailed for what is no file, folder or link; OSError."""
    whole = hashlib.sha256()
    files, size_bytes = 0, 0
    if stat.S_ISREG(path.lstat().st_mode):
        digest, size_bytes = _digest(path, tell)
        return Measure(digest=digest, files=1, size_bytes=size_bytes)
    for name, entry in _entries(path):
        kind, content = _kind(entry), b""
        if kind == "file":
            digest, length_bytes = _digest(entry, tell)
            files, size_bytes, content = files + 1, size_bytes + length_bytes, digest.encode()
        elif kind == "link":
            content = os.fsencode(entry.readlink())
        whole.update(b"\0".join([kind.encode(), os.fsencode(name), content]) + b"\0\0")
    return Measure(digest=whole.hexdigest(), files=files, size_bytes=size_bytes)


def copy_durably(source: Path, target: Path, look: Look, tell: Tell) -> None:
    """Copy a file or a folder to a name that is free, and see it on the disk. Raises OSError."""
    if stat.S_ISREG(source.lstat().st_mode):
        _copy_file(source, target, look, tell)
        return
    for _, entry in _entries(source):
        copy = target / entry.relative_to(source)
        kind = _kind(entry)
        if kind == "folder":
            copy.mkdir(mode=0o700)
        elif kind == "link":
            copy.symlink_to(entry.readlink())
            if look.owner:
                os.lchown(copy, *look.owner)
        else:
            _copy_file(entry, copy, look, tell)
    for _, entry in reversed(list(_entries(source))):  # a folder is closed after its content
        if _kind(entry) == "folder":
            copy = target / entry.relative_to(source)
            _dress(copy, entry, look.folder_mode, look)
            sync_folder(copy)


def put_new(draft: Path, name: Path) -> None:
    """Give a draft its name. Raises TreeFailed when something has the name already; OSError."""
    try:
        _rename(draft, name, _NOREPLACE)
    except FileExistsError as taken:
        raise TreeFailed(
            f"{name} appeared meanwhile", "look whose it is, then try again"
        ) from taken
    sync_folder(name.parent)


def exchange(one: Path, other: Path) -> None:
    """Let two names of a folder change places in one step. Raises OSError."""
    _rename(one, other, _EXCHANGE)
    sync_folder(one.parent)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all in it; nothing happens when it is not there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _entries(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield every entry below a folder, itself first, each folder before its content, by name."""
    yield ".", root
    if root.is_symlink() or not root.is_dir():
        return
    for path in sorted(root.iterdir(), key=lambda path: os.fsencode(path.name)):
        for name, entry in _entries(path):
            yield f"{path.name}/{name}", entry


def _kind(path: Path) -> str:
    mode = path.lstat().st_mode
    kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "folder"), (stat.S_ISLNK, "link"))
    for is_it, kind in kinds:
        if is_it(mode):
            return kind
    raise TreeFailed(f"{path} is neither a file nor a folder", "leave devices and sockets out")


def _digest(path: Path, tell: Tell) -> tuple[str, int]:
    found, size_bytes = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            found.update(piece)
            size_bytes += len(piece)
            tell(len(piece))
    return found.hexdigest(), size_bytes


def _copy_file(source: Path, target: Path, look: Look, tell: Tell) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with source.open("rb") as content, os.fdopen(descriptor, "wb") as copy:
        while piece := content.read(_PIECE_BYTES):
            copy.write(piece)
            tell(len(piece))
        copy.flush()
        _dress(target, source, look.mode, look)
        os.fsync(copy.fileno())


def _dress(copy: Path, source: Path, mode: int | None, look: Look) -> None:
    """Give a copy its owner, then its mode: a change of owner takes special bits away."""
    if look.owner:
        os.chown(copy, *look.owner)
    copy.chmod(stat.S_IMODE(source.stat().st_mode) if mode is None else mode)


def _rename(one: Path, other: Path, flag: int) -> None:
    """Call renameat2(2). Raises OSError."""
    done = _LIBC.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), flag)
    if done == 0:
        return
    number = ctypes.get_errno()
    if number == errno.EINVAL:
        raise TreeFailed(
            f"the file system of {other.parent} cannot put {other.name} in place in one step",
            "use one that can: ext4, xfs, btrfs, tmpfs",
        )
    raise OSError(number, os.strerror(number), str(other))
