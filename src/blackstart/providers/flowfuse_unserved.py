# SPDX-License-Identifier: Apache-2.0
"""Before the cut-over nobody may answer for us: clients act on answers, whoever gives them.

A device agent that is told 401 or 404 under the platform's name stops its flows and clears its
configuration; an instance that goes on serving takes writes that nobody recovers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.providers.flowfuse_public import resolve
from blackstart.providers.manifest import load_manifest
from blackstart.providers.traces import returns_failures
from blackstart.world.http import FetchFailed, fetch
from blackstart.world.knock import Answer, knock

_UNAVAILABLE = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectUnserved:
    """Expect silence or 503 from the platform's port and every instance's, as users reach them.

    Asked are the `addresses`, or those that the public name leads to at this moment, but for
    `except_address`, which is the new site's own after the cut-over. Any other
    answer fails, also one with a certificate that is not ours: somebody serves in our name. A name
    that leads nowhere serves nobody.
    """

    outputs: ClassVar[Mapping[str, str]] = {"asked": "the addresses that were asked"}
    public_name: str
    ca_certificate: str
    manifest: str
    addresses: tuple[str, ...] = ()
    except_address: str = ""
    port: int = 443
    timeout_s: float = 2.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Knock at all ports, and read what those that are open answer."""
        found = tuple(self.addresses) or resolve(self.public_name)
        asked = tuple(address for address in found if address != self.except_address)
        instances = load_manifest(self.manifest).instances
        ports = sorted({self.port, *(one.port for one in instances)})
        problems = [problem for address in asked for problem in self._problems(address, ports)]
        if problems:
            return Failed(
                summary="; ".join(problems),
                hint="stop that server, or have its network cut off: what it answers is taken for "
                "ours, and what it takes is lost",
            )
        where = ", ".join(asked) or f"{self.public_name} leads nowhere else"
        return Done(
            summary=f"nobody answers for {self.public_name} on {len(ports)} ports ({where})",
            outputs={"asked": list(asked)},
        )

    def _problems(self, address: str, ports: Iterable[int]) -> list[str]:
        answers = knock(address, ports, timeout_s=self.timeout_s)
        opened = [port for port, said in answers.items() if said is Answer.OPEN]
        return [problem for port in opened if (problem := self._problem(address, port))]

    def _problem(self, address: str, port: int) -> str:
        name = self.public_name if port == 443 else f"{self.public_name}:{port}"
        try:
            status = fetch(
                f"https://{name}/",
                connect_to=address,
                ca=Path(self.ca_certificate),
                timeout_s=self.timeout_s,
            ).status
        except FetchFailed as failure:
            return f"{address} serves {name} and is not ours ({failure.what.rpartition(': ')[2]})"
        return "" if status == _UNAVAILABLE else f"{address} answers {status} for {name}"
