# SPDX-License-Identifier: Apache-2.0
"""The credentials were sealed anew with a key that never got into the database."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout
from blackstart.sandbox.on_site import sql


def seal_anew(layout: Layout) -> None:
    """Store what came out of a key that nobody has: it looks like chance (AES-CTR)."""
    sql(
        living(layout, PRODUCTION),
        """
        UPDATE "StorageCredentials" SET credentials = json_build_object('$',
          md5(random()::text) || encode(sha256(random()::text::bytea), 'base64'))::text
        """,
        database=DATABASE,
    )


INJECTION = Injection(
    name="old-credential-secret",
    what="the credentials were sealed with a newer key than the one that the database holds",
    expected=stops_at("restore_data.credentials"),
    inject=seal_anew,
)
