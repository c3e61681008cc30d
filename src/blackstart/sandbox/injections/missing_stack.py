# SPDX-License-Identifier: Apache-2.0
"""An instance needs a Node-RED release that was never built into an artefact."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def want_another_stack(layout: Layout) -> None:
    """Let the platform's stack name a release that nobody installed."""
    sql(
        living(layout, PRODUCTION),
        """
        UPDATE "ProjectStacks" SET properties =
          (properties::jsonb || '{"nodered": "3.1.14"}')::text
        """,
        database=DATABASE,
    )


INJECTION = Injection(
    name="missing-stack",
    what="the instances run on a Node-RED release for which there is no artefact: the platform "
    "would start well and its instances not",
    expected=stops_at("restore_data.start"),
    inject=want_another_stack,
)
