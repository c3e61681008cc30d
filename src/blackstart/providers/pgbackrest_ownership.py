# SPDX-License-Identifier: Apache-2.0
"""Which run made a backup repository: only that run may take it back.

The mark is a file `made-by.json` in the repository's folder; pgBackRest keeps to its own folders
`archive` and `backup` and does not mind.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from blackstart.ports.action import Context
from blackstart.world.files import sync_folder, write_durably
from blackstart.world.sites import USERS

_MARK = "made-by.json"


class _MadeBy(msgspec.Struct):
    marker: str
    key: str
    at: str


def claim_repository(folder: Path, context: Context) -> None:
    """Make the repository's folder, marked with the run if nothing was in it. Raises OSError."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    os.chown(folder, USERS["postgres"], USERS["postgres"])
    if any(folder.iterdir()):
        return
    at = context.now().isoformat(timespec="milliseconds")
    made = _MadeBy(marker=context.marker, key=context.key, at=at)
    write_durably(folder / _MARK, msgspec.json.encode(made), mode=0o644)


def release_repository(folder: Path, stanza: str, context: Context) -> bool:
    """Remove a stanza's backups and WAL, and the folder when nothing else is in it.

    Returns False, and touches nothing, when another run made it or nobody knows who did.
    """
    try:
        made = msgspec.json.decode((folder / _MARK).read_bytes(), type=_MadeBy)
    except (OSError, msgspec.MsgspecError):
        return False
    if made.marker != context.marker:
        return False
    for part in ("backup", "archive"):
        shutil.rmtree(folder / part / stanza, ignore_errors=True)
        if (folder / part / stanza).exists():
            shutil.rmtree(folder / part / stanza)  # says what is in the way
        with suppress(OSError):  # another stanza is in it, or it was never made
            (folder / part).rmdir()
    if {path.name for path in folder.iterdir()} <= {_MARK, "log", "lock"}:
        shutil.rmtree(folder)
        sync_folder(folder.parent)
    return True
