# SPDX-License-Identifier: Apache-2.0
"""Two instances claim one port: the second would not start, or its users would get the first."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def share_port(layout: Layout) -> None:
    """Give all instances the port of one of them."""
    sql(
        living(layout, PRODUCTION),
        """
        UPDATE "ProjectSettings" SET value =
          (SELECT min(value) FROM "ProjectSettings" WHERE key = 'port') WHERE key = 'port'
        """,
        database=DATABASE,
    )


INJECTION = Injection(
    name="stale-port",
    what="the database holds an old port for an instance, which another one has by now",
    expected=stops_at("restore_data.relocated"),
    inject=share_port,
)
