# SPDX-License-Identifier: Apache-2.0
"""The data were written by a newer release than the one installed. FlowFuse starts on it."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def note_migration(layout: Layout) -> None:
    """Leave in the database what the migration of a later release leaves there."""
    sql(
        living(layout, PRODUCTION),
        """INSERT INTO "MetaVersions" (version, "updatedAt")
           VALUES ('20990101-01-of-a-later-release.js', now())""",
        database=DATABASE,
    )


INJECTION = Injection(
    name="release-differs",
    what="the data come from a later release of the platform than the one that is installed",
    expected=stops_at("restore_data.release"),
    inject=note_migration,
)
