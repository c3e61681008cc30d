# SPDX-License-Identifier: Apache-2.0
"""The disaster: production is lost without warning. It tells the recovery nothing.

Only what is marked as this run's production is touched. What was done is returned for the report of
the drill, which is written when the recovery is over.
"""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from blackstart.sandbox.layout import PRODUCTION, Layout, SandboxError
from blackstart.world.clock import SystemClock, wait_until
from blackstart.world.namespaces import residents
from blackstart.world.sites import USERS, Site, destroy_site, load_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """When the first thing was killed, when all was dead, and what is no more."""

    at: datetime
    gone_at: datetime
    processes: int
    removed: tuple[str, ...]


def destroy_production(layout: Layout) -> Destroyed:
    """Kill everything on the production site and remove all its files. Raises SandboxError."""
    site = _marked_production(layout)
    lived = len(residents(site)) + 1
    at = SystemClock().now()
    destroy_site(site)
    gone_at = SystemClock().now()
    return Destroyed(at=at, gone_at=gone_at, processes=lived, removed=(str(site.directory),))


def destroy_database(layout: Layout) -> Destroyed:
    """Kill the database server of production and remove its files; the rest keeps running.

    Raises SandboxError.
    """
    site = _marked_production(layout)
    servers = _database_pids(site)
    at = SystemClock().now()
    for pid in servers:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if not wait_until(lambda: not _database_pids(site), timeout_s=10, every_s=0.02):
        raise SandboxError("the database server does not die", "look for processes in state D")
    gone_at = SystemClock().now()
    shutil.rmtree(layout.production.pgdata)
    removed = (str(layout.production.pgdata),)
    return Destroyed(at=at, gone_at=gone_at, processes=len(servers), removed=removed)


def _marked_production(layout: Layout) -> Site:
    """Return the living production of this very run; anything else is refused."""
    site = load_site(layout.sites, PRODUCTION)
    if site is None:
        raise SandboxError("there is no living production to destroy", "stand it up first")
    if site.purpose != "sandbox" or site.marker != f"{layout.root.name}/{PRODUCTION}":
        raise SandboxError(
            f"site {site.directory} does not carry this run's mark as production",
            "nothing was touched; destroy only what the sandbox made",
        )
    return site


def _database_pids(site: Site) -> tuple[int, ...]:
    uid = USERS["postgres"]
    return tuple(one.pid for one in residents(site) if one.uid == uid)
