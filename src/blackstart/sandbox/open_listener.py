# SPDX-License-Identifier: Apache-2.0
"""An intruder in the new site: a program that listens to the network, let in by the firewall.

It waits until data comes into the recovery site. The first security check has passed by then, so
only the second can find it. It keeps the port open as long as the site lives: whenever listener or
firewall rule is gone, it is made again, as malware does.
"""

from __future__ import annotations

import sys
import threading

import msgspec

from blackstart.sandbox.front import listens
from blackstart.sandbox.layout import RECOVERY, Layout, SandboxError
from blackstart.sandbox.on_site import must
from blackstart.world.sites import Site, SiteError, load_site, start_inside

PORT = 9999
_LOOK_EVERY_S = 0.2


class _Chain(msgspec.Struct):
    family: str
    table: str
    name: str
    hook: str = ""


class _Entry(msgspec.Struct):
    chain: _Chain | None = None


class _Ruleset(msgspec.Struct):
    nftables: list[_Entry]


def keep_listener_open(layout: Layout, stop: threading.Event) -> None:
    """Keep the port open in the recovery site from its start to its end, or until `stop`."""
    seen = False
    while not stop.wait(_LOOK_EVERY_S):
        site = load_site(layout.sites, RECOVERY)
        if site is not None and (site.directory / "pg" / "PG_VERSION").exists():
            seen = True
            open_once(site)
        elif seen:
            return


def open_once(site: Site) -> bool:
    """Open the port where it is not open; True when both listener and firewall let callers in."""
    try:
        if not listens(site, "127.0.0.1", PORT):
            serve = [sys.executable, "-m", "http.server", str(PORT), "--bind", "0.0.0.0"]
            folder = ["--directory", str(site.directory / "etc")]
            start_inside(site, "intruder", [*serve, *folder], user="svc")
        return _let_in(site)
    except (SandboxError, SiteError, OSError):
        return False  # the site is still being made, or just gone: look again


def _let_in(site: Site) -> bool:
    """Put a rule that accepts the port in front of each chain for incoming packets."""
    listed = must(site, ["nft", "-j", "list", "chains"], timeout_s=10)
    chains = [entry.chain for entry in msgspec.json.decode(listed, type=_Ruleset).nftables]
    found = [chain for chain in chains if chain is not None and chain.hook == "input"]
    for chain in found:
        place = (chain.family, chain.table, chain.name)
        rules = must(site, ["nft", "list", "chain", *place], timeout_s=10)
        if f"tcp dport {PORT} accept" not in rules:
            rule = ["tcp", "dport", str(PORT), "accept"]
            must(site, ["nft", "insert", "rule", *place, *rule], timeout_s=10)
    return listens(site, "127.0.0.1", PORT)
