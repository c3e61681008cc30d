# SPDX-License-Identifier: Apache-2.0
"""The disk of the new site is too small for the data."""

from __future__ import annotations

import threading

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.layout import RECOVERY, Layout
from blackstart.sandbox.on_site import must
from blackstart.world.sites import USERS, load_site

_LOOK_EVERY_S = 0.1


def shrink_disk(layout: Layout, stop: threading.Event) -> None:
    """Lay a small disk over the folder of the data, in the new site's own view, once it is made."""
    while not stop.wait(_LOOK_EVERY_S):
        site = load_site(layout.sites, RECOVERY)
        data = layout.sites / RECOVERY / "pg"
        if site is None or not (layout.sites / RECOVERY / "front" / "web.key").exists():
            continue
        options = f"size=8m,mode=0700,uid={USERS['postgres']},gid={USERS['postgres']}"
        must(site, ["mount", "-t", "tmpfs", "-o", options, "small-disk", str(data)])
        return


INJECTION = Injection(
    name="no-room-on-disk",
    what="the disk of the new site has 8 MB for the data",
    expected=stops_at("restore_data.database"),
    haunt=shrink_disk,
)
