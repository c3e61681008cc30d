# SPDX-License-Identifier: Apache-2.0
"""The public name could be cached for a day when production was lost."""

from __future__ import annotations

from blackstart.sandbox.dns_server import ZONE, folder_of, reload_dns
from blackstart.sandbox.injection import Injection, degrades, living
from blackstart.sandbox.layout import ELSEWHERE, Layout
from blackstart.sandbox.on_site import put_file

_DAY_S = 86_400


def lengthen_life(layout: Layout) -> None:
    """Give the address record a life of a day."""
    path = folder_of(layout) / f"{ZONE}.zone"
    lines = [
        line.replace("app A", f"app {_DAY_S} A").replace(" 1 3600", " 2 3600")
        for line in path.read_text().splitlines()
    ]
    put_file(path, "\n".join([*lines, ""]), "svc", 0o644)
    reload_dns(layout, living(layout, ELSEWHERE))


INJECTION = Injection(
    name="ttl-above-goal",
    what="the old address may be kept in caches for a day, the goal is five minutes",
    expected=degrades("announce_recovery"),
    inject=lengthen_life,
)
