# SPDX-License-Identifier: Apache-2.0
"""Whoever broke the platform had changed the users' addresses before the last backup."""

from __future__ import annotations

from blackstart.sandbox.backup import take_backup
from blackstart.sandbox.injection import Injection, degrades, living
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql
from blackstart.sandbox.received import mails

_STRANGER = "stranger.test"


def alter_addresses(layout: Layout) -> None:
    """Point all addresses to a stranger, then back up: the roster is sealed with them."""
    alter = """UPDATE "Users" SET email = username || '@stranger.test'"""
    sql(living(layout, PRODUCTION), alter, database=DATABASE)
    take_backup(layout, kind="diff")


def reached_stranger(layout: Layout) -> str:
    """Say whether a message went to the stranger, or the users were not told."""
    told = [mail for mail in mails(layout) if mail.mail_from.startswith("status@")]
    recipients = [address for mail in told for address in mail.rcpt_tos]
    if any(address.endswith(_STRANGER) for address in recipients):
        return "users' messages went to a stranger"
    return "" if recipients else "no user was told"


INJECTION = Injection(
    name="user-addresses-altered",
    what="all addresses of users lead to a stranger, in the last backup and in its roster too",
    expected=degrades("notify_users", "announce_recovery"),
    prepare=alter_addresses,
    proves_again=True,
    witness=reached_stranger,
)
