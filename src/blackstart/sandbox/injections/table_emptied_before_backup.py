# SPDX-License-Identifier: Apache-2.0
"""A table was emptied, and only then the backup and its manifest were taken: both agree."""

from __future__ import annotations

from blackstart.sandbox.backup import take_backup
from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def empty_members(layout: Layout) -> None:
    """Delete who belongs to which team, then back up."""
    sql(living(layout, PRODUCTION), 'DELETE FROM "TeamMembers"', database=DATABASE)
    take_backup(layout, kind="diff")


INJECTION = Injection(
    name="table-emptied-before-backup",
    what="the table of team members was emptied before the newest backup and its manifest were "
    "taken, so that both agree with each other",
    expected=stops_at("verify_platform.counts"),
    prepare=empty_members,
    proves_again=True,
)
