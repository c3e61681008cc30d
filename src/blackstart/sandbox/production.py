# SPDX-License-Identifier: Apache-2.0
"""Production: a real FlowFuse on its own site, started from the seed, serving under its name."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from blackstart.sandbox import database, front, log_shipper, platform
from blackstart.sandbox.layout import (
    ADDRESSES,
    BASE_URL,
    DATABASE,
    PRODUCTION,
    PUBLIC_NAME,
    Layout,
    PlatformPaths,
)
from blackstart.sandbox.on_site import expect, make_folder, sql
from blackstart.sandbox.packages import Prepared, Tell
from blackstart.sandbox.pki import make_pki
from blackstart.sandbox.secrets_kept import Instance, SandboxSecrets, load_secrets
from blackstart.sandbox.seed import Seed, open_production_site
from blackstart.world.clock import SystemClock
from blackstart.world.namespaces import call_in_network
from blackstart.world.sites import Site

# What a copy at another place must not keep: paths, process ids and sessions of the first place.
_RELOCATE = """
UPDATE "ProjectSettings" SET value = '{home}/var/projects/' || "ProjectId"::text WHERE key = 'path';
DELETE FROM "ProjectSettings" WHERE key = 'pid';
DELETE FROM "Sessions";
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """The running platform: where it is, who can log in, how long it took to come up."""

    site: Site
    paths: PlatformPaths
    secrets: SandboxSecrets
    took_s: float


def lay_out_elsewhere(layout: Layout, prepared: Prepared, seed: Seed) -> None:
    """Fill R/elsewhere with what must survive production: artefacts, backups, the authority.

    To be called before anything is started; `make_pki(layout.pki)` gives the same authority again.
    """
    make_folder(layout.elsewhere, mode=0o711)
    make_folder(layout.artefacts, mode=0o755)
    make_pki(layout.pki)
    for source in prepared.app_artefact.parent.iterdir():
        _link_or_copy(source, layout.artefacts / source.name)
    usr = layout.artefacts / "usr"
    if not usr.is_symlink():
        usr.symlink_to(prepared.usr)
    database.must_copy(seed.backup, layout.backup)
    earlier = make_folder(layout.backup / "earlier")
    database.must_copy(layout.backup / "roster.sealed", earlier / "roster.sealed")
    make_folder(layout.backup / "wal", "postgres")
    database.must_copy(seed.secrets, layout.secrets)


def stand_up(layout: Layout, prepared: Prepared, seed: Seed, hub: Site, tell: Tell) -> Production:
    """Start production from the seed and return when every instance answers through the front.

    `hub` is the site elsewhere, running, after `lay_out_elsewhere`. Raises SandboxError.
    """
    clock = SystemClock()
    began = clock.monotonic_s()
    paths, kept, pki = layout.production, load_secrets(layout.secrets), make_pki(layout.pki)
    tell("production: site and database")
    site = open_production_site(layout, prepared, hub=hub, nameserver=ADDRESSES["elsewhere"])
    database.copy_cluster(seed.cluster, paths)
    database.configure_database(layout, paths, pki, kept.cipher)
    platform.configure_platform(layout, paths, kept.database_password, limits_rates=True)
    database.must_copy(seed.projects, paths.home / "var" / "projects")
    database.start_database(site, paths)
    sql(site, _RELOCATE.format(home=paths.home), database=DATABASE)
    tell("production: WAL leaves the site")
    database.start_receiver(layout, hub, kept.replication_password)
    front.start_front(site, pki)
    log_shipper.start_shipper(site, pki)
    tell("production: FlowFuse starts")
    platform.start_platform(site, paths)
    for instance in kept.instances:
        _await_instance(layout, hub, instance)
    expect(
        "the WAL receiver",
        lambda: database.is_receiver_streaming(site),
        timeout_s=10,
        log=hub.directory / "log" / "pg_receivewal.log",
    )
    took_s = clock.monotonic_s() - began
    tell(f"production: serves at {BASE_URL} after {took_s:.1f} s")
    return Production(site=site, paths=paths, secrets=kept, took_s=took_s)


def _await_instance(layout: Layout, viewer: Site, instance: Instance) -> None:
    """Wait until each page of the instance says what it must, through TLS and the front."""
    out = layout.production.home / "var" / "projects" / instance.id / "out.log"
    for path, text in instance.answers:
        is_right = partial(_says, layout, viewer, instance, path, text)
        expect(f"instance {instance.name}, page {path}", is_right, timeout_s=60, log=out)


def _says(layout: Layout, viewer: Site, instance: Instance, path: str, text: str) -> bool:
    return fetch(layout, viewer, instance, path) == text


def fetch(layout: Layout, viewer: Site, instance: Instance, path: str) -> str:
    """Return what a page of an instance says, asked from another site; empty when not 200."""
    port = httpx.URL(instance.url).port
    url = f"https://{ADDRESSES[PRODUCTION]}:{port}{path}"
    trust = ssl.create_default_context(cafile=str(layout.pki / "ca.pem"))

    def ask() -> str:
        with suppress(httpx.HTTPError), httpx.Client(verify=trust, trust_env=False) as client:
            answer = client.get(
                url,
                headers={"Host": f"{PUBLIC_NAME}:{port}"},
                extensions={"sni_hostname": PUBLIC_NAME},
            )
            return answer.text if answer.status_code == 200 else ""
        return ""

    return call_in_network(viewer, ask)


def _link_or_copy(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target)
    except OSError:
        database.must_copy(source, target)
