# SPDX-License-Identifier: Apache-2.0
"""The manifest: what the platform held when its backup was taken, to count against afterwards.

It is written beside the backup, away from production, and holds no secret: answers of flows are
kept as SHA-256 of the body. Unknown fields are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from blackstart.model.errors import WorldFailed

# Tables in which nothing is deleted in daily work without a person noticing.
COUNTED = ("Users", "Teams", "TeamMembers", "Applications", "Projects", "ProjectSnapshots")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A page of a flow, and the SHA-256 of the body that it must answer with status 200."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One Node-RED instance as it was. `credential_nodes` are ids of nodes with credentials."""

    id: str
    name: str
    team: str
    state: str
    url: str
    credential_nodes: tuple[str, ...] = ()
    probes: tuple[Probe, ...] = ()

    @property
    def port(self) -> int:
        """The port that the instance listens on, from its URL."""
        return urlsplit(self.url).port or 443

    @property
    def ran(self) -> bool:
        """True unless it was suspended: whatever else it was just doing, its users expect it."""
        return self.state != "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What there was. `rows` counts the rows of each table."""

    taken_at: datetime
    users: int
    teams: int
    instances: tuple[Instance, ...]
    administrators: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    @property
    def ran(self) -> tuple[Instance, ...]:
        """The instances that have to run again."""
        return tuple(one for one in self.instances if one.ran)

    @property
    def pages(self) -> int:
        """How many pages can be asked of the instances that have to run."""
        return sum(len(one.probes) for one in self.ran)


def read_manifest(path: str) -> Manifest:
    """Return the manifest in a file, to prove something with.

    Raises WorldFailed when there is none that can be read, or when it could prove nothing: no rows
    to count against, or no page to ask of an instance that ran.
    """
    manifest = load_manifest(path)
    if gaps := gaps_of(manifest):
        raise WorldFailed(
            f"the manifest {path} proves too little: {'; '.join(gaps)}",
            "write it anew with the next backup; until then compare by hand, against what people "
            "know, and complete the file",
        )
    return manifest


def load_manifest(path: str) -> Manifest:
    """Return the manifest in a file, whatever it leaves out. Raises WorldFailed."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as failure:
        raise WorldFailed(
            f"the manifest {path} cannot be read: {failure}",
            "point `manifest` at the file that was written with the backup",
        ) from failure


def gaps_of(manifest: Manifest) -> tuple[str, ...]:
    """Return what the manifest leaves out, without which a check would pass on nothing."""
    told = [
        f"it counts no rows of {table}" for table in COUNTED if manifest.rows.get(table, -1) < 0
    ]
    told += ["it counts no users"] if manifest.rows.get("Users", 1) < 1 else []
    told += [f"it has no page to ask of {one.name}" for one in manifest.ran if not one.probes]
    return tuple(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableManifest:
    """What a database held, whatever it is for: rows by table, SHA-256 of tables that stay.

    A manifest of a platform can be read as one too.
    """

    taken_at: datetime
    rows: Mapping[str, int]
    sha256: Mapping[str, str] = field(default_factory=dict)


def read_table_manifest(path: str) -> TableManifest:
    """Return the counts in a manifest. Raises WorldFailed when there are none to read."""
    try:
        manifest = msgspec.json.decode(Path(path).read_bytes(), type=TableManifest)
    except (OSError, msgspec.DecodeError) as failure:
        raise WorldFailed(
            f"the manifest {path} cannot be read: {failure}",
            "point `manifest` at the file that was written with the backup",
        ) from failure
    if not manifest.rows:
        raise WorldFailed(
            f"the manifest {path} counts no table: nothing could be compared with it",
            "write it again while the tables exist, then take a backup",
        )
    return manifest


def describes_platform(path: str) -> bool:
    """Say whether a manifest describes a FlowFuse with its instances, not only tables."""
    try:
        kept = msgspec.json.decode(Path(path).read_bytes())
    except (OSError, msgspec.DecodeError):
        return True  # whoever reads it as such says what is wrong
    return isinstance(kept, dict) and "instances" in kept
