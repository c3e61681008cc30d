# SPDX-License-Identifier: Apache-2.0
"""New secrets for a new site: made once for a run, sealed before anyone can use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from blackstart.ports.action import Context, Done, Finding, NotDone, Outcome
from blackstart.providers.traces import returns_failures
from blackstart.world.random import token

_LENGTH_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Make a fresh unguessable text of 256 bits for each name and seal it.

    Each name becomes an output that holds the reference of the sealed secret. A name that this
    run sealed before keeps its first value, so the action can be repeated at any time.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "database_password": "reference of the new password of the database's owner",
        "cookie_secret": "reference of the new secret that signs cookies",
        "replication_password": "reference of the new password for replication",
        "repository_key": "reference of the key for the new site's own backups",
    }
    names: tuple[str, ...]

    def preview(self, context: Context) -> str:
        """Say what would be made."""
        return f"{len(self.names)} new secrets would be made and sealed: {', '.join(self.names)}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Make and seal them."""
        return Done(
            summary=f"{len(self.names)} new secrets sealed",
            outputs={name: str(context.seal(name, token(_LENGTH_BYTES))) for name in self.names},
        )

    def inspect(self, context: Context) -> Finding:
        """Say NotDone: the sealed store gives the first value again, so repeating adds nothing."""
        return NotDone(note="sealing the same name again keeps the first value")


PROVIDES: Mapping[str, type] = {"generate": Generate}
