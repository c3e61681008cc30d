# SPDX-License-Identifier: Apache-2.0
"""The new site cannot be backed up: nothing would protect what users write from now on."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.on_site import put_file


def block_place(layout: Layout) -> None:
    """Put a file where the new repository has to go."""
    put_file(layout.backup / "repo-after-recovery", "not a folder")


INJECTION = Injection(
    name="no-backup-after-recovery",
    what="the place for the new site's own backups takes nothing",
    expected=stops_at("verify_platform.backup"),
    inject=block_place,
)
