# SPDX-License-Identifier: Apache-2.0
"""Record sets of one zone changed together by compare-and-swap, and taken back the same way.

All sets of a zone go in one update (RFC 2136): it holds only if each set is still what was read a
moment before, and it is made wholly or not at all. Each set gets its mark in the same update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.update

from blackstart.model.errors import Refused
from blackstart.ports.action import Context
from blackstart.providers.dns_mark import Mark, mark_name, mark_of, read_mark, text_of
from blackstart.providers.dns_wire import (
    AnswerLost,
    DnsTrouble,
    Records,
    Server,
    Signature,
    ask_authority,
    new_update,
    record_of,
    send_update,
)
from blackstart.providers.limits import wait_within

_SETTLED_WITHIN_S = 0.5
_VISIBLE_WITHIN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSet:
    """The records of one name and type as they are wanted; no value means that there are none.

    `old` is what the plan says they were, in any order; None when the plan does not say.
    """

    name: str
    type: str
    values: tuple[str, ...]
    ttl_s: int
    old: tuple[str, ...] | None = None

    @property
    def wanted(self) -> tuple[str, ...]:
        """Return the wanted values as a server says them, sorted. Raises DnsTrouble."""
        return tuple(sorted(record_of(self.type, value).to_text() for value in self.values))

    def __str__(self) -> str:
        """Return the name and the type."""
        return f"{self.name} {self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One zone at its primary server, and how updates of it are signed."""

    name: str
    server: Server
    signature: Signature


def read_sets(zone: Zone, sets: Sequence[RecordSet]) -> dict[RecordSet, tuple[Records, Mark]]:
    """Return what the server holds for each set, with its mark. Raises DnsTrouble."""
    return {
        one: (
            ask_authority(zone.server, one.name, one.type),
            read_mark(zone.server, one.name, one.type),
        )
        for one in sets
    }


def swap(
    zone: Zone, sets: Sequence[RecordSet], context: Context
) -> tuple[dict[RecordSet, Mark], str]:
    """Change the sets; return their marks and the digest of the kept way back.

    Returns when the server shows the change. The way back is kept before the change: whoever finds
    it half known needs that most.

    Raises DnsTrouble, and Refused when a set is not what the plan says it was.
    """
    require_valid(zone.name, sets)
    held = read_sets(zone, sets)
    marks = {}
    update = new_update(zone.name, zone.signature)
    for one, (before, earlier) in held.items():
        marks[one] = _mark_for(one, before, earlier, context)
        _put(update, one, before, Records(values=one.wanted, ttl_s=one.ttl_s))
        update.replace(mark_name(one.name, one.type), one.ttl_s, text_of(marks[one]))

    def holds() -> bool:
        now = read_sets(zone, sets)
        return all(
            mark.is_of_attempt(context) and records.values == one.wanted
            for one, (records, mark) in now.items()
        )

    kept = context.keep(f"dns-way-back-{zone.name}.txt", way_back(zone, marks).encode())
    _send(zone, update, held, context, holds)
    return marks, kept


def swap_back(zone: Zone, sets: Sequence[RecordSet], context: Context) -> tuple[RecordSet, ...]:
    """Give each set that this run changed its old values back; return which ones these were.

    Raises DnsTrouble, and Refused when others changed one of them since.
    """
    require_valid(zone.name, sets)
    held = read_sets(zone, sets)
    ours = {one: (now, mark) for one, (now, mark) in held.items() if mark.is_of_run(context)}
    if not ours:
        return ()
    update = new_update(zone.name, zone.signature)
    for one, (now, mark) in ours.items():
        if now.values != one.wanted:
            raise Refused(
                f"{one} was changed by this run, and since then by others to {now}",
                "it was left alone: ask who changed it, then set it by hand",
            )
        _put(update, one, now, Records(values=mark.old, ttl_s=mark.old_ttl_s))
        there = mark_name(one.name, one.type)
        update.present(there, text_of(mark))
        update.delete(there, "TXT")

    def is_back() -> bool:
        now = read_sets(zone, tuple(ours))
        return all(not mark.run for _, mark in now.values())

    _send(zone, update, ours, context, is_back)
    return tuple(ours)


def way_back(zone: Zone, marks: dict[RecordSet, Mark]) -> str:
    """Return what nsupdate needs to undo the change, if all is still as we left it."""
    lines = [
        f"; nsupdate -k KEYFILE   (key {zone.signature.name}, {zone.signature.algorithm})",
        f"server {zone.server.address} {zone.server.port}",
        f"zone {zone.name}",
    ]
    for one in marks:
        name = dns.name.from_text(one.name).to_text()
        lines += [f"prereq yxrrset {name} {one.type} {value}" for value in one.wanted]
    for one, mark in marks.items():
        name = dns.name.from_text(one.name).to_text()
        lines.append(f"update delete {name} {one.type}")
        lines += [f"update add {name} {mark.old_ttl_s} {one.type} {old}" for old in mark.old]
        lines.append(f"update delete {mark_name(one.name, one.type).to_text()} TXT")
    return "\n".join([*lines, "send", ""])


def require_valid(zone: str, sets: Sequence[RecordSet]) -> None:
    """Raise Refused or DnsTrouble for a set that could never stand in the zone."""
    for one in sets:
        try:
            is_inside = dns.name.from_text(one.name).is_subdomain(dns.name.from_text(zone))
        except dns.exception.DNSException as wrong:
            raise Refused(
                f"{one.name!r} cannot be a name in the DNS: {wrong}", "correct it in the plan"
            ) from wrong
        if not is_inside:
            raise Refused(
                f"{one.name} does not lie in the zone {zone}",
                "correct `name` or `zone` in the plan",
            )
        for value in (*one.values, *(one.old or ())):
            record_of(one.type, value)


def _mark_for(one: RecordSet, before: Records, earlier: Mark, context: Context) -> Mark:
    """Return the new mark; the old value of an earlier attempt of this run stays."""
    if earlier.is_of_run(context) and before.values == one.wanted:
        return mark_of(context, earlier.old, earlier.old_ttl_s)
    if one.old is not None:
        told = tuple(sorted(record_of(one.type, value).to_text() for value in one.old))
        if before.values not in {told, one.wanted}:
            raise Refused(
                f"{one} is {before}, and the plan says that it was {', '.join(told) or 'nothing'}",
                "somebody changed it: look who, then correct `old` in the plan",
            )
    return mark_of(context, before.values, before.ttl_s)


def _put(update: dns.update.UpdateMessage, one: RecordSet, before: Records, after: Records) -> None:
    """Ask for one set to become another, if it still is what it was."""
    name = dns.name.from_text(one.name)
    if before.values:
        update.present(name, *(record_of(one.type, value) for value in before.values))
    else:
        update.absent(name, one.type)
    update.delete(name, one.type)
    if after.values:
        update.add(name, after.ttl_s, *(record_of(one.type, value) for value in after.values))


def _send(
    zone: Zone,
    update: dns.update.UpdateMessage,
    held: Mapping[RecordSet, tuple[Records, Mark]],
    context: Context,
    is_made: Callable[[], bool],
) -> None:
    """Send the update and see that it was made: the world decides, not the answer."""
    try:
        send_update(zone.server, update)
    except AnswerLost:
        if not wait_within(context, is_made, at_most_s=_SETTLED_WITHIN_S):
            raise
        return
    except DnsTrouble as refusal:
        raise _named(zone, held, refusal) from refusal
    if not wait_within(context, is_made, at_most_s=_VISIBLE_WITHIN_S):
        now = ", ".join(
            f"{one} is {records}" for one, (records, _) in read_sets(zone, tuple(held)).items()
        )
        raise DnsTrouble(
            f"the server took the update, yet {now}",
            "a CNAME beside it makes servers ignore an update silently: look at the zone",
        )


def _named(
    zone: Zone, held: Mapping[RecordSet, tuple[Records, Mark]], refusal: DnsTrouble
) -> DnsTrouble:
    """Add to a refusal which of the records are no longer what they were."""
    now = read_sets(zone, tuple(held))
    moved = [
        f"{one} was {before}, is {now[one][0]}"
        for one, (before, _) in held.items()
        if now[one][0].values != before.values
    ]
    return DnsTrouble(f"{refusal.what}: {'; '.join(moved)}", refusal.hint) if moved else refusal
