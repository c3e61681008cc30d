# SPDX-License-Identifier: Apache-2.0
"""Where everything of a sandbox lies: the cache, one run's folder, addresses, ports and versions.

A run's folder belongs to the program that holds the lock on its `owner.lock`; when that program is
dead, the next one removes it (`sweep`), unless it holds a file `keep`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from blackstart.model.errors import WorldFailed
from blackstart.world.files import locked
from blackstart.world.random import nonce

FLOWFUSE_VERSION = "2.4.0"
STACK_VERSION = "3.1.15"
PUBLIC_NAME = "app.flowfuse.test"
BASE_URL = f"https://{PUBLIC_NAME}"
STANZA = "flowfuse"
DATABASE = "flowforge"
DATABASE_ROLE = "forge"
REPLICATION_ROLE = "repl"
REPLICATION_SLOT = "elsewhere"
INSTANCE_PORTS = range(12080, 12100)
FRONT_INSTANCE_PORT = 8444

ELSEWHERE, OUTSIDE, PRODUCTION, RECOVERY = "elsewhere", "outside", "production", "recovery"
ADDRESSES = {
    ELSEWHERE: "10.70.0.1",
    OUTSIDE: "10.70.0.5",
    PRODUCTION: "10.70.0.10",
    RECOVERY: "10.70.0.20",
}


class SandboxError(WorldFailed):
    """The sandbox could not be made or driven."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folder of one run, and what lies where in it."""

    root: Path

    @property
    def sites(self) -> Path:
        """The place: the registry of this run's sites."""
        return self.root / "sites"

    @property
    def production(self) -> PlatformPaths:
        """The folders of the production site."""
        return PlatformPaths(self.sites / PRODUCTION)

    @property
    def elsewhere(self) -> Path:
        """What survives the loss of production."""
        return self.root / "elsewhere"

    @property
    def artefacts(self) -> Path:
        """Built artefacts of the platform, with a .sha256 beside each."""
        return self.elsewhere / "artefacts"

    @property
    def backup(self) -> Path:
        """The backup repository, received WAL, manifest, roster and their keys."""
        return self.elsewhere / "backup"

    @property
    def pki(self) -> Path:
        """The test certificate authority: ca.pem and ca.key."""
        return self.elsewhere / "pki"

    @property
    def writer(self) -> Path:
        """The writer's own records: what it sent and what was acknowledged."""
        return self.root / "writer"

    @property
    def secrets(self) -> Path:
        """The sandbox's passwords and tokens (see `seed.SandboxSecrets`), for its owner only."""
        return self.root / "sandbox-secrets.json"

    @property
    def owner_lock(self) -> Path:
        """Locked as long as the run's owner lives."""
        return self.root / "owner.lock"

    @property
    def keep(self) -> Path:
        """There when the run is to be left standing (`--keep`)."""
        return self.root / "keep"


@dataclass(frozen=True, slots=True)
class PlatformPaths:
    """The folders of a site that holds the platform."""

    site: Path

    @property
    def pgdata(self) -> Path:
        """The database cluster, of user postgres."""
        return self.site / "pg"

    @property
    def socket(self) -> Path:
        """The folder of the database's local socket."""
        return self.site / "pgsock"

    @property
    def home(self) -> Path:
        """FLOWFORGE_HOME, of user flowfuse: app, etc and var."""
        return self.site / "flowfuse"

    @property
    def front(self) -> Path:
        """The TLS front's configuration and certificate, of user svc."""
        return self.site / "front"

    @property
    def pgbackrest_conf(self) -> Path:
        """The configuration of the backup tool, of user postgres."""
        return self.site / "pgbackrest.conf"


def cache_folder() -> Path:
    """Return the folder for what is made once and for runs: $XDG_CACHE_HOME or ~/.cache."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    parent = Path(told) if Path(told).is_absolute() else Path.home() / ".cache"
    folder = parent / "blackstart"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def new_run(cache: Path) -> Iterator[Layout]:
    """Make the folder of a run and own it until the end of the block. The folder is not removed."""
    # The cache is for its owner only; what is below it lets the sites' users pass.
    (cache / "run").mkdir(mode=0o711, exist_ok=True)
    (cache / "run").chmod(0o711)
    layout = Layout(cache / "run" / nonce())
    with ExitStack() as owned:
        with locked(cache / "run" / ".sweep.lock"):  # nobody may sweep a folder before it is owned
            for folder in (layout.root, layout.sites):
                folder.mkdir(mode=0o711)
                folder.chmod(0o711)
            owned.enter_context(locked(layout.owner_lock))
        yield layout
