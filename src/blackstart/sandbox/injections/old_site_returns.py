# SPDX-License-Identifier: Apache-2.0
"""The lost site comes back after the cut-over: it serves, and it tries to write."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from blackstart.sandbox.injection import Injection, degrades, living
from blackstart.sandbox.injections._stray import STRAY, open_stray
from blackstart.sandbox.layout import (
    ADDRESSES,
    DATABASE,
    DATABASE_ROLE,
    ELSEWHERE,
    RECOVERY,
    REPLICATION_ROLE,
    Layout,
)
from blackstart.sandbox.on_site import put_file
from blackstart.sandbox.pki import make_pki
from blackstart.sandbox.secrets_kept import load_secrets
from blackstart.world import process
from blackstart.world.sites import Site, inside

_LOOK_EVERY_S = 0.1
_TRIED, _WROTE = "old-site-tried", "old-site-wrote"


def come_back(layout: Layout, stop: threading.Event) -> None:
    """Once users are let in on the new site: serve at the old address, write with old passwords."""
    while not (layout.sites / RECOVERY / "served").exists():
        if stop.wait(_LOOK_EVERY_S):
            return
    pki = make_pki(layout.pki)
    stray = open_stray(layout, (443, 12080), status=200, body="the old platform", pki=pki)
    kept = load_secrets(layout.secrets)
    # From its own address, and from the one that the new database lets in for replication; all at
    # once, for a wall that drops packets takes each attempt seconds and the drill may be over then.
    ways = [
        (site, role, password, extra)
        for site in (stray, living(layout, ELSEWHERE))
        for role, password, extra in (
            (DATABASE_ROLE, kept.database_password, ""),
            (REPLICATION_ROLE, kept.replication_password, " replication=database"),
        )
    ]
    with ThreadPoolExecutor(len(ways)) as pool:
        tried = list(pool.map(lambda way: _write(*way), ways))
    put_file(layout.root / _TRIED, "\n".join(tried))
    stop.wait()


def _write(site: Site, role: str, password: str, extra: str) -> str:
    target = f"host={ADDRESSES[RECOVERY]} user={role} dbname={DATABASE} connect_timeout=2{extra}"
    statement = "IDENTIFY_SYSTEM" if extra else "CREATE TABLE from_the_old_site ()"
    command = ["psql", "-X", "-w", "-d", target, "-c", statement]
    argv = inside(site, command, user="svc", env={"PGPASSWORD": password})
    return _WROTE if process.run(argv, timeout_s=20).code == 0 else "refused"


def wrote(layout: Layout) -> str:
    """Say whether the old site could write, or never came back."""
    path = layout.root / _TRIED
    if not path.exists():
        return f"the site {STRAY} never came back"
    return "the old site could write" if _WROTE in path.read_text() else ""


INJECTION = Injection(
    name="old-site-returns",
    what="after the cut-over the lost site comes back at its old address, serves, and tries to "
    "write with its old passwords",
    expected=degrades("announce_recovery"),
    haunt=come_back,
    witness=wrote,
)
