# SPDX-License-Identifier: Apache-2.0
"""How long the world may go on using the old answer: its time to live, from before the move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from blackstart.ports.action import Context, Done, Failed, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectForgotten:
    """Expect that no cache keeps the old answer longer than `at_most_s` after the move.

    `old_ttl_s` is what `dns.replace` puts out. Nothing on our side empties the caches of others:
    who asked before the move may be sent to the lost site until that time is over.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "until": "when the last cache has forgotten the old answer (ISO 8601)",
    }
    name: str
    old_ttl_s: int
    at_most_s: int = 300

    def check(self, context: Context) -> Outcome:
        """Compare."""
        until = context.now() + timedelta(seconds=self.old_ttl_s)
        shown = until.isoformat(timespec="seconds")
        if self.old_ttl_s > self.at_most_s:
            return Failed(
                summary=f"some users may be led to the lost site until {shown}: the old record of "
                f"{self.name} could be kept for {self.old_ttl_s} s, the goal is {self.at_most_s} s",
                hint="tell users to empty their DNS caches; lower the time to live before the next "
                "disaster, because after it nobody can",
            )
        return Done(
            summary=f"no cache keeps the old address of {self.name} after {shown}",
            outputs={"until": shown},
        )
