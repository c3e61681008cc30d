# SPDX-License-Identifier: Apache-2.0
"""The mark beside a record: who changed it, and what it was before, in a TXT record of its own.

The mark of NAME's records of type A is the TXT record `_blackstart-a.NAME`. It is written in the
same update as the change, so both are there or neither is.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import dns.exception
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.tokenizer

from blackstart.ports.action import Context
from blackstart.providers.dns_wire import DnsTrouble, Server, ask_authority

_LONGEST_TEXT = 240  # octets of one string of a TXT record, of 255
_FIELDS = ("key", "run", "old-ttl", "old", "more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Who changed a record, in which attempt, and what it was before."""

    key: str = ""
    run: str = ""
    old: tuple[str, ...] = ()
    old_ttl_s: int = 0

    def is_of_attempt(self, context: Context) -> bool:
        """Say whether this very attempt left the mark."""
        return self.key == _short(context.key)

    def is_of_run(self, context: Context) -> bool:
        """Say whether any attempt of this run left the mark."""
        return self.run == _short(context.marker)


def mark_of(context: Context, old: tuple[str, ...], old_ttl_s: int) -> Mark:
    """Return the mark that an attempt leaves."""
    return Mark(key=_short(context.key), run=_short(context.marker), old=old, old_ttl_s=old_ttl_s)


def mark_name(name: str, kind: str) -> dns.name.Name:
    """Return the name of the TXT record that marks a name's records of one type.

    Raises DnsTrouble for a name that is none.
    """
    label = dns.name.from_text(f"_blackstart-{kind.lower()}", None)
    try:
        return label.concatenate(dns.name.from_text(name))
    except dns.exception.DNSException as wrong:
        raise DnsTrouble(
            f"{name!r} cannot be a name in the DNS: {wrong}", "correct `name` in the plan"
        ) from wrong


def read_mark(server: Server, name: str, kind: str) -> Mark:
    """Return the mark beside a record, empty when there is none. Raises DnsTrouble."""
    held = ask_authority(server, mark_name(name, kind).to_text(), "TXT")
    words: list[str] = []
    for value in held.values:
        rdata = dns.rdtypes.ANY.TXT.TXT.from_text(
            dns.rdataclass.IN, dns.rdatatype.TXT, dns.tokenizer.Tokenizer(value)
        )
        words += [text.decode("utf-8", "replace") for text in rdata.strings]
    return _mark_from(words)


def text_of(mark: Mark) -> dns.rdtypes.ANY.TXT.TXT:
    """Return the TXT record that holds a mark; long old values take several strings."""
    words = [f"key={mark.key}", f"run={mark.run}", f"old-ttl={mark.old_ttl_s}"]
    for value in mark.old:
        first, *rest = _pieces(value)
        words += [f"old={first}", *(f"more={piece}" for piece in rest)]
    return dns.rdtypes.ANY.TXT.TXT(
        dns.rdataclass.IN, dns.rdatatype.TXT, [word.encode() for word in words]
    )


def _mark_from(words: list[str]) -> Mark:
    single: dict[str, str] = {}
    old: list[str] = []
    for field, _, content in (word.partition("=") for word in words):
        if field == "old":
            old.append(content)
        elif field == "more" and old:
            old[-1] += content
        elif field in _FIELDS:
            single[field] = content
    return Mark(
        key=single.get("key", ""),
        run=single.get("run", ""),
        old=tuple(old),
        old_ttl_s=int(single.get("old-ttl", "0") or 0),
    )


def _pieces(text: str) -> list[str]:
    """Cut a value in presentation form, which is ASCII, into strings of a TXT record."""
    return [text[at : at + _LONGEST_TEXT] for at in range(0, len(text), _LONGEST_TEXT)] or [""]


def _short(text: str) -> str:
    """Return a text that one string of a TXT record can hold."""
    if len(text.encode()) <= _LONGEST_TEXT:
        return text
    return "sha256:" + sha256(text.encode()).hexdigest()
