# SPDX-License-Identifier: Apache-2.0
"""TCP ports as they look from where the check runs: only those that should be open are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.world.knock import Answer, knock

Port = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """Expect that no port of an address answers except those allowed.

    Every port of `tried` and every allowed one is tried (ranges are written "12080-12099"). At
    least one allowed port has to be open: when nothing answers at all, a firewall cannot be told
    from a host that is away, and that is a failure too.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "open": "the ports that took a connection",
        "tried": "how many ports were tried",
    }

    address: str
    tried: tuple[Port, ...]
    allowed: tuple[Port, ...]
    timeout_s: float = 1.0

    def check(self, context: Context) -> Outcome:
        """Try all ports at once."""
        try:
            allowed = set(expand(self.allowed))
            wanted = allowed | set(expand(self.tried))
        except ValueError as wrong:
            return Failed(summary=str(wrong), hint="write ports as 443 or as 12080-12099")
        if not self.tried:
            return Failed(
                summary=f"No port of {self.address} was named to be tried.",
                hint="give the ports that the site listens on (site.listeners puts them out)",
            )
        try:
            answers = knock(self.address, wanted, timeout_s=self.timeout_s)
        except (OSError, ValueError) as wrong:
            return Failed(
                summary=f"{self.address} cannot be tried from here: {wrong}.",
                hint="give the address of the new site, and look at the route to it",
            )
        found_open = sorted(port for port, said in answers.items() if said is Answer.OPEN)
        return self._judge(found_open, allowed, len(wanted))

    def _judge(self, found_open: list[int], allowed: set[int], tried: int) -> Outcome:
        wrong = [port for port in found_open if port not in allowed]
        if wrong:
            return Failed(
                summary=f"{shorten(wrong)} of {self.address} can be reached and should not be.",
                hint=(
                    "close it in the firewall, or bind its program to the loopback address; "
                    "add it to `allowed` only if it is meant for the public"
                ),
            )
        if not found_open:
            return Failed(
                summary=f"None of {tried} ports of {self.address} answered, allowed ones included.",
                hint="look whether the site and its front run and whether there is a route to it",
            )
        return Done(
            summary=f"Of {tried} ports of {self.address} only {shorten(found_open)} answer.",
            outputs={"open": list(found_open), "tried": tried},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Expect that one TCP port takes connections or, with `open` false, that it refuses them.

    A port that says nothing proves nothing: a firewall that drops cannot be told from a host that
    is away. So silence counts as closed only with `silence_counts`, and no route never does.
    """

    outputs: ClassVar[Mapping[str, str]] = {"answer": "open, closed, silent or unreachable"}

    address: str
    port: int
    open: bool = True
    silence_counts: bool = False
    timeout_s: float = 2.0

    def check(self, context: Context) -> Outcome:
        """Try the port once."""
        try:
            (port,) = expand([self.port])
            said = knock(self.address, [port], timeout_s=self.timeout_s)[port]
        except (OSError, ValueError) as wrong:
            return Failed(
                summary=f"Port {self.port} of {self.address} cannot be tried: {wrong}.",
                hint="give an address, not a name, and a port between 1 and 65535",
            )
        seen = f"Port {self.port} of {self.address} is {said}"
        if said in self._wanted:
            return Done(summary=f"{seen}.", outputs={"answer": str(said)})
        if not self.open and said is Answer.SILENT:
            return Failed(
                summary=f"{seen}, which a host that is away would be too.",
                hint="look at it from where it would answer; or say `silence_counts` if a firewall "
                "drops and another check sees the host",
            )
        return Failed(
            summary=f"{seen}, expected {'open' if self.open else 'closed'}.",
            hint="look at the program that holds the port and at the firewall before it",
        )

    @property
    def _wanted(self) -> frozenset[Answer]:
        if self.open:
            return frozenset({Answer.OPEN})
        silent = {Answer.SILENT} if self.silence_counts else set[Answer]()
        return frozenset({Answer.CLOSED} | silent)


def expand(ports: Iterable[Port]) -> list[int]:
    """Return every port of a list of ports and ranges. Raises ValueError with what is wrong."""
    found: list[int] = []
    for port in ports:
        first, _, last = str(port).partition("-")
        if not first.strip().isdigit() or (last and not last.strip().isdigit()):
            raise ValueError(f"{port!r} is neither a port nor a range of ports")
        wanted = range(int(first), int(last or first) + 1)
        if not wanted or not (wanted[0] > 0 and wanted[-1] < 65_536):
            raise ValueError(f"{port!r} is not a range of ports between 1 and 65535")
        found.extend(wanted)
    return found


def shorten(ports: list[int]) -> str:
    """Return sorted ports as people write them: `port 443` or `ports 443, 12080-12099`."""
    spans: list[list[int]] = []
    for port in ports:
        if spans and port == spans[-1][1] + 1:
            spans[-1][1] = port
        else:
            spans.append([port, port])
    words = [str(first) if first == last else f"{first}-{last}" for first, last in spans]
    return f"port{'s' if len(ports) > 1 else ''} {', '.join(words)}"


PROVIDES: Mapping[str, type] = {"only": Only, "expect": Expect}
