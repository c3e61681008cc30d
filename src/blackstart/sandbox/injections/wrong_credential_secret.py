# SPDX-License-Identifier: Apache-2.0
"""The platform is blind to it: flows that run go on, restored ones cannot decrypt."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import DATABASE, PRODUCTION, Layout, SandboxError
from blackstart.sandbox.on_site import sql


def replace_secret(layout: Layout) -> None:
    """Overwrite the secret of the instance with the longest credentials."""
    changed = sql(
        living(layout, PRODUCTION),
        """
        UPDATE "ProjectSettings" SET value = md5(random()::text) || md5(random()::text)
        WHERE key = 'credentialSecret' AND "ProjectId" =
          (SELECT "ProjectId" FROM "StorageCredentials" ORDER BY length(credentials) DESC LIMIT 1)
        RETURNING "ProjectId"
        """,
        database=DATABASE,
    )
    if not changed:
        raise SandboxError("production has no instance with a credential", "provision it first")


INJECTION = Injection(
    name="wrong-credential-secret",
    what="the key of an instance's stored credentials is overwritten in the database: "
    "flows that run go on, restored ones cannot decrypt",
    expected=stops_at("restore_data.credentials"),
    inject=replace_secret,
)
