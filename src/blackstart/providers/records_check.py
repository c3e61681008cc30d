# SPDX-License-Identifier: Apache-2.0
"""Are the records what they have to be: ours at every name server, the customers' where seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blackstart.model.errors import WorldFailed
from blackstart.model.runbook import Param
from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.providers.dns_authorities import all_agree, find_authorities, parse_server
from blackstart.providers.dns_wire import Server, ask_authority, ask_resolver
from blackstart.providers.places import said, seconds_left
from blackstart.providers.records_list import Entry, parse_entries
from blackstart.providers.traces import returns_failures
from blackstart.world import process
from blackstart.world.http import fetch

_ASK_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was seen of one entry: empty when it is as it should be."""

    entry: Entry
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Expect every record of the list (see records.update) to be the new one, where one can see it.

    Ours in the DNS are asked at `server` and at every name server of their zone (or at each of
    `authorities`), and may be cached for `ttl_at_most_s`. A `verification` that is a URL has to
    answer `status` with `contains`; one that is a command has to end with 0. Customers' records in
    the DNS are asked through `resolver` (ADDRESS or ADDRESS#PORT; empty: the system's): who has not
    switched yet is named, and is a failure only with `customers_required`. What only a person can
    see is named and not counted as verified.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "verified": "the records that were seen to be right, each as KIND NAME",
        "switched": "the customers who have changed all that is theirs",
        "waiting": "the customers who have not, each with what was seen",
        "by_hand": "the records that only a person can see, each as KIND NAME",
    }

    records: tuple[Mapping[str, str | int | tuple[str, ...]], ...]
    server: str = ""
    zone: str = ""
    port: int = 53
    ttl_at_most_s: int = 300
    authorities: tuple[str, ...] = ()
    resolver: str = ""
    customers_required: bool = False
    within_s: float = 20.0
    may_be_empty: bool = False

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look at each record once; ours until the time is over."""
        entries = parse_entries(
            self.records, zone=self.zone, ttl_s=0, may_be_empty=self.may_be_empty
        )
        seen = [
            _Seen(entry=entry, trouble=self._look(entry, context))
            for entry in entries
            if not entry.is_by_hand
        ]
        wrong = [one for one in seen if one.trouble and one.entry.owner == "us"]
        if wrong:
            return Failed(
                summary=f"{len(wrong)} of {len(entries)} records are not right. {_told(wrong)}",
                hint="look at the first one; run the step again when it was repaired",
            )
        waiting = [one for one in seen if one.trouble]
        if waiting and self.customers_required:
            return Failed(
                summary=f"{len(waiting)} records of customers are not right. {_told(waiting)}",
                hint="remind these customers; what each has to do is in the notice",
            )
        return _done(entries, seen)

    def _look(self, entry: Entry, context: Context) -> str:
        """Return what is wrong with an entry, empty when it is right."""
        ask: Callable[[Entry, Context], str] = self._ask_resolver
        if isinstance(entry.verification, tuple):
            ask = _run
        elif entry.verification:
            ask = _fetch
        elif entry.is_ours_in_dns:
            ask = self._ask_authorities
        try:
            return ask(entry, context)
        except WorldFailed as failure:
            return failure.what

    def _ask_authorities(self, entry: Entry, context: Context) -> str:
        one = entry.as_set()
        primary = Server(address=self.server, port=self.port)
        named = (primary, *map(parse_server, self.authorities))
        servers = named if self.authorities else find_authorities(primary, one.name)
        verdict = all_agree(
            servers, one.name, one.type, one.wanted, context, within_s=self.within_s
        )
        if verdict.trouble:
            return verdict.trouble.what
        ttl_s = ask_authority(primary, one.name, one.type).ttl_s
        if ttl_s > self.ttl_at_most_s:
            return f"it may be cached for {ttl_s} s, at most {self.ttl_at_most_s} s are allowed"
        return ""

    def _ask_resolver(self, entry: Entry, context: Context) -> str:
        one = entry.as_set()
        limit_s = min(3.0, seconds_left(context))
        found = ask_resolver(self.resolver, one.name, one.type, timeout_s=limit_s)
        wanted = ", ".join(one.wanted)
        return "" if found.values == one.wanted else f"it is {found}, expected {wanted}"


def _fetch(entry: Entry, context: Context) -> str:
    """Ask the URL that verifies an entry. Raises FetchFailed."""
    answer = fetch(str(entry.verification), timeout_s=min(5.0, seconds_left(context)))
    if answer.status != entry.status:
        return f"{entry.verification} answers {answer.status}, expected {entry.status}"
    if entry.contains and entry.contains not in answer.text:
        return f"{entry.verification} answers without the text {entry.contains!r}"
    return ""


def _run(entry: Entry, context: Context) -> str:
    """Run the command that verifies an entry. Raises ProcessError."""
    done = process.run(
        entry.verification,
        timeout_s=min(_ASK_LIMIT_S, seconds_left(context)),
        cancelled=context.cancelled,
    )
    return "" if done.code == 0 else f"{entry.verification[0]} ended with {done.code}: {said(done)}"


def _told(seen: Sequence[_Seen]) -> str:
    return "; ".join(f"{_whose(one.entry)}: {one.trouble}" for one in seen) + "."


def _whose(entry: Entry) -> str:
    return f"{entry.customer}, {entry}" if entry.owner == "customer" else str(entry)


def _done(entries: Sequence[Entry], seen: Sequence[_Seen]) -> Done:
    right = [one.entry for one in seen if not one.trouble]
    waiting = [one for one in seen if one.trouble]
    by_hand = [entry for entry in entries if entry.is_by_hand]
    not_yet = {one.entry.customer for one in waiting}
    unseen = {entry.customer for entry in by_hand}
    switched: list[Param] = list[Param](
        dict.fromkeys(
            entry.customer
            for entry in right
            if entry.owner == "customer" and entry.customer not in not_yet | unseen
        )
    )
    outputs: dict[str, Param] = {
        "verified": [str(entry) for entry in right],
        "switched": switched,
        "waiting": [f"{_whose(one.entry)}: {one.trouble}" for one in waiting],
        "by_hand": [str(entry) for entry in by_hand],
    }
    told = f" Not switched yet: {_told(waiting)}" if waiting else ""
    rest = f" Only a person can see: {', '.join(map(_whose, by_hand))}." if by_hand else ""
    return Done(
        summary=f"{len(right)} of {len(entries)} records were seen to be right.{told}{rest}",
        outputs=outputs,
    )
