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
        """True when it was to run; one that was suspended stays so."""
        return self.state == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What there was. `rows` counts the rows of each table."""

    taken_at: datetime
    users: int
    teams: int
    instances: tuple[Instance, ...]
    administrators: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)


def read_manifest(path: str) -> Manifest:
    """Return the manifest in a file. Raises WorldFailed when there is none that can be read."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as failure:
        raise WorldFailed(
            f"the manifest {path} cannot be read: {failure}",
            "point `manifest` at the file that was written with the backup",
        ) from failure
