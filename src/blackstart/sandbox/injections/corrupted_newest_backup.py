# SPDX-License-Identifier: Apache-2.0
"""The newest backup was proven, and then the disk under it went bad."""

from __future__ import annotations

from pathlib import Path

from blackstart.sandbox.backup import take_backup
from blackstart.sandbox.injection import Injection, degrades
from blackstart.sandbox.layout import STANZA, Layout, SandboxError

_FILES = 40
_FLIPPED = 0x5A


def take_second(layout: Layout) -> None:
    """Take another full backup; the drill proves it as it proved the first one."""
    take_backup(layout, kind="full")


def flip_bytes(layout: Layout) -> None:
    """Change a byte in the middle of the largest files of the newest backup."""
    newest = max((layout.backup / "repo" / "backup" / STANZA).glob("*F"))
    files = [path for path in (newest / "pg_data").rglob("*") if path.is_file()]
    if not files:
        raise SandboxError(f"{newest} holds no files", "look at the repository")
    for path in sorted(files, key=_size_bytes)[-_FILES:]:
        with path.open("r+b") as file:
            file.seek(_size_bytes(path) // 2)
            byte = file.read(1)[0]
            file.seek(-1, 1)
            file.write(bytes([byte ^ _FLIPPED]))


def _size_bytes(path: Path) -> int:
    return path.stat().st_size


INJECTION = Injection(
    name="corrupted-newest-backup",
    what="the newest backup, which was proven before, has bad bytes in its files by now",
    expected=degrades("restore_data"),
    prepare=take_second,
    proves_again=True,
    inject=flip_bytes,
)
