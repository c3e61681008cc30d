# SPDX-License-Identifier: Apache-2.0
"""DNS and other necessary records: ours changed, the customers' told to them, the rest by hand.

The policy says "update DNS and other necessary records". All of them stand in one typed list. What
is ours in the DNS is changed by compare-and-swap, one update for each zone, and seen at every name
server. What customers have to change is theirs: it comes out as sentences for their notices, and
`records.expect` says who has done it. The rest is a list for a person.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blackstart.model.errors import BlackstartError, WorldFailed
from blackstart.model.runbook import Param
from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Partial,
    Unknown,
)
from blackstart.ports.secrets import SecretRef
from blackstart.providers.dns_authorities import all_agree, find_authorities, parse_server
from blackstart.providers.dns_mark import Mark
from blackstart.providers.dns_swap import (
    RecordSet,
    Zone,
    read_sets,
    require_valid,
    swap,
    swap_back,
)
from blackstart.providers.dns_wire import DnsTrouble, Server, Signature
from blackstart.providers.records_check import Expect
from blackstart.providers.records_list import Entry, parse_entries
from blackstart.providers.traces import returns_failures

_NO_KEY = SecretRef("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Point every record of the list to the new environment, and say who has to do the rest.

    Each of `records` has `name`, `kind`, `new`, and where it helps `old`, `type`, `ttl_s`, `zone`,
    `owner`, `customer`, `verification`, `status`, `contains`, `rollback`. `kind` is name, wildcard,
    broker, mail, customer_cname, egress_address, sso_url, webhook_url or monitoring_target.

    Ours (`owner: us`) in the DNS are changed if they are still what they were, at `server` with the
    TSIG `key` (see dns.update); the records of one zone change together or not at all. Then every
    name server of the zone, or each of `authorities`, has to answer the new value. Those of
    customers are never touched: what they have to do comes out as sentences for their notices. All
    else is listed for a person. `records.expect` verifies all of it. An empty list is refused
    unless it `may_be_empty`.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "changed": "the records that were changed, each as NAME TYPE",
        "customer_actions": "sentences that tell customers what they have to change",
        "by_customer": "the same, customer → list of sentences",
        "by_hand": "sentences that tell us what a person has to change",
    }

    records: tuple[Mapping[str, str | int | tuple[str, ...]], ...]
    server: str = ""
    zone: str = ""
    key_name: str = ""
    key: SecretRef = _NO_KEY
    port: int = 53
    ttl_s: int = 60
    algorithm: str = "hmac-sha256"
    authorities: tuple[str, ...] = ()
    within_s: float = 20.0
    may_be_empty: bool = False

    def preview(self, context: Context) -> str:
        """Say what would change, and what others would have to do."""
        try:
            entries = self._entries()
            ours = sum(entry.is_ours_in_dns for entry in entries)
            moves = "; ".join(self._moves(entries)) or "nothing in the DNS"
        except BlackstartError as wrong:
            return f"the records cannot be changed: {wrong.what}"
        return f"{ours} of {len(entries)} records would be changed here: {moves}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Change zone by zone, then look at every name server."""
        entries = self._entries()
        evidence = []
        sets = _by_zone(entries)
        for zone, wanted in sets.items():  # before any of them changes
            require_valid(zone, wanted)
        for number, (zone, wanted) in enumerate(sets.items()):
            context.progress(number, len(sets), "zones")
            _, way_back = swap(self._zone(zone, context), wanted, context)
            evidence.append(way_back)
        trouble = self._first_that_differs(sets, context)
        if trouble:
            return Failed(summary=trouble.what, hint=trouble.hint, evidence=tuple(evidence))
        done = self._done(entries)
        return Done(summary=done.summary, outputs=done.outputs, evidence=tuple(evidence))

    def inspect(self, context: Context) -> Finding:
        """Compare the mark beside each of our records with the key."""
        try:
            entries = self._entries()
            found = [
                (one, now.values == one.wanted, mark)
                for zone, wanted in _by_zone(entries).items()
                for one, (now, mark) in read_sets(self._unsigned(zone), wanted).items()
            ]
        except BlackstartError as trouble:
            return Unknown(note=trouble.what)
        return self._judge(entries, found, context)

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Swap back what this run changed; say what of the rest people have to take back."""
        entries = self._entries()
        back: list[str] = []
        for zone, wanted in reversed(_by_zone(entries).items()):
            back += map(str, swap_back(self._zone(zone, context), wanted, context))
        if not back:
            return Done(summary="None of these records was changed by this run.")
        rest = [f"{entry}: {entry.rollback}" for entry in entries if entry.rollback]
        by_hand = f" By hand, where it was done already: {'; '.join(rest)}." if rest else ""
        return Done(summary=f"{', '.join(back)} are what they were before.{by_hand}")

    def _entries(self) -> tuple[Entry, ...]:
        return parse_entries(
            self.records, zone=self.zone, ttl_s=self.ttl_s, may_be_empty=self.may_be_empty
        )

    def _moves(self, entries: Sequence[Entry]) -> list[str]:
        return [
            f"{one} from {now} to {', '.join(one.values)}"
            for zone, wanted in _by_zone(entries).items()
            for one, (now, _) in read_sets(self._unsigned(zone), wanted).items()
        ]

    def _judge(
        self,
        entries: Sequence[Entry],
        found: Sequence[tuple[RecordSet, bool, Mark]],
        context: Context,
    ) -> Finding:
        ours = [(one, holds) for one, holds, mark in found if mark.is_of_attempt(context)]
        if not ours:
            return NotDone(note="no record carries the mark of this key")
        if len(ours) < len(found):
            return Partial(note=f"{len(ours)} of {len(found)} records were changed")
        others = [str(one) for one, holds in ours if not holds]
        if others:
            return Unknown(
                note=f"{', '.join(others)}: changed with this key, since then by others",
                for_good=True,
            )
        if self._first_that_differs(_by_zone(entries), context, within_s=0.0):
            return Partial(note="changed, and not yet answered by every name server")
        return self._done(entries)

    def _first_that_differs(
        self,
        sets: Mapping[str, Sequence[RecordSet]],
        context: Context,
        within_s: float | None = None,
    ) -> DnsTrouble | None:
        limit_s = self.within_s if within_s is None else within_s
        primary = Server(address=self.server, port=self.port)
        try:
            for one in (one for wanted in sets.values() for one in wanted):
                named = (primary, *map(parse_server, self.authorities))
                servers = named if self.authorities else find_authorities(primary, one.name)
                verdict = all_agree(
                    servers, one.name, one.type, one.wanted, context, within_s=limit_s
                )
                if verdict.trouble:
                    return verdict.trouble
        except DnsTrouble as trouble:
            return trouble
        return None

    def _unsigned(self, zone: str) -> Zone:
        return self._zone_with(zone, "")

    def _zone(self, zone: str, context: Context) -> Zone:
        return self._zone_with(zone, context.reveal(self.key) if self.key.name else "")

    def _zone_with(self, zone: str, secret: str) -> Zone:
        if not (self.server and self.key_name and self.key.name):
            raise WorldFailed(
                "the list has records of ours, and no name server and key to change them",
                "give `server`, `key_name` and `key`, or call the records a customer's",
            )
        signature = Signature(name=self.key_name, secret=secret, algorithm=self.algorithm)
        server = Server(address=self.server, port=self.port)
        return Zone(name=zone, server=server, signature=signature)

    def _done(self, entries: Sequence[Entry]) -> Done:
        changed: list[Param] = [str(e.as_set()) for e in entries if e.is_ours_in_dns]
        theirs = [entry for entry in entries if entry.owner == "customer"]
        by_hand: list[Param] = [
            entry.to_do for entry in entries if entry.owner == "us" and not entry.is_in_dns
        ]
        by_customer: dict[str, Param] = {
            one: [entry.to_do for entry in theirs if entry.customer == one]
            for one in dict.fromkeys(entry.customer for entry in theirs)
        }
        return Done(
            summary=f"{_counted(changed, 'changed here')}; "
            f"{_counted(list(map(str, theirs)), 'to be changed by customers')}; "
            f"{_counted(by_hand, 'not in the DNS')}.",
            outputs={
                "changed": changed,
                "customer_actions": [entry.to_do for entry in theirs],
                "by_customer": by_customer,
                "by_hand": by_hand,
            },
        )


def _counted(named: Sequence[Param], what: str) -> str:
    shown = f" ({', '.join(str(one).rstrip('.') for one in named)})" if named else ""
    return f"{len(named)} {what}{shown}"


def _by_zone(entries: Sequence[Entry]) -> dict[str, tuple[RecordSet, ...]]:
    """Return our records in the DNS, zone by zone, in the order of the list."""
    ours = [entry for entry in entries if entry.is_ours_in_dns]
    zones = dict.fromkeys(entry.zone for entry in ours)
    return {zone: tuple(e.as_set() for e in ours if e.zone == zone) for zone in zones}


PROVIDES: Mapping[str, type] = {"update": Update, "expect": Expect}
