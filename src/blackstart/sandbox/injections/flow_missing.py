# SPDX-License-Identifier: Apache-2.0
"""The flow of one instance is gone; the instance runs, and does nothing."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def delete_flow(layout: Layout) -> None:
    """Delete the stored flow of one of the instances."""
    sql(
        living(layout, PRODUCTION),
        """
        DELETE FROM "StorageFlows" WHERE "ProjectId" =
          (SELECT id FROM "Projects" WHERE name = 'packing-line')
        """,
        database=DATABASE,
    )


INJECTION = Injection(
    name="flow-missing",
    what="the flow of one instance is gone from the database; the instance would run empty",
    expected=stops_at("verify_platform.flows"),
    inject=delete_flow,
)
