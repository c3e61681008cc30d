# SPDX-License-Identifier: Apache-2.0
"""The place of the programs that a recovery needs lacks one."""

from __future__ import annotations

from blackstart.sandbox.database import must_copy
from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.layout import Layout


def remove_tool(layout: Layout) -> None:
    """Give the run packages of its own, without the backup tool. The shared ones stay whole."""
    packages = layout.artefacts / "usr"
    shared = packages.resolve()
    own = layout.artefacts / "usr-without"
    must_copy(shared, own)
    (own / "bin" / "pgbackrest").unlink()
    draft = layout.artefacts / "usr.next"
    draft.symlink_to(own)
    draft.replace(packages)


INJECTION = Injection(
    name="tool-missing",
    what="the program that reads the backups is missing among the packages",
    expected=stops_at("assess_damage.choose_point"),
    inject=remove_tool,
)
