# SPDX-License-Identifier: Apache-2.0
"""Before users are told that all is over: who they are, and what is not as before.

It is one action and not five: in a step that goes on after a failure, the actions beside a failed
one are not begun, and all of these have to be asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from blackstart.ports.action import Check, Context, Done, Failed, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.dns_caches import ExpectForgotten
from blackstart.providers.flowfuse_unserved import ExpectUnserved
from blackstart.providers.front_devices import ExpectKnownDevices
from blackstart.providers.roster import Open
from blackstart.providers.traces import returns_failures


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectNoExceptions:
    """Open the roster of those to be told, and expect that there is nothing but good news for them.

    The roster is opened as `roster.open` does. Looked at are: no cache keeps the old answer long
    (`old_ttl_s`, as `dns.replace` puts it out); nobody answers at the `old` addresses; no device
    was held off. Each that is not so is named.
    """

    outputs: ClassVar[Mapping[str, str]] = {"looked_at": "how many things were looked at"}
    public_name: str
    address: str
    ca_certificate: str
    manifest: str
    directory: str
    old: tuple[str, ...]
    old_ttl_s: int
    roster: str
    key: SecretRef
    audience: str
    earlier: str = ""

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look at each."""
        checks: tuple[Check, ...] = (
            Open(roster=self.roster, key=self.key, audience=self.audience, earlier=self.earlier),
            ExpectForgotten(name=self.public_name, old_ttl_s=self.old_ttl_s),
            ExpectUnserved(
                public_name=self.public_name,
                ca_certificate=self.ca_certificate,
                manifest=self.manifest,
                addresses=self.old or (self.address,),
                except_address=self.address,
            ),
            ExpectKnownDevices(directory=self.directory),
        )
        found = [check.check(context) for check in checks]
        failed = [outcome for outcome in found if isinstance(outcome, Failed)]
        if failed:
            return Failed(
                summary="; ".join(one.summary.rstrip(".") for one in failed),
                hint="; ".join(one.hint for one in failed),
            )
        return Done(
            summary="; ".join(one.summary.rstrip(".") for one in found),
            degraded="; ".join(
                one.degraded for one in found if isinstance(one, Done) and one.degraded
            ),
            outputs={"looked_at": len(found)},
        )
