# SPDX-License-Identifier: Apache-2.0
"""Moving a name: its records replaced by compare-and-swap, and the answers checked (RFC 2136).

The records are read at the authoritative server first; the update holds only if they are still the
same (prerequisite), and in the same update a TXT record `_blackstart-TYPE.NAME` takes the action's
key, the run's marker and the old values. So the change is made wholly or not at all, `inspect` is
exact, another host can find it, and the way back is written down beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from blackstart.model.errors import WorldFailed
from blackstart.model.runbook import Param
from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Unknown,
)
from blackstart.ports.secrets import SecretRef
from blackstart.providers.dns_authorities import Verdict, all_agree, find_authorities, parse_server
from blackstart.providers.dns_caches import ExpectForgotten
from blackstart.providers.dns_mark import Mark
from blackstart.providers.dns_swap import RecordSet, Zone, read_sets, swap, swap_back
from blackstart.providers.dns_wire import (
    NOTHING,
    DnsTrouble,
    Server,
    Signature,
    ask_authority,
    ask_resolver,
    record_of,
)
from blackstart.providers.limits import wait_within
from blackstart.providers.traces import returns_failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Give a name other records of one type, if they are still what was read a moment before.

    `server` is the address of the zone's primary name server, `key` the TSIG secret in base64. The
    key has to be allowed to update `name`, and `_blackstart-TYPE.NAME` of type TXT. `value` is one
    value or a list; an empty list removes the records. With `old` the change is refused when the
    records are neither that nor wanted already. The way back is kept as evidence: a script for
    nsupdate. `dns.replace` is the same verb by its first name.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "old": "the values before, as a list",
        "old_ttl_s": "how long the old values may stay in caches, in seconds",
        "new": "the value now, as given",
    }

    server: str
    zone: str
    name: str
    type: str
    value: str | tuple[str, ...]
    key_name: str
    key: SecretRef
    port: int = 53
    ttl_s: int = 60
    algorithm: str = "hmac-sha256"
    old: str | tuple[str, ...] | None = None

    def preview(self, context: Context) -> str:
        """Say what the records are and what they would be."""
        wanted = ", ".join(self._set.values) or "nothing"
        try:
            now = ask_authority(self._at, self.name, self.type)
        except DnsTrouble as trouble:
            return f"{self.name} {self.type} would become {wanted}; now unknown: {trouble.what}"
        return f"{self.name} {self.type} would change from {now} to {wanted}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Read, swap, and read again."""
        zone = self._zone(context)
        marks, way_back = swap(zone, (self._set,), context)
        return self._done(marks[self._set], (way_back,))

    def inspect(self, context: Context) -> Finding:
        """Compare the mark beside the records with the key."""
        try:
            now, mark = read_sets(self._unsigned, (self._set,))[self._set]
            wanted = self._set.wanted
        except WorldFailed as trouble:
            return Unknown(note=trouble.what)
        if not mark.is_of_attempt(context):
            return NotDone(note=f"the mark of {self.name} {self.type} is not of this key")
        if now.values != wanted:
            return Unknown(
                note=f"it was changed with this key, and since then by others to {now}",
                for_good=True,
            )
        return self._done(mark, ())

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Swap the old values back, if the records are still as this run left them."""
        if not swap_back(self._zone(context), (self._set,), context):
            return Done(summary=f"{self.name} {self.type} was not changed by this run.")
        now = ask_authority(self._at, self.name, self.type)
        return Done(summary=f"{self.name} {self.type} is {now} again at {self.server}.")

    @property
    def _at(self) -> Server:
        return Server(address=self.server, port=self.port)

    @property
    def _set(self) -> RecordSet:
        return RecordSet(
            name=self.name,
            type=self.type,
            values=as_values(self.value),
            ttl_s=self.ttl_s,
            old=None if self.old is None else as_values(self.old),
        )

    @property
    def _unsigned(self) -> Zone:
        nobody = Signature(name=self.key_name, secret="", algorithm=self.algorithm)
        return Zone(name=self.zone, server=self._at, signature=nobody)

    def _zone(self, context: Context) -> Zone:
        signature = Signature(
            name=self.key_name, secret=context.reveal(self.key), algorithm=self.algorithm
        )
        return Zone(name=self.zone, server=self._at, signature=signature)

    def _done(self, mark: Mark, evidence: tuple[str, ...]) -> Done:
        was, now = ", ".join(mark.old) or "nothing", ", ".join(self._set.values) or "nothing"
        new: Param = self.value if isinstance(self.value, str) else list(self.value)
        return Done(
            summary=f"{self.name} {self.type} is {now} at {self.server} (before: {was}).",
            outputs={"old": list(mark.old), "old_ttl_s": mark.old_ttl_s, "new": new},
            evidence=evidence,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Expect that a name resolves to its value, at every authority and through resolvers.

    Asked are the name server given, every other one that the zone lists in its NS records (or those
    of `authorities`), and the resolver of the system from which the check runs, or those of
    `resolvers` (each ADDRESS or ADDRESS#PORT). A secondary may lag and a resolver may keep the old
    answer for its time to live, so they are asked until `within_s` is over. With `may_be_silent` a
    further name server that does not answer is passed over and named; one that answers otherwise
    never is. The time to live is at most `ttl_at_most_s`, so that the name can be moved again.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "value": "what every server answered",
        "ttl_s": "how long it may be cached, in seconds",
    }

    server: str
    name: str
    type: str
    value: str | tuple[str, ...]
    port: int = 53
    ttl_at_most_s: int = 300
    resolvers: tuple[str, ...] = ("",)
    within_s: float = 20.0
    authorities: tuple[str, ...] = ()
    may_be_silent: bool = False

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Ask every authority, then each resolver."""
        primary = Server(address=self.server, port=self.port)
        wanted = tuple(sorted(record_of(self.type, one).to_text() for one in as_values(self.value)))
        held = ask_authority(primary, self.name, self.type)
        if held.values != wanted:
            return Failed(
                summary=f"The name server {self.server} answers {held} for {self.name}, "
                f"expected {self._words}.",
                hint="the record was not changed, or somebody changed it back: look at the zone",
            )
        if held.ttl_s > self.ttl_at_most_s:
            return Failed(
                summary=f"{self.name} may be cached for {held.ttl_s} s, "
                f"at most {self.ttl_at_most_s} s are allowed.",
                hint="lower the record's time to live, so that the next move is seen soon",
            )
        verdict = self._ask_all(primary, wanted, context)
        if verdict.trouble:
            return Failed(summary=_sentence(verdict.trouble.what), hint=verdict.trouble.hint)
        for resolver in self.resolvers:
            late = self._ask(resolver, wanted, context)
            if late:
                return late
        asked = verdict.agreeing + len(self.resolvers)
        silent = f"; no answer from {', '.join(verdict.silent)}" if verdict.silent else ""
        return Done(
            summary=f"{asked} servers say {self._words} for {self.name}, "
            f"cached ≤ {held.ttl_s} s{silent}.",
            degraded=f"some may not find {self.name}: not all of its name servers answer"
            if silent
            else "",
            outputs={"value": self._words, "ttl_s": held.ttl_s},
        )

    @property
    def _words(self) -> str:
        return ", ".join(as_values(self.value)) or "nothing"

    def _ask_all(self, primary: Server, wanted: tuple[str, ...], context: Context) -> Verdict:
        servers = (primary, *map(parse_server, self.authorities))
        return all_agree(
            servers if self.authorities else find_authorities(primary, self.name),
            self.name,
            self.type,
            wanted,
            context,
            within_s=self.within_s,
            may_be_silent=self.may_be_silent,
        )

    def _ask(self, resolver: str, wanted: tuple[str, ...], context: Context) -> Failed | None:
        last = NOTHING
        trouble: DnsTrouble | None = None

        def is_there() -> bool:
            nonlocal last, trouble
            try:
                last, trouble = ask_resolver(resolver, self.name, self.type), None
            except DnsTrouble as found:
                trouble = found
            return last.values == wanted and trouble is None

        if wait_within(context, is_there, at_most_s=self.within_s, every_s=0.2):
            return None
        if trouble:
            return Failed(summary=_sentence(trouble.what), hint=trouble.hint)
        whose = resolver or "of this system"
        return Failed(
            summary=f"The resolver {whose} answers {last} for {self.name}, expected {self._words}.",
            hint=f"it may keep the old answer for {last.ttl_s} s more; wait, or empty its cache",
        )


def as_values(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return what a plan gives as one value or as a list, as a list."""
    return (given,) if isinstance(given, str) else tuple(given)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


PROVIDES: Mapping[str, type] = {
    "update": Update,
    "replace": Update,
    "expect": Expect,
    "expect_forgotten": ExpectForgotten,
}
