# SPDX-License-Identifier: Apache-2.0
"""The place of the backups is not there when it is needed."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.layout import Layout


def take_away(layout: Layout) -> None:
    """Move the repository to where nobody looks."""
    (layout.backup / "repo").rename(layout.backup / "repo-out-of-reach")


INJECTION = Injection(
    name="repository-unreachable",
    what="the backup repository cannot be reached",
    expected=stops_at("assess_damage.choose_point"),
    inject=take_away,
)
