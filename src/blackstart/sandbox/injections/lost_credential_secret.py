# SPDX-License-Identifier: Apache-2.0
"""Nobody kept the key: the credentials are there and stay shut."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def lose_secrets(layout: Layout) -> None:
    """Delete the secrets of all instances."""
    lose = """DELETE FROM "ProjectSettings" WHERE key = 'credentialSecret'"""
    sql(living(layout, PRODUCTION), lose, database=DATABASE)


INJECTION = Injection(
    name="lost-credential-secret",
    what="the keys of the instances' stored credentials are gone from the database",
    expected=stops_at("restore_data.credentials"),
    inject=lose_secrets,
)
