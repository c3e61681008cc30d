# SPDX-License-Identifier: Apache-2.0
"""All name servers that hold a zone: users are answered by any of them, so each has to agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dns.name

from blackstart.ports.action import Context
from blackstart.providers.dns_wire import (
    DnsTrouble,
    Records,
    Server,
    ask_authority,
    ask_resolver,
)
from blackstart.providers.limits import wait_within


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the name servers of a zone say: how many agree, and the first that does not."""

    agreeing: int
    silent: tuple[str, ...] = ()
    trouble: DnsTrouble | None = None


def parse_server(text: str) -> Server:
    """Return the server of `ADDRESS` or `ADDRESS#PORT`. Raises DnsTrouble."""
    address, _, port = text.partition("#")
    if port and not port.isdigit():
        raise DnsTrouble(f"{text!r} names no name server", "write ADDRESS or ADDRESS#PORT")
    return Server(address=address, port=int(port or 53))


def find_authorities(primary: Server, name: str) -> tuple[Server, ...]:
    """Return every server that the zone of a name lists (NS), the primary one first.

    They are asked on the port of the primary. Raises DnsTrouble when one has no address.
    """
    found = [primary]
    for host in _listed(primary, name):
        held = ask_authority_or_nothing(primary, host) or ask_resolver("", host, "A").values
        if not held:
            raise DnsTrouble(
                f"the name server {host}, which the zone of {name} lists, has no address",
                "correct the NS records of the zone, or name its servers in the plan",
            )
        found += [Server(address=address, port=primary.port) for address in held]
    return tuple(dict.fromkeys(found))


def ask_authority_or_nothing(primary: Server, host: str) -> tuple[str, ...]:
    """Return the addresses that the primary itself holds for a host; none when it is not its."""
    try:
        return ask_authority(primary, host, "A").values
    except DnsTrouble:
        return ()


def all_agree(
    servers: Sequence[Server],
    name: str,
    kind: str,
    wanted: tuple[str, ...],
    context: Context,
    *,
    within_s: float,
    may_be_silent: bool = False,
) -> Verdict:
    """Wait until every server holds the wanted values; the first one that does not is told."""
    verdict = Verdict(agreeing=0)

    def agree() -> bool:
        nonlocal verdict
        verdict = _ask_all(servers, name, kind, wanted, may_be_silent=may_be_silent)
        return verdict.trouble is None

    wait_within(context, agree, at_most_s=within_s, every_s=0.2)
    return verdict


def _ask_all(
    servers: Sequence[Server],
    name: str,
    kind: str,
    wanted: tuple[str, ...],
    *,
    may_be_silent: bool,
) -> Verdict:
    silent: list[str] = []
    agreeing = 0
    for number, server in enumerate(servers):
        try:
            held = ask_authority(server, name, kind)
        except DnsTrouble as trouble:
            if number == 0 or not may_be_silent:
                return Verdict(agreeing=agreeing, trouble=trouble)
            silent.append(str(server))
            continue
        if held.values != wanted:
            return Verdict(agreeing=agreeing, trouble=_differs(server, name, held, wanted))
        agreeing += 1
    return Verdict(agreeing=agreeing, silent=tuple(silent))


def _differs(server: Server, name: str, held: Records, wanted: tuple[str, ...]) -> DnsTrouble:
    return DnsTrouble(
        f"the name server {server} answers {held} for {name}, "
        f"expected {', '.join(wanted) or 'nothing'}",
        "look whether the zone reaches this server (its serial number, transfers), and whether "
        "somebody changed the record back",
    )


def _listed(primary: Server, name: str) -> tuple[str, ...]:
    """Return the names in the NS records of the zone that holds a name: look upwards for them."""
    here = dns.name.from_text(name)
    while here != dns.name.root:
        try:
            held = ask_authority(primary, here.to_text(), "NS")
        except DnsTrouble:
            return ()
        if held.values:
            return held.values
        here = here.parent()
    return ()
