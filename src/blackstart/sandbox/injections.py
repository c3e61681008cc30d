# SPDX-License-Identifier: Apache-2.0
"""Defects put into the sandbox's world, each of which a drill has to stop at.

    python -m blackstart.sandbox.injections NAME RUN_FOLDER

An injection changes production or what is elsewhere, never Blackstart and never the plan. To add
one: a function that makes the defect, and a row in `INJECTIONS` that says where the drill stops.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import httpx

from blackstart.model.errors import Refused
from blackstart.sandbox.dns_server import reload_dns, write_config
from blackstart.sandbox.layout import (
    ADDRESSES,
    DATABASE,
    ELSEWHERE,
    PRODUCTION,
    Layout,
    SandboxError,
)
from blackstart.sandbox.metrics import ALERTMANAGER_PORT, route_alerts_to
from blackstart.sandbox.on_site import sql
from blackstart.sandbox.open_listener import keep_listener_open
from blackstart.world import process
from blackstart.world.namespaces import call_in_network
from blackstart.world.sites import Site, load_site


class When(StrEnum):
    """The moment of a drill at which an injection is made."""

    BEFORE_DISASTER = "before-disaster"
    DURING_RECOVERY = "during-recovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One defect: what it is, when it is made, and the step at which the drill has to stop.

    `inject` returns at once; one that is made during the recovery goes on in a process of its own,
    which ends with this program.
    """

    name: str
    what: str
    when: When
    expected_stop: str
    inject: Callable[[Layout], None]


def injection_named(name: str) -> Injection:
    """Return the injection. Raises Refused with all names when there is none of that name."""
    if name not in INJECTIONS:
        known = ", ".join(INJECTIONS)
        raise Refused(f"there is no injection {name!r}", f"use one of: {known}")
    return INJECTIONS[name]


def _replace_credential_secret(layout: Layout) -> None:
    changed = sql(
        _site(layout, PRODUCTION),
        """
        UPDATE "ProjectSettings" SET value = md5(random()::text) || md5(random()::text)
        WHERE key = 'credentialSecret' AND "ProjectId" =
          (SELECT "ProjectId" FROM "StorageCredentials" ORDER BY length(credentials) DESC LIMIT 1)
        RETURNING "ProjectId"
        """,
        database=DATABASE,
    )
    if not changed:
        raise SandboxError("production has no instance with a credential", "provision it first")


def _hold_path_rows(layout: Layout) -> None:
    sql(
        _site(layout, PRODUCTION),
        """
        CREATE FUNCTION hold_path() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
        CREATE TRIGGER hold_path BEFORE UPDATE ON "ProjectSettings"
          FOR EACH ROW WHEN (OLD.key = 'path') EXECUTE FUNCTION hold_path();
        """,
        database=DATABASE,
    )


def _start_intruder(layout: Layout) -> None:
    # A process of its own: the recovery must not be able to tell it from any other program.
    command = [sys.executable, "-m", "blackstart.sandbox.injections", "open-listener"]
    log = layout.root / "open-listener.log"
    process.spawn([*command, str(layout.root)], log=log, dies_with_us=True)


def _drop_alerts(layout: Layout) -> None:
    route_alerts_to(layout, "nobody")
    url = f"http://{ADDRESSES[ELSEWHERE]}:{ALERTMANAGER_PORT}/-/reload"
    reload = partial(httpx.post, url, timeout=10, trust_env=False)
    answer = call_in_network(_site(layout, ELSEWHERE), reload)
    if answer.status_code != httpx.codes.OK:
        raise SandboxError(f"Alertmanager did not reload: {answer.text}", "read its log")


def _refuse_updates(layout: Layout) -> None:
    write_config(layout, actions="[transfer]")
    reload_dns(layout, _site(layout, ELSEWHERE))


def _site(layout: Layout, name: str) -> Site:
    site = load_site(layout.sites, name)
    if site is None:
        raise SandboxError(f"site {name} is not alive", "start the sandbox first")
    return site


INJECTIONS = {
    injection.name: injection
    for injection in (
        Injection(
            name="wrong-credential-secret",
            what="the key of an instance's stored credentials is overwritten in the database: "
            "flows that run go on, restored ones cannot decrypt",
            when=When.BEFORE_DISASTER,
            expected_stop="restore_data.credentials",
            inject=_replace_credential_secret,
        ),
        Injection(
            name="stale-path",
            what="the database silently keeps each instance's old folder when it is changed, "
            "so that the relocation to the new site does not take",
            when=When.BEFORE_DISASTER,
            expected_stop="restore_data.relocated",
            inject=_hold_path_rows,
        ),
        Injection(
            name="open-listener",
            what="a strange program listens on all addresses of the new site, "
            "and the firewall is opened for it, after the first security check has passed",
            when=When.DURING_RECOVERY,
            expected_stop="verify_observability.listeners",
            inject=_start_intruder,
        ),
        Injection(
            name="alert-route-missing",
            what="Alertmanager sends every alert to nobody",
            when=When.BEFORE_DISASTER,
            expected_stop="verify_observability.alert",
            inject=_drop_alerts,
        ),
        Injection(
            name="dns-update-refused",
            what="the name server no longer lets our key change records",
            when=When.BEFORE_DISASTER,
            expected_stop="update_dns.record",
            inject=_refuse_updates,
        ),
    )
}


def main() -> None:
    """Make one injection in the sandbox of a run folder; open-listener goes on until SIGTERM."""
    parser = argparse.ArgumentParser(prog="injections")
    parser.add_argument("name", choices=sorted(INJECTIONS))
    parser.add_argument("run_folder", type=Path)
    chosen = parser.parse_args()
    layout = Layout(chosen.run_folder)
    if chosen.name != "open-listener":
        INJECTIONS[chosen.name].inject(layout)
        return
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    keep_listener_open(layout, stop)


if __name__ == "__main__":
    main()
