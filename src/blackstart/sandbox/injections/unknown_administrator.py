# SPDX-License-Identifier: Apache-2.0
"""Somebody made an ordinary user administrator before the platform was lost."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def promote_user(layout: Layout) -> None:
    """Give a user of a team all rights."""
    promote = """UPDATE "Users" SET admin = true WHERE username = 'dave'"""
    sql(living(layout, PRODUCTION), promote, database=DATABASE)


INJECTION = Injection(
    name="unknown-administrator",
    what="an ordinary user has become administrator in the data that is restored",
    expected=stops_at("verify_observability.accounts"),
    inject=promote_user,
)
