# SPDX-License-Identifier: Apache-2.0
"""Moving a name: one record replaced by compare-and-swap, and the answers checked (RFC 2136).

The record is read at the authoritative server first; the update holds only if it is still the same
(prerequisite), and in the same update a TXT record `_blackstart.<name>` takes the action's key, the
run's marker and the old value. So the change is made wholly or not at all, `inspect` is exact,
another host can find it, and the way back is written down beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar

import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.tokenizer

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
from blackstart.providers.dns_wire import (
    NOTHING,
    AnswerLost,
    DnsTrouble,
    Records,
    Server,
    Signature,
    ask_authority,
    ask_resolver,
    new_update,
    record_of,
    send_update,
)
from blackstart.providers.limits import wait_within
from blackstart.providers.traces import returns_failures

_VISIBLE_WITHIN_S = 2.0
_LONGEST_TEXT = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the TXT record beside the record says: who changed it, and what it was before."""

    key: str = ""
    run: str = ""
    old: tuple[str, ...] = ()
    old_ttl_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Point a name to a new value, if it still has the value that was read a moment before.

    `server` is the address of the zone's primary name server, `key` the TSIG secret in base64.
    The key has to be allowed to update `name` and `_blackstart.<name>` (type TXT). The way back is
    kept as evidence: a script for nsupdate.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "old": "the values before, as a list",
        "old_ttl_s": "how long the old values may stay in caches, in seconds",
        "new": "the value now",
    }

    server: str
    zone: str
    name: str
    type: str
    value: str
    key_name: str
    key: SecretRef
    port: int = 53
    ttl_s: int = 60
    algorithm: str = "hmac-sha256"

    def preview(self, context: Context) -> str:
        """Say what the record is and what it would be."""
        try:
            now = ask_authority(self._at, self.name, self.type)
        except DnsTrouble as trouble:
            return f"{self.name} {self.type} would become {self.value}; now unknown: {trouble.what}"
        return f"{self.name} {self.type} would change from {now} to {self.value}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Read, swap, and read again."""
        if not dns.name.from_text(self.name).is_subdomain(dns.name.from_text(self.zone)):
            return Failed(
                summary=f"{self.name} does not lie in the zone {self.zone}.",
                hint="correct `name` or `zone` in the plan",
            )
        before = ask_authority(self._at, self.name, self.type)
        mark = self._mark_for(context, before)
        # Kept before the change: whoever finds it half known needs the way back most.
        kept = (context.keep("dns-way-back.txt", self._way_back(mark).encode()),)
        try:
            self._swap(before, mark, context)
        except AnswerLost as trouble:
            # The world decides, not the answer.
            if not wait_within(context, lambda: self._holds(context.key), at_most_s=0.5):
                return Failed(summary=_sentence(trouble.what), hint=trouble.hint, evidence=kept)
        if not wait_within(context, lambda: self._holds(context.key), at_most_s=_VISIBLE_WITHIN_S):
            now = ask_authority(self._at, self.name, self.type)
            return Failed(
                summary=f"The server took the update, yet {self.name} {self.type} is {now}.",
                hint="a CNAME beside it makes servers ignore an update silently: look at the zone",
                evidence=kept,
            )
        return self._done(mark, kept)

    def inspect(self, context: Context) -> Finding:
        """Compare the mark beside the record with the key."""
        try:
            mark = read_mark(self._at, self.name)
            if mark.key != _short(context.key):
                return NotDone(note=f"the mark of {self.name} is not of this key")
            now = ask_authority(self._at, self.name, self.type)
        except DnsTrouble as trouble:
            return Unknown(note=trouble.what)
        if now.values != self._wanted.values:
            return Unknown(note=f"it was changed with this key, and since then by others to {now}")
        return self._done(mark, ())

    @property
    def _at(self) -> Server:
        return Server(address=self.server, port=self.port)

    @property
    def _wanted(self) -> Records:
        return Records(values=(record_of(self.type, self.value).to_text(),), ttl_s=self.ttl_s)

    def _holds(self, key: str) -> bool:
        mark = read_mark(self._at, self.name)
        now = ask_authority(self._at, self.name, self.type)
        return mark.key == _short(key) and now.values == self._wanted.values

    def _mark_for(self, context: Context, before: Records) -> Mark:
        """Return the new mark; the old value of an earlier attempt of this run stays."""
        earlier = read_mark(self._at, self.name)
        if earlier.run == _short(context.marker) and before.values == self._wanted.values:
            before = Records(values=earlier.old, ttl_s=earlier.old_ttl_s)
        return Mark(
            key=_short(context.key),
            run=_short(context.marker),
            old=before.values,
            old_ttl_s=before.ttl_s,
        )

    def _swap(self, before: Records, mark: Mark, context: Context) -> None:
        secret = context.reveal(self.key)
        signature = Signature(name=self.key_name, secret=secret, algorithm=self.algorithm)
        update = new_update(self.zone, signature)
        name = dns.name.from_text(self.name)
        if before.values:
            update.present(name, *(record_of(self.type, value) for value in before.values))
        else:
            update.absent(name, self.type)
        update.replace(name, self.ttl_s, record_of(self.type, self.value))
        update.replace(mark_name(self.name), self.ttl_s, _text_of(mark))
        send_update(self._at, update)

    def _done(self, mark: Mark, evidence: tuple[str, ...]) -> Done:
        was = ", ".join(mark.old) or "nothing"
        return Done(
            summary=f"{self.name} {self.type} is {self.value} at {self.server} (before: {was}).",
            outputs={"old": list(mark.old), "old_ttl_s": mark.old_ttl_s, "new": self.value},
            evidence=evidence,
        )

    def _way_back(self, mark: Mark) -> str:
        """Return what nsupdate needs to undo the change, if the record is still as we left it."""
        name = dns.name.from_text(self.name).to_text()
        lines = [
            f"; nsupdate -k KEYFILE   (key {self.key_name}, {self.algorithm})",
            f"server {self.server} {self.port}",
            f"zone {self.zone}",
            f"prereq yxrrset {name} {self.type} {self.value}",
            f"update delete {name} {self.type}",
            *(f"update add {name} {mark.old_ttl_s} {self.type} {old}" for old in mark.old),
            f"update delete {mark_name(self.name).to_text()} TXT",
            "send",
        ]
        return "\n".join([*lines, ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Expect that a name resolves to one value, at its authority and through resolvers.

    Asked are the authoritative server and the resolver of the system from which the check runs,
    or those of `resolvers` (ADDRESS or ADDRESS#PORT). A resolver may keep the old answer for its
    time to live, so it is asked until `within_s` is over. The record's own time to live is at most
    `ttl_at_most_s`, so that the name can be moved again.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "value": "what every server answered",
        "ttl_s": "how long it may be cached, in seconds",
    }

    server: str
    name: str
    type: str
    value: str
    port: int = 53
    ttl_at_most_s: int = 300
    resolvers: tuple[str, ...] = ("",)
    within_s: float = 20.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Ask the authority, then each resolver."""
        wanted = (record_of(self.type, self.value).to_text(),)
        held = ask_authority(Server(address=self.server, port=self.port), self.name, self.type)
        if held.values != wanted:
            return Failed(
                summary=f"The name server {self.server} answers {held} for {self.name}, "
                f"expected {self.value}.",
                hint="the record was not changed, or somebody changed it back: look at the zone",
            )
        if held.ttl_s > self.ttl_at_most_s:
            return Failed(
                summary=f"{self.name} may be cached for {held.ttl_s} s, "
                f"at most {self.ttl_at_most_s} s are allowed.",
                hint="lower the record's time to live, so that the next move is seen soon",
            )
        for resolver in self.resolvers:
            late = self._ask(resolver, wanted, context)
            if late:
                return late
        asked = 1 + len(self.resolvers)
        return Done(
            summary=f"{asked} servers say {self.value} for {self.name}, cached ≤ {held.ttl_s} s.",
            outputs={"value": self.value, "ttl_s": held.ttl_s},
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
            summary=f"The resolver {whose} answers {last} for {self.name}, expected {self.value}.",
            hint=f"it may keep the old answer for {last.ttl_s} s more; wait, or empty its cache",
        )


def mark_name(name: str) -> dns.name.Name:
    """Return the name of the TXT record that holds the mark of a record's name."""
    return dns.name.from_text("_blackstart", None).concatenate(dns.name.from_text(name))


def read_mark(server: Server, name: str) -> Mark:
    """Return the mark beside a name, empty when there is none. Raises DnsTrouble."""
    held = ask_authority(server, mark_name(name).to_text(), "TXT")
    words: list[str] = []
    for value in held.values:
        rdata = dns.rdtypes.ANY.TXT.TXT.from_text(
            dns.rdataclass.IN, dns.rdatatype.TXT, dns.tokenizer.Tokenizer(value)
        )
        words += [text.decode("utf-8", "replace") for text in rdata.strings]
    fields = [word.partition("=") for word in words]
    single = {name: content for name, _, content in fields}
    return Mark(
        key=single.get("key", ""),
        run=single.get("run", ""),
        old=_joined(fields),
        old_ttl_s=int(single.get("old-ttl", "0") or 0),
    )


def _text_of(mark: Mark) -> dns.rdtypes.ANY.TXT.TXT:
    words = [f"key={mark.key}", f"run={mark.run}", f"old-ttl={mark.old_ttl_s}"]
    for value in mark.old:  # whole, however long: it is the way back
        first, *more = wrap_bytes(value, _LONGEST_TEXT)
        words += [f"old={first}", *(f"more={piece}" for piece in more)]
    return dns.rdtypes.ANY.TXT.TXT(
        dns.rdataclass.IN, dns.rdatatype.TXT, [word.encode() for word in words]
    )


def wrap_bytes(text: str, size_bytes: int) -> tuple[str, ...]:
    """Return the text in pieces of at most so many bytes; one empty piece for an empty text."""
    pieces, piece = [], ""
    for character in text:
        if len((piece + character).encode()) > size_bytes:
            pieces.append(piece)
            piece = ""
        piece += character
    return (*pieces, piece)


def _joined(fields: list[tuple[str, str, str]]) -> tuple[str, ...]:
    """Return the old values of a mark, put together from their pieces."""
    old: list[str] = []
    for name, _, content in fields:
        if name == "old":
            old.append(content)
        elif name == "more" and old:
            old[-1] += content
    return tuple(old)


def _short(text: str) -> str:
    """Return a text that one string of a TXT record can hold (255 octets)."""
    if len(text.encode()) <= _LONGEST_TEXT:
        return text
    return "sha256:" + sha256(text.encode()).hexdigest()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


PROVIDES: Mapping[str, type] = {"replace": Replace, "expect": Expect}
