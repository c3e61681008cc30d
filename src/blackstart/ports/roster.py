# SPDX-License-Identifier: Apache-2.0
"""The roster: who is affected when a system is gone, kept away from that system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class AffectedPerson:
    """A user to be told. `id` is opaque; addresses (kind → address) never enter the journal."""

    id: str
    name: str
    addresses: Mapping[str, str]
    teams: tuple[str, ...] = ()
    instances: tuple[str, ...] = field(default_factory=tuple)
