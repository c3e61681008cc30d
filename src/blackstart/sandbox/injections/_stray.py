# SPDX-License-Identifier: Apache-2.0
"""A stranger at the lost site's address: it answers for us once production is gone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from blackstart.sandbox.injection import living
from blackstart.sandbox.layout import (
    ADDRESSES,
    ELSEWHERE,
    OUTSIDE,
    PRODUCTION,
    PUBLIC_NAME,
    Layout,
)
from blackstart.sandbox.on_site import put_file
from blackstart.sandbox.pki import Pki, make_pki
from blackstart.world.sites import Site, create_site, load_site, start_inside

STRAY = "stray"
_LOOK_EVERY_S = 0.1


def answers_at_old_address(
    ports: tuple[int, ...],
    *,
    status: int,
    body: str = "",
    authority: Callable[[Layout], Pki] = lambda layout: make_pki(layout.pki),
) -> Callable[[Layout, threading.Event], None]:
    """Return what serves one page at the old address, from the loss of production on."""

    def haunt(layout: Layout, stop: threading.Event) -> None:
        while load_site(layout.sites, PRODUCTION) is not None:
            if stop.wait(_LOOK_EVERY_S):
                return
        open_stray(layout, ports, status=status, body=body, pki=authority(layout))
        stop.wait()

    return haunt


def open_stray(layout: Layout, ports: tuple[int, ...], *, status: int, body: str, pki: Pki) -> Site:
    """Make a host with production's address that answers the same on all ports, over TLS."""
    site = create_site(
        layout.sites,
        STRAY,
        address=ADDRESSES[PRODUCTION],
        marker=f"{layout.root.name}/{STRAY}",
        purpose="sandbox",
        hub=living(layout, ELSEWHERE),
        usr=None,
        nameserver=ADDRESSES[ELSEWHERE],
        dies_with_us=True,
    )
    issued = pki.issue(PUBLIC_NAME)
    words = []
    for word, content in (
        ("--certificate", issued.certificate),
        ("--key", issued.key),
        ("--body", body.encode()),
    ):
        words += [word, str(put_file(site.directory / f"stray{word}", content, "svc"))]
    for port in ports:
        words += ["--port", str(port)]
    command = [sys.executable, "-m", "blackstart.sandbox.echo_web", "--status", str(status)]
    command += ["--address", site.address, "--greet", ADDRESSES[OUTSIDE], *words]
    start_inside(site, "echo", command, user="svc")
    return site
