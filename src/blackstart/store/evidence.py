# SPDX-License-Identifier: Apache-2.0
"""Artefacts in a folder, each named by the hash of its bytes: a change shows when it is fetched.

`<folder>/<first two digits>/<digest>`, and beside each a file `<digest>.name` with the name that
it was first kept under.
"""

from __future__ import annotations

import re
from pathlib import Path

from blackstart.model.codec import digest_of
from blackstart.model.errors import WorldFailed
from blackstart.world.files import sync_folder, write_durably

_DIGEST = re.compile(r"[0-9a-f]{64}")


def open_evidence(folder: Path) -> FolderEvidence:
    """Return the evidence store in this folder, which is made at first use."""
    return FolderEvidence(folder)


class FolderEvidence:
    """Implements `ports.journal.EvidenceStore`. Files are 0600 and folders 0700."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, content: bytes) -> str:
        """Store the content durably and return its SHA-256; a name given before stays.

        A stored copy that no longer matches its name is replaced. Raises WorldFailed when it
        cannot be written.
        """
        digest = digest_of(content)
        path = self._path_of(digest)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._store(path, name, content)
        except OSError as error:
            raise WorldFailed(
                f"The artefact '{name}' could not be kept in {self._folder} ({error.strerror}).",
                "Free space there, or let this user write to it, then repeat.",
            ) from error
        return digest

    def _store(self, path: Path, name: str, content: bytes) -> None:
        # Without a lock: whoever writes this file writes the same bytes, each time the whole of it,
        # and a program that was stopped while it held one would hold up everybody.
        name_path = path.with_suffix(".name")
        if not name_path.exists():
            write_durably(name_path, name.encode())
        if not path.exists() or path.read_bytes() != content:
            write_durably(path, content)
        for folder in (path.parent, self._folder, self._folder.parent):
            sync_folder(folder)  # also for a copy whose writer died before it came to this

    def fetch(self, digest: str) -> bytes:
        """Return the content. Raises WorldFailed when it is absent or no longer matches."""
        content = self._read(self._path_of(digest), digest)
        if digest_of(content) != digest:
            raise WorldFailed(
                f"The artefact {digest} was altered: its bytes no longer match its name.",
                "Put back a copy from a mirror, and find out who changed the file.",
            )
        return content

    def name_of(self, digest: str) -> str:
        """Return the name that the artefact was kept under. Raises WorldFailed when unknown."""
        return self._read(self._path_of(digest).with_suffix(".name"), digest).decode()

    def _path_of(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise WorldFailed(
                f"'{digest}' names no artefact.", "Give the SHA-256: 64 hexadecimal digits."
            )
        return self._folder / digest[:2] / digest

    def _read(self, path: Path, digest: str) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise WorldFailed(
                f"The artefact {digest} is not in {self._folder} ({error.strerror}).",
                "Put back a copy from a mirror, or name another home.",
            ) from error
