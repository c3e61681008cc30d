# SPDX-License-Identifier: Apache-2.0
"""The seed: a production made once, with its first full backup, copied by every later run.

It lies in the cache under a name made of everything that went into it, so that a change of a
version, a package or the provisioning makes a new one.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from blackstart.sandbox import backup, database, flows, front, platform, provision
from blackstart.sandbox.debian import packages_key
from blackstart.sandbox.layout import (
    ADDRESSES,
    FLOWFUSE_VERSION,
    PRODUCTION,
    PUBLIC_NAME,
    STACK_VERSION,
    Layout,
    new_run,
)
from blackstart.sandbox.npm_tree import tree_key
from blackstart.sandbox.on_site import make_folder, put_file
from blackstart.sandbox.packages import Prepared, Tell
from blackstart.sandbox.pki import make_pki
from blackstart.sandbox.secrets_kept import SandboxSecrets, save_secrets
from blackstart.world import process
from blackstart.world.files import locked
from blackstart.world.namespaces import residents
from blackstart.world.random import token
from blackstart.world.sites import USERS, Site, create_site, end_site

_INGREDIENTS = (backup, database, flows, front, platform, provision)


@dataclass(frozen=True, slots=True)
class Seed:
    """The folder of a seed and what lies in it."""

    folder: Path

    @property
    def cluster(self) -> Path:
        """The stopped database cluster."""
        return self.folder / "pg"

    @property
    def projects(self) -> Path:
        """FlowFuse's var/projects."""
        return self.folder / "projects"

    @property
    def backup(self) -> Path:
        """The backup folder: repository, keys, manifest, roster."""
        return self.folder / "backup"

    @property
    def secrets(self) -> Path:
        """What the sandbox knows of its people and flows."""
        return self.folder / "sandbox-secrets.json"


def find_seed(cache: Path) -> Seed | None:
    """Return the seed that fits this version, or None when it has to be made."""
    seed = Seed(cache / "seeds" / _seed_key())
    return seed if seed.secrets.exists() else None


def make_seed(cache: Path, prepared: Prepared, tell: Tell) -> Seed:
    """Return the seed, made now (about half a minute) when there is none. Raises SandboxError."""
    seeds = cache / "seeds"
    seeds.mkdir(mode=0o700, exist_ok=True)
    with locked(seeds / ".lock"):
        found = find_seed(cache)
        if found is not None:
            return found
        for old in seeds.iterdir():  # of earlier versions, or half made
            if old.is_dir():
                shutil.rmtree(old)
        seed = Seed(seeds / _seed_key())
        with new_run(cache) as layout:
            try:
                _grow(layout, prepared, tell)
                _put_away(layout, seed, tell)
            finally:
                shutil.rmtree(layout.root)
    return seed


def _grow(layout: Layout, prepared: Prepared, tell: Tell) -> None:
    """Make a production from nothing in a site of its own, back it up and stop it."""
    site = open_production_site(layout, prepared, hub=None, nameserver=None)
    try:
        _fill(layout, site, tell)
        _stop_platform(site)
        database.stop_database(site, layout.production)
    finally:
        end_site(site)


def open_production_site(
    layout: Layout, prepared: Prepared, *, hub: Site | None, nameserver: str | None
) -> Site:
    """Start the empty site: marked, filtered, its own name resolved to itself.

    Instances call the platform by its public name from inside their site; that must not depend on
    where the name points.
    """
    paths = layout.production
    site = create_site(
        layout.sites,
        PRODUCTION,
        address=ADDRESSES[PRODUCTION],
        marker=f"{layout.root.name}/{PRODUCTION}",
        purpose="sandbox",
        hub=hub,
        usr=prepared.usr,
        nameserver=nameserver,
        binds=platform.platform_binds(paths, prepared),
        hosts={PUBLIC_NAME: "127.0.0.1"},
        dies_with_us=True,
    )
    front.raise_filter(site)
    return site


def _fill(layout: Layout, site: Site, tell: Tell) -> None:
    paths = layout.production
    kept = SandboxSecrets(
        database_password=token(),
        replication_password=token(),
        cipher=token(),
        roster_key=Fernet.generate_key().decode(),
        people=provision.invent_people(),
    )
    _write_keys(layout, kept)
    pki = make_pki(layout.pki)
    tell("seed: a new database")
    database.create_cluster(site, paths)
    database.configure_database(layout, paths, pki, kept.cipher)
    database.start_database(site, paths)
    database.create_roles(site, kept.database_password, kept.replication_password)
    database.run_backup_tool(site, "stanza-create")
    tell("seed: FlowFuse starts for the first time")
    front.start_front(site, pki)
    platform.configure_platform(layout, paths, kept.database_password, limits_rates=False)
    platform.start_platform(site, paths)
    tell("seed: people, teams and two Node-RED instances with their flows")
    save_secrets(layout.secrets, provision.provision(site, kept))
    tell("seed: the first full backup")
    backup.take_backup(layout, kind="full")


def _write_keys(layout: Layout, kept: SandboxSecrets) -> None:
    make_folder(layout.elsewhere, mode=0o711)
    make_folder(layout.backup, mode=0o711)
    make_folder(layout.backup / "repo", "postgres")
    for name, secret in (
        ("pgbackrest.key", kept.cipher),
        ("roster.key", kept.roster_key),
        ("replication.password", kept.replication_password),
    ):
        put_file(layout.backup / name, secret)


def _stop_platform(site: Site) -> None:
    """Ask FlowFuse and its instances to stop, so that nothing writes to the database."""
    theirs = [one.pid for one in residents(site) if one.uid == USERS["flowfuse"]]
    for pid in theirs:
        ticks = process.started_ticks(pid)
        if ticks is not None:
            process.end(pid, ticks, grace_s=5)


def _put_away(layout: Layout, seed: Seed, tell: Tell) -> None:
    """Move what was grown into the cache; the secrets come last and make it a seed."""
    tell("seed: put into the cache")
    paths = layout.production
    seed.folder.mkdir(mode=0o700)
    paths.pgdata.rename(seed.cluster)
    (paths.home / "var" / "projects").rename(seed.projects)
    layout.backup.rename(seed.backup)
    for left in (seed.cluster / "postmaster.pid", seed.backup / "pgpass"):
        with suppress(FileNotFoundError):
            left.unlink()
    layout.secrets.rename(seed.secrets)


def _seed_key() -> str:
    """Return a name that changes with everything that goes into a seed."""
    digest = hashlib.sha256()
    for word in (FLOWFUSE_VERSION, STACK_VERSION, packages_key(), tree_key("app")):
        digest.update(word.encode())
    for module in _INGREDIENTS:
        digest.update(Path(str(module.__file__)).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:16]
