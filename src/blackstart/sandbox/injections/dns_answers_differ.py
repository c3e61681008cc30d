# SPDX-License-Identifier: Apache-2.0
"""A second name server of the zone never hears of the change and goes on with the old answer."""

from __future__ import annotations

from functools import partial

from blackstart.sandbox.dns_server import ZONE, folder_of, reload_dns
from blackstart.sandbox.front import listens
from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, Layout
from blackstart.sandbox.on_site import expect, make_folder, must, put_file
from blackstart.world.sites import start_inside

_SECOND = "10.70.0.2"


def add_second_server(layout: Layout) -> None:
    """Name a second server in the zone, and start it with a copy that nobody updates."""
    site, folder = living(layout, ELSEWHERE), folder_of(layout)
    zone = folder / f"{ZONE}.zone"
    added = f"@ NS ns2.{ZONE}.\nns2 A {_SECOND}\n"
    put_file(zone, zone.read_text().replace(" 1 3600", " 2 3600") + added, "svc", 0o644)
    reload_dns(layout, site)
    own = make_folder(layout.elsewhere / "dns-second", "svc", 0o755)
    for name in ("run", "db"):
        make_folder(own / name, "svc")
    for path in folder.glob("*.zone"):
        put_file(own / path.name, path.read_bytes(), "svc", 0o644)
    config = (folder / "knot.conf").read_text().replace(str(folder), str(own))
    config = config.replace(f"{ADDRESSES[ELSEWHERE]}@53", f"{_SECOND}@53")
    path = put_file(own / "knot.conf", config, "svc")
    must(site, ["ip", "address", "add", f"{_SECOND}/24", "dev", "br0"])
    start_inside(site, "knot-second", ["knotd", "-c", str(path)], user="svc")
    log = site.directory / "log" / "knot-second.log"
    expect("the second name server", partial(listens, site, _SECOND, 53), timeout_s=10, log=log)


INJECTION = Injection(
    name="dns-answers-differ",
    what="one of the two name servers of the zone keeps the old address",
    expected=stops_at("update_dns.records"),
    inject=add_second_server,
)
