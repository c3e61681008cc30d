# SPDX-License-Identifier: Apache-2.0
"""The authoritative name server elsewhere: knot, which takes signed updates of flowfuse.test.

Updates follow RFC 2136 and are signed by TSIG (RFC 8945) with the key in dns/tsig.key. The key may
change records of four types and nothing else. Lives are 5 s, so that a move is seen at once.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, PRODUCTION, Layout, SandboxError
from blackstart.sandbox.on_site import make_folder, must, put_file
from blackstart.world.sites import Site

ZONE = "flowfuse.test"
HOUSE_ZONE = "elsewhere.test"
KEY_NAME = "dr-key"
KEY_ALGORITHM = "hmac-sha256"
UPDATE_ACTIONS = "[update, transfer]"
_CONFIG = """\
server:
    rundir: "{folder}/run"
    listen: {address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stdout
    any: info
database:
    storage: "{folder}/db"
    journal-db-max-size: 16M
    kasp-db-max-size: 8M
    timer-db-max-size: 8M
key:
  - id: {key_name}
    algorithm: {algorithm}
    secret: {secret}
acl:
  - id: dr-update
    key: {key_name}
    action: {actions}
    update-type: [A, AAAA, CNAME, TXT]
zone:
  - domain: {zone}
    storage: "{folder}"
    file: "{zone}.zone"
    acl: dr-update
    zonefile-sync: 0
    zonefile-load: difference
    journal-content: changes
  - domain: {house}
    storage: "{folder}"
    file: "{house}.zone"
"""
_ZONE = """\
$TTL 5
@ SOA ns.{zone}. ops.{zone}. 1 3600 600 86400 2
@ NS ns.{zone}.
ns A {here}
app A {production}
records A {production}
broker A {production}
*.apps A {production}
@ TXT "v=spf1 ip4:{production} -all"
"""
_HOUSE_ZONE = """\
$TTL 5
@ SOA ns.{house}. ops.{house}. 1 3600 600 86400 2
@ NS ns.{house}.
ns A {here}
mail A {here}
slack A {here}
log A {here}
status A {here}
prometheus A {here}
alertmanager A {here}
growers A {production}
"""


def other_records(address: str) -> dict[str, dict[str, str]]:
    """Return what moves to an address together with the public name: our records, by purpose."""
    spf = '"v=spf1 ip4:{} -all"'
    old = ADDRESSES[PRODUCTION]
    return {
        "broker": {"name": f"broker.{ZONE}", "kind": "broker", "old": old, "new": address},
        "wildcard": {"name": f"*.apps.{ZONE}", "kind": "wildcard", "old": old, "new": address},
        "mail": {
            "name": ZONE,
            "kind": "mail",
            "type": "TXT",
            "old": spf.format(old),
            "new": spf.format(address),
        },
        "egress": {
            "name": "our requests",
            "kind": "egress_address",
            "owner": "customer",
            "old": old,
            "new": address,
            "rollback": f"allow {old} again",
        },
    }


def folder_of(layout: Layout) -> Path:
    """Return the name server's folder."""
    return layout.elsewhere / "dns"


def read_key(layout: Layout) -> str:
    """Return the secret that signs updates, in base64."""
    return (folder_of(layout) / "tsig.key").read_text("ascii").strip()


def write_dns(layout: Layout) -> list[str]:
    """Write key, configuration and zones; return the command that serves them."""
    folder = make_folder(folder_of(layout), "svc", 0o755)
    for name in ("run", "db"):
        make_folder(folder / name, "svc")
    put_file(folder / "tsig.key", base64.b64encode(os.urandom(32)))
    names = {
        "zone": ZONE,
        "house": HOUSE_ZONE,
        "here": ADDRESSES[ELSEWHERE],
        "production": ADDRESSES[PRODUCTION],
    }
    put_file(folder / f"{ZONE}.zone", _ZONE.format(**names), "svc", 0o644)
    put_file(folder / f"{HOUSE_ZONE}.zone", _HOUSE_ZONE.format(**names), "svc", 0o644)
    return ["knotd", "-c", str(write_config(layout, actions=UPDATE_ACTIONS))]


def write_config(layout: Layout, *, actions: str) -> Path:
    """Write the server's configuration, with what the key is allowed to do."""
    folder = folder_of(layout)
    config = _CONFIG.format(
        folder=folder,
        address=ADDRESSES[ELSEWHERE],
        key_name=KEY_NAME,
        algorithm=KEY_ALGORITHM,
        secret=read_key(layout),
        actions=actions,
        zone=ZONE,
        house=HOUSE_ZONE,
    )
    return put_file(folder / "knot.conf", config, "svc")


def reload_dns(layout: Layout, site: Site) -> None:
    """Make the running server follow its configuration. Raises SandboxError."""
    config = str(folder_of(layout) / "knot.conf")
    said = must(site, ["knotc", "-c", config, "reload"], user="svc", timeout_s=10)
    if "Reloaded" not in said:
        raise SandboxError(f"the name server did not reload: {said}", "read its log")
