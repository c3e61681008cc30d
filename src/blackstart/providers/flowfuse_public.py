# SPDX-License-Identifier: Apache-2.0
"""FlowFuse as its users see it: by its public name, over TLS, from their side of the network."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from blackstart.model.errors import BlackstartError
from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_api import Ask, is_up, log_in_problem, probe_problem
from blackstart.providers.flowfuse_checks import nothing_to_ask
from blackstart.providers.limits import wait_within
from blackstart.providers.manifest import Instance, read_manifest
from blackstart.providers.traces import returns_failures
from blackstart.world.http import Response, fetch

_LOOK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectPublic:
    """Expect that the public name serves: resolved afresh, certificate good, an old password logs
    in, and every page of every instance answers as before.

    Looks again until `within_s` is over. First service is when the platform was verified under its
    name, full service when every instance was too.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "first_service_at": "when the platform was verified under its public name (ISO 8601)",
        "full_service_at": "when every instance was verified too (ISO 8601)",
    }
    public_name: str
    address: str
    ca_certificate: str
    manifest: str
    login: SecretRef
    within_s: float = 30.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look until everything is as it should be."""
        manifest = read_manifest(self.manifest)
        if not manifest.pages:
            return nothing_to_ask(self.manifest)
        look = _Look(
            action=self,
            context=context,
            login=context.reveal(self.login),
            instances=manifest.ran,
        )
        if not wait_within(
            context, look.is_served, at_most_s=float(self.within_s), every_s=_LOOK_EVERY_S
        ):
            return Failed(
                summary="; ".join(look.problems) or "stopped on request",
                hint="look at the record, the front (log/front.log) and the platform's log; "
                "roll the record back if users get something wrong",
            )
        return Done(
            summary=f"https://{self.public_name} serves from {self.address}: the log-in works and "
            f"{manifest.pages} pages of {len(look.instances)} instances are right",
            outputs={"first_service_at": look.first, "full_service_at": look.full},
        )


@dataclass(slots=True, kw_only=True)
class _Look:
    """What was seen so far; what was right once is not asked again."""

    action: ExpectPublic
    context: Context
    login: str
    instances: tuple[Instance, ...]
    first: str = ""
    full: str = ""
    problems: tuple[str, ...] = ()

    def is_served(self) -> bool:
        """Look once at what is not proven yet."""
        try:
            if not self.first:
                problem = self._platform_problem()
                self.problems = (problem,) if problem else ()
                self.first = "" if problem else self._now()
            if self.first:
                self.problems = self._instance_problems()
                self.full = "" if self.problems else self._now()
        except BlackstartError as failure:
            self.problems = (failure.what,)
        return bool(self.full)

    def _platform_problem(self) -> str:
        name, address = self.action.public_name, self.action.address
        found = resolve(name)
        if found != (address,):
            return f"{name} leads to {', '.join(found) or 'nowhere'}, not to {address}"
        ask = self._ask(f"https://{name}")
        if not is_up(ask):
            return f"https://{name} does not answer as the platform"
        return log_in_problem(ask, self.login)

    def _instance_problems(self) -> tuple[str, ...]:
        asked = (
            probe_problem(self._ask(one.url.rstrip("/")), one, probe)
            for one in self.instances
            for probe in one.probes
        )
        return tuple(problem for problem in asked if problem)

    def _now(self) -> str:
        return self.context.now().isoformat(timespec="milliseconds")

    def _ask(self, base: str) -> Ask:
        return asking_publicly(base, self.action.ca_certificate)


def resolve(name: str) -> tuple[str, ...]:
    """Return the IPv4 addresses that this machine's resolver gives for a name now; () for none."""
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(sorted({str(entry[4][0]) for entry in found}))


def asking_publicly(base: str, ca_certificate: str, *, timeout_s: float = 5.0) -> Ask:
    """Return a function that asks one server by its name, trusting the given authority only."""

    def ask(
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        return fetch(
            f"{base}{path}",
            method=method,
            headers=headers,
            body=body,
            ca=Path(ca_certificate),
            timeout_s=timeout_s,
        )

    return ask
