# SPDX-License-Identifier: Apache-2.0
"""The files of an installation that a mirror holds besides its record: artefacts, sealed secrets.

Both are written once and never changed, so what lies at the mirror need not be looked at again.
The key that opens the secrets is not among them, and must lie nowhere near a mirror.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

from blackstart.model.errors import BlackstartError
from blackstart.ports.depot import Depot
from blackstart.store.evidence import open_evidence
from blackstart.store.mirror_form import (
    EVIDENCE,
    SECRETS,
    Artefact,
    evidence_key,
    sealed,
    written,
)

KEY_FILE = "secrets.key"
_SMALL_BYTES = 1_000_000  # larger ones follow after the facts that speak of them
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Files:
    """What of one home's files a depot has, and the copying of the rest."""

    def __init__(self, home: Path, depot: Depot) -> None:
        """List what the depot has. Raises MirrorFailed."""
        self._home = home
        self._depot = depot
        self._evidence = open_evidence(home / EVIDENCE)
        self._there = {*depot.keys(EVIDENCE), *depot.keys(SECRETS)}
        self._seen: dict[Path, tuple[int, bool]] = {}  # folder → its last change, seen twice
        self._lacking: dict[str, int] = {}  # digest → size

    def copy_small(self) -> tuple[str, ...]:
        """Copy secrets and small artefacts; return the digests of those too large to wait for."""
        for path in sorted((self._home / SECRETS).glob("*/*")):
            key = f"{SECRETS}/{path.parent.name}/{path.name}"
            if key not in self._there and not path.name.startswith("."):
                self._depot.put_new(key, sealed(path.read_bytes()))
                self._there.add(key)
        self._look()
        for digest, size_bytes in list(self._lacking.items()):
            if size_bytes <= _SMALL_BYTES:
                self._copy(digest)
        return tuple(self._lacking)

    def copy_large(self) -> None:
        """Copy one of the large artefacts, if any is left."""
        for digest in list(self._lacking)[:1]:
            self._copy(digest)

    def _look(self) -> None:
        """Find artefacts that were kept since; a folder that did not change is not looked into.

        It is looked into twice: the file system's clock ticks slower than files are written.
        """
        for folder in sorted((self._home / EVIDENCE).glob("??")):
            changed = folder.stat().st_mtime_ns
            before, is_sure = self._seen.get(folder, (0, False))
            if before == changed and is_sure:
                continue
            self._seen[folder] = changed, before == changed
            for path in folder.iterdir():
                if _DIGEST.fullmatch(path.name) and evidence_key(path.name) not in self._there:
                    self._lacking[path.name] = path.stat().st_size

    def _copy(self, digest: str) -> None:
        key = evidence_key(digest)
        try:
            name, content = self._evidence.name_of(digest), self._evidence.fetch(digest)
        except BlackstartError:
            return  # altered or half gone: it stays on the list of what is lacking
        self._depot.put_new(key, written(Artefact(name=name, content=content)))
        self._there.add(key)
        self._lacking.pop(digest)


def key_fingerprint(path: Path) -> str:
    """Return digits that tell the key in a file from others, "" when there is no file."""
    try:
        key = path.read_bytes()
    except OSError:
        return ""
    return sha256(b"blackstart secrets.key" + key).hexdigest()[:16]
