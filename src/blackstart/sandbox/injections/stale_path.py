# SPDX-License-Identifier: Apache-2.0
"""The relocation to the new site does not take, and says nothing."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def hold_path_rows(layout: Layout) -> None:
    """Make a trigger that keeps the old value."""
    sql(
        living(layout, PRODUCTION),
        """
        CREATE FUNCTION hold_path() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';
        CREATE TRIGGER hold_path BEFORE UPDATE ON "ProjectSettings"
          FOR EACH ROW WHEN (OLD.key = 'path') EXECUTE FUNCTION hold_path();
        """,
        database=DATABASE,
    )


INJECTION = Injection(
    name="stale-path",
    what="the database silently keeps each instance's old folder when it is changed, "
    "so that the relocation to the new site does not take",
    expected=stops_at("restore_data.relocated"),
    inject=hold_path_rows,
)
