# SPDX-License-Identifier: Apache-2.0
"""The name server has another key by now; ours is old."""

from __future__ import annotations

from blackstart.sandbox.dns_server import folder_of, read_key, reload_dns
from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import ELSEWHERE, Layout
from blackstart.sandbox.on_site import put_file


def replace_key(layout: Layout) -> None:
    """Give the server another secret under the same name."""
    config = folder_of(layout) / "knot.conf"
    other = read_key(layout).swapcase()
    put_file(config, config.read_text().replace(read_key(layout), other), "svc")
    reload_dns(layout, living(layout, ELSEWHERE))


INJECTION = Injection(
    name="dns-key-expired",
    what="the key for DNS updates was replaced on the name server; the one that we keep is old",
    expected=stops_at("update_dns.records"),
    inject=replace_key,
)
