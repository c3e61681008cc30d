# SPDX-License-Identifier: Apache-2.0
"""The typed list of "DNS and other necessary records": what each entry says, and who changes it.

An entry is ours and in the DNS, or it is a customer's, or it is changed by hand. Only the first
kind is ever changed by a program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from blackstart.model.errors import Refused
from blackstart.model.notices import ALL_CUSTOMERS
from blackstart.providers.dns_swap import RecordSet

Field: TypeAlias = "str | int | tuple[str, ...]"
BY_HAND = "none"
# kind → type of its DNS record; "none" is not in the DNS
KINDS: Mapping[str, str] = {
    "name": "A",
    "wildcard": "A",
    "broker": "A",
    "mail": "MX",
    "customer_cname": "CNAME",
    "egress_address": BY_HAND,
    "sso_url": BY_HAND,
    "webhook_url": BY_HAND,
    "monitoring_target": BY_HAND,
}
_TO_DO: Mapping[str, str] = {
    "egress_address": "allow {new} in your firewall{instead}: our requests come from there now",
    "sso_url": "in your sign-on service for {name}, enter {new}{instead}",
    "webhook_url": "send {name} to {new}{instead}",
    "monitoring_target": "watch {name} at {new}{instead}",
}
_IN_DNS = "change the {type} record of {name} to {new}{instead}"
_OWNERS = ("us", "customer")
_KEYS = frozenset(
    "name kind type old new owner customer zone ttl_s verification status contains rollback".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record of the list. `type` is "none" for what is not in the DNS.

    `verification` is empty (the DNS is asked), a URL, a command as words, or one sentence that
    tells a person how to see it.
    """

    name: str
    kind: str
    type: str
    new: tuple[str, ...]
    old: tuple[str, ...] | None
    owner: str
    customer: str
    zone: str
    ttl_s: int
    verification: str | tuple[str, ...]
    status: int
    contains: str
    rollback: str

    @property
    def is_in_dns(self) -> bool:
        """Say whether it is a record in the DNS, of whomever."""
        return self.type != BY_HAND

    @property
    def is_ours_in_dns(self) -> bool:
        """Say whether it is changed by us, by program."""
        return self.owner == "us" and self.is_in_dns

    @property
    def is_by_hand(self) -> bool:
        """Say whether nothing but a person can tell that it was done."""
        if self.verification:
            return isinstance(self.verification, str) and "://" not in self.verification
        return not self.is_in_dns

    @property
    def to_do(self) -> str:
        """Say what has to be done, as it stands in a notice."""
        text = (_IN_DNS if self.is_in_dns else _TO_DO[self.kind]).format(
            name=self.name,
            type=self.type,
            new=", ".join(self.new),
            instead=f" instead of {', '.join(self.old)}" if self.old else "",
        )
        return f"{self.customer}: {text}." if self.owner == "customer" else f"{text}."

    def as_set(self) -> RecordSet:
        """Return it as the DNS sees it."""
        return RecordSet(
            name=self.name, type=self.type, values=self.new, ttl_s=self.ttl_s, old=self.old
        )

    def __str__(self) -> str:
        """Return how people call it."""
        return f"{self.kind} {self.name}"


def parse_entries(
    records: Sequence[Mapping[str, Field]], *, zone: str, ttl_s: int, may_be_empty: bool = False
) -> tuple[Entry, ...]:
    """Return the entries of a plan's list. Raises Refused, with the entry that is wrong."""
    if not records and not may_be_empty:
        raise Refused("the list of records is empty", "name at least the public name")
    entries = tuple(
        _parse(number, record, zone, ttl_s) for number, record in enumerate(records, start=1)
    )
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        same = (entry.name.lower().rstrip("."), entry.type)
        if entry.is_in_dns and same in seen:
            raise Refused(
                f"{entry.name} {entry.type} is in the list of records twice",
                "give all values of one name and type in one entry",
            )
        seen.add(same)
    return entries


def _parse(number: int, record: Mapping[str, Field], zone: str, ttl_s: int) -> Entry:
    where = f"record {number} ({record.get('name', 'without a name')})"
    kind, owner = _text(record, "kind"), _text(record, "owner")
    owner = owner or ("customer" if kind == "customer_cname" else "us")
    entry = Entry(
        name=_text(record, "name"),
        kind=kind,
        type=_text(record, "type").upper() or KINDS.get(kind, BY_HAND),
        new=_values(record.get("new", ())),
        old=_values(record["old"]) if "old" in record else None,
        owner=owner,
        customer=_text(record, "customer") or (ALL_CUSTOMERS if owner == "customer" else ""),
        zone=_text(record, "zone") or zone,
        ttl_s=_number(where, record, "ttl_s", ttl_s),
        verification=_verification(record.get("verification", "")),
        status=_number(where, record, "status", 200),
        contains=_text(record, "contains"),
        rollback=_text(record, "rollback"),
    )
    wrong = _what_is_wrong(entry, set(record) - _KEYS)
    if wrong:
        what, hint = wrong
        raise Refused(f"{where}: {what}", hint)
    return entry


def _what_is_wrong(entry: Entry, unknown: set[str]) -> tuple[str, str] | None:
    """Return the first thing that is wrong with an entry, and what to write instead."""
    rules = (
        (bool(unknown), f"it has no '{', '.join(sorted(unknown))}'", f"use {_listed(_KEYS)}"),
        (entry.kind not in KINDS, f"'{entry.kind}' is no kind", f"use one of {_listed(KINDS)}"),
        (entry.owner not in _OWNERS, f"'{entry.owner}' is no owner", "write us or customer"),
        (not entry.name, "it has no name", "name the record"),
        (not entry.new, "it has no new value", "write what it has to be, as `new`"),
        (
            entry.kind == "customer_cname" and entry.owner == "us",
            "a customer's CNAME is never ours to change",
            "leave `owner` out, or call it a name",
        ),
        (
            entry.kind == "wildcard" and not entry.name.startswith("*."),
            "a wildcard begins with *.",
            "write *.NAME, or call it a name",
        ),
        (
            entry.is_ours_in_dns and not entry.zone,
            "nobody says in which zone it lies",
            "give `zone`, for all records or for this one",
        ),
    )
    return next(((what, hint) for is_wrong, what, hint in rules if is_wrong), None)


def _listed(words: Mapping[str, str] | frozenset[str]) -> str:
    return ", ".join(sorted(words))


def _text(record: Mapping[str, Field], key: str) -> str:
    value = record.get(key, "")
    return " ".join(value) if isinstance(value, tuple) else str(value).strip()


def _number(where: str, record: Mapping[str, Field], key: str, otherwise: int) -> int:
    text = _text(record, key) or str(otherwise)
    if not text.isdigit():
        raise Refused(f"{where}: '{text}' is no number for {key}", "write a whole number")
    return int(text)


def _values(given: Field) -> tuple[str, ...]:
    values = given if isinstance(given, tuple) else (str(given),)
    return tuple(value for value in values if value)


def _verification(given: Field) -> str | tuple[str, ...]:
    return "" if given in {"dns", ""} else given if isinstance(given, tuple) else str(given)
