# SPDX-License-Identifier: Apache-2.0
"""Our key may look and not change."""

from __future__ import annotations

from blackstart.sandbox.dns_server import reload_dns, write_config
from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import ELSEWHERE, Layout


def refuse_updates(layout: Layout) -> None:
    """Take the right to update from the key."""
    write_config(layout, actions="[transfer]")
    reload_dns(layout, living(layout, ELSEWHERE))


INJECTION = Injection(
    name="dns-update-refused",
    what="the name server no longer lets our key change records",
    expected=stops_at("update_dns.records"),
    inject=refuse_updates,
)
