# SPDX-License-Identifier: Apache-2.0
"""A process number of the lost site: the platform would end whoever has it on the new one."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def hold_pid_rows(layout: Layout) -> None:
    """Make a trigger that keeps the rows when they are deleted."""
    sql(
        living(layout, PRODUCTION),
        """
        CREATE FUNCTION hold_pid() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER hold_pid BEFORE DELETE ON "ProjectSettings"
          FOR EACH ROW WHEN (OLD.key = 'pid') EXECUTE FUNCTION hold_pid();
        """,
        database=DATABASE,
    )


INJECTION = Injection(
    name="stale-pid",
    what="the database keeps the process numbers of the lost site's instances",
    expected=stops_at("restore_data.relocated"),
    inject=hold_pid_rows,
)
