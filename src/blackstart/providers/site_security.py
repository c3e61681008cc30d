# SPDX-License-Identifier: Apache-2.0
"""A site closed to everything but what it serves: its firewall, its listeners, its file modes.

FlowFuse's launcher answers unauthenticated commands on all interfaces and Node-RED listens on all
of them too; there is no setting for either. So the firewall drops by default and sends the
instances' ports to the TLS front, and the listeners are read from the kernel, not from a config.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, Outcome, Partial
from blackstart.providers.places import Workplace, directory_of, look_into, work_in
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world.listeners import Listener, listeners_of

_TABLE = "blackstart"
_VERB = "site.firewall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firewall:
    """Drop what comes to the site unless it is named here (nftables, in the site's own network).

    `open_ports` are open to all ("443", "12080-12099"). `redirect` sends ports to another one, so
    that what listens there is not reachable itself. `trusted` maps an address to the ports that it
    alone may reach.
    """

    outputs: ClassVar[Mapping[str, str]] = {"rules": "how many rules are in force"}
    place: str
    site: str
    open_ports: tuple[str, ...]
    redirect: Mapping[str, int] = field(default_factory=dict)
    trusted: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)

    def preview(self, context: Context) -> str:
        """Say what would be open."""
        return f"site {self.site} would drop everything but {', '.join(self.open_ports)}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Put the rules in force, all at once."""
        work = work_in(self.place, self.site, context)
        begin(work.directory, _VERB, context)
        trusted = {one: tuple(map(str, ports)) for one, ports in self.trusted.items()}
        rules = ruleset(self.open_ports, self.redirect, trusted, context.key)
        hint = "is the package nftables among the site's packages?"
        work.must(["nft", "-f", "-"], stdin=rules.encode(), hint=hint, limit_s=20)
        in_force = _rules_in_force(work)
        if not drops_by_default(in_force):
            return Failed(summary="the rules were taken and do not drop by default", hint=hint)
        count = rules_in(in_force)
        done = Done(
            summary=f"{count} rules in force: open to all are {', '.join(self.open_ports)}",
            outputs={"rules": count},
            evidence=(context.keep("firewall.nft", in_force.encode()),),
        )
        return finish(work.directory, _VERB, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look at the rules in force for this attempt's key."""
        directory = directory_of(self.place, self.site)

        def holds() -> bool:
            try:
                in_force = _rules_in_force(look_into(self.place, self.site, context))
            except WorldFailed:
                return False
            return context.key in in_force and drops_by_default(in_force)

        if holds():
            found = finding(directory, _VERB, context)
            return found if isinstance(found, Done) else Partial(note="in force, not recorded")
        return finding(directory, _VERB, context, holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Read from the kernel what listens in the site, and judge each one.

    A program that is not in `known` may not listen on more than the loopback address, and the
    firewall has to drop by default. `ports` is to be tried from outside afterwards.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "ports": "every TCP port that a program of the site listens on beyond loopback",
    }
    place: str
    site: str
    known: tuple[str, ...] = ("caddy", "postgres", "node", "node-red", "MainThread")

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look at all listening sockets of the site, and at its firewall."""
        work = look_into(self.place, self.site, context)
        found = listeners_of(work.site)
        digest = context.keep("listeners.txt", "\n".join(map(_line, found)).encode())
        strange = unknown_listeners(found, self.known)
        if strange:
            return Failed(
                summary="listening to the network and not known: " + ", ".join(map(_line, strange)),
                hint="stop that program, or bind it to 127.0.0.1; then try again",
                evidence=(digest,),
            )
        if not drops_by_default(_rules_in_force(work)):
            return Failed(
                summary="the site's firewall does not drop by default",
                hint="run the step that sets the firewall again",
                evidence=(digest,),
            )
        ports = sorted({one.port for one in found if not one.is_loopback})
        shown = ", ".join(map(str, ports)) or "none"
        return Done(
            summary=f"{len(found)} listeners, all of known programs; beyond loopback: {shown}",
            outputs={"ports": [str(port) for port in ports]},
            evidence=(digest,),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectModes:
    """Expect that files and folders of the site have exactly these modes.

    `paths` maps a path within the site's folder to a mode, such as "0600".
    """

    outputs: ClassVar[Mapping[str, str]] = {}
    place: str
    site: str
    paths: Mapping[str, str]

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look at each path; a link is never followed."""
        directory = directory_of(self.place, self.site)
        wrong: list[str] = []
        for path, mode in self.paths.items():
            try:
                found = (directory / path).lstat().st_mode
            except FileNotFoundError:
                wrong.append(f"{path} is not there")
                continue
            if stat.S_ISLNK(found) or stat.S_IMODE(found) != int(mode, 8):
                wrong.append(f"{path} is {stat.S_IMODE(found):04o}, not {mode}")
        if wrong:
            return Failed(summary="; ".join(wrong), hint="correct the modes with chmod")
        return Done(summary=f"{len(self.paths)} paths have the modes they should have")


def ruleset(
    open_ports: tuple[str, ...],
    redirect: Mapping[str, int],
    trusted: Mapping[str, tuple[str, ...]],
    key: str,
) -> str:
    """Return the rules for `nft -f -`; they replace earlier ones of ours in one transaction.

    A redirected port is not opened itself: without the redirect it stays closed. The new port is
    open only to what was redirected to it. Format: nft(8).
    """
    coming = [f'iif != "lo" tcp dport {old} redirect to :{new}' for old, new in redirect.items()]
    own = [
        f"ip daddr != 127.0.0.0/8 fib daddr type local tcp dport {old} redirect to :{new}"
        for old, new in redirect.items()
    ]
    lines = [
        f"table inet {_TABLE}",
        f"delete table inet {_TABLE}",
        f"table inet {_TABLE} {{",
        "chain input { type filter hook input priority filter; policy drop;",
        f'iif "lo" accept comment "{key}"',
        "ct state established,related accept",
        "ct state invalid drop",
        "meta l4proto { icmp, ipv6-icmp } accept",
        *_accepted(open_ports, redirect, trusted),
        "}",
        "chain forward { type filter hook forward priority filter; policy drop; }",
        "chain coming { type nat hook prerouting priority dstnat;",
        *coming,
        "}",
        "chain own { type nat hook output priority -100;",
        *own,
        "}",
        "}",
    ]
    return "\n".join([*lines, ""])


def _accepted(
    open_ports: tuple[str, ...], redirect: Mapping[str, int], trusted: Mapping[str, tuple[str, ...]]
) -> list[str]:
    direct = [port for port in open_ports if port not in redirect]
    rules = [f"tcp dport {{ {', '.join(direct)} }} accept"] if direct else []
    rules += [f"ct status dnat tcp dport {new} accept" for new in sorted({*redirect.values()})]
    rules += [
        f"ip saddr {address} tcp dport {{ {', '.join(ports)} }} accept"
        for address, ports in trusted.items()
    ]
    return rules


def rules_in(in_force: str) -> int:
    """Return how many rules let something in, drop it or redirect it."""
    words = (" accept", " drop", " redirect ")
    lines = (line for line in in_force.splitlines() if "policy" not in line)
    return sum(any(word in line for word in words) for line in lines)


def drops_by_default(in_force: str) -> bool:
    """Say whether the rules in force (as `nft list ruleset` prints them) drop unnamed input."""
    hooks = [line for line in in_force.splitlines() if "hook input" in line]
    return any("policy drop" in line for line in hooks)


def unknown_listeners(found: tuple[Listener, ...], known: tuple[str, ...]) -> tuple[Listener, ...]:
    """Return the listeners beyond loopback that are not of a known program."""
    return tuple(one for one in found if not one.is_loopback and one.program not in known)


def _rules_in_force(work: Workplace) -> str:
    hint = "is the package nftables among the site's packages?"
    return work.must(["nft", "list", "ruleset"], hint=hint, limit_s=20)


def _line(one: Listener) -> str:
    return f"{one.program or 'unknown'} on {one.protocol} {one.address}:{one.port}"
