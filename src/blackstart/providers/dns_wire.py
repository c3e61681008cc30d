# SPDX-License-Identifier: Apache-2.0
"""Talking to name servers: ask an authoritative one, ask a resolver, send a signed update.

Protocols: RFC 1035 (questions), RFC 2136 (updates with prerequisites), RFC 8945 (TSIG). What goes
wrong is raised as `DnsTrouble`, a sentence with its remedy.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.resolver
import dns.tsig
import dns.tsigkeyring
import dns.update

from blackstart.model.errors import WorldFailed

_TIMEOUT_S = 3.0
RESOLV_CONF = "/etc/resolv.conf"


class DnsTrouble(WorldFailed):
    """A name server did not answer, refused, or does not hold the zone."""


class AnswerLost(DnsTrouble):
    """An update was sent and no answer came that can be believed: it may have been made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An authoritative name server: its address (no name) and port."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        """Return the address, with the port when it is not the usual one."""
        return self.address if self.port == 53 else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of one name and type: their values sorted, and their time to live."""

    values: tuple[str, ...]
    ttl_s: int

    def __str__(self) -> str:
        """Return the values as a person reads them."""
        return ", ".join(self.values) or "nothing"


NOTHING = Records(values=(), ttl_s=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The TSIG key that signs an update."""

    name: str
    secret: str  # base64
    algorithm: str


def ask_authority(
    server: Server, name: str, kind: str, *, timeout_s: float = _TIMEOUT_S
) -> Records:
    """Return what the server itself holds; nothing when the name or the type does not exist.

    Raises DnsTrouble when it does not answer, or answers without authority.
    """
    question = dns.message.make_query(name, kind)
    question.flags &= ~dns.flags.RD
    try:
        answer = dns.query.tcp(question, server.address, port=server.port, timeout=timeout_s)
    except (OSError, EOFError, dns.exception.DNSException) as broken:
        raise _silent(server, broken) from broken
    code = answer.rcode()
    if code not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise DnsTrouble(
            f"the name server {server} answered {dns.rcode.to_text(code)} for {name}",
            "ask the server that holds the zone, and look at its log",
        )
    if not answer.flags & dns.flags.AA:
        raise DnsTrouble(
            f"the name server {server} answers for {name} without authority",
            "name the primary server of the zone: a cache cannot be changed",
        )
    wanted, kind_number = dns.name.from_text(name), dns.rdatatype.from_text(kind)
    found = answer.get_rrset(answer.answer, wanted, dns.rdataclass.IN, kind_number)
    if found is None:
        return NOTHING
    return Records(values=tuple(sorted(one.to_text() for one in found)), ttl_s=found.ttl)


def ask_resolver(address: str, name: str, kind: str, *, timeout_s: float = _TIMEOUT_S) -> Records:
    """Return what a resolver says. `address` is `ADDRESS` or `ADDRESS#PORT`, "" the system's own.

    Nothing is cached here. Raises DnsTrouble when there is no answer.
    """
    try:
        resolver = dns.resolver.Resolver(configure=not address)
        if address:
            where, _, port = address.partition("#")
            resolver.nameservers = [where]
            resolver.port = int(port or 53)
        resolver.cache = None
        answer = resolver.resolve(name, kind, lifetime=timeout_s, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return NOTHING
    except (OSError, ValueError, dns.exception.DNSException) as broken:
        whose = f"the resolver {address}" if address else "the resolver of this system"
        raise DnsTrouble(
            f"{whose} gives no answer for {name}: {_words(broken)}",
            f"look at {address or RESOLV_CONF} and at the server it names",
        ) from broken
    assert answer.rrset is not None  # resolve() raises NoAnswer instead
    return Records(
        values=tuple(sorted(one.to_text() for one in answer.rrset)), ttl_s=answer.rrset.ttl
    )


def new_update(zone: str, signature: Signature) -> dns.update.UpdateMessage:
    """Return an empty update for a zone, to be signed. Raises DnsTrouble for a key that is none."""
    try:
        base64.b64decode(signature.secret.strip(), validate=True)  # dnspython skips what is none
        ring = dns.tsigkeyring.from_text({signature.name: signature.secret.strip()})
        algorithm = dns.name.from_text(signature.algorithm)
        return dns.update.UpdateMessage(
            zone,
            keyring=ring,
            keyname=dns.name.from_text(signature.name),
            keyalgorithm=algorithm,
        )
    except (binascii.Error, ValueError, dns.exception.DNSException) as wrong:
        raise DnsTrouble(
            f"the key {signature.name} for DNS updates is not usable: {_words(wrong)}",
            "give the key's secret in base64, as the name server's own configuration has it",
        ) from wrong


def record_of(kind: str, value: str) -> dns.rdata.Rdata:
    """Return a record's value in wire terms. Raises DnsTrouble for a value that is none."""
    try:
        if kind.upper() == "TXT" and not value.startswith('"'):
            value = _quoted(value)
        return dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.from_text(kind),
            value,
            origin=dns.name.root,  # people leave out the dot at the end of a name
            relativize=False,
        )
    except (ValueError, dns.exception.DNSException) as wrong:
        raise DnsTrouble(
            f"{value!r} is no value for a record of type {kind}: {_words(wrong)}",
            "write an address for A and AAAA, a name for CNAME, a number and a name for MX",
        ) from wrong


def send_update(
    server: Server, update: dns.update.UpdateMessage, *, timeout_s: float = _TIMEOUT_S
) -> None:
    """Send a signed update; returns when the server made it. Raises DnsTrouble with the reason."""
    try:
        answer = dns.query.tcp(update, server.address, port=server.port, timeout=timeout_s)
    except dns.tsig.PeerBadKey as refused:
        raise DnsTrouble(
            f"the name server {server} does not let this key make this change (BADKEY)",
            "its access list decides: allow this key, this zone and this record type (knot says "
            "BADKEY for all three), and see that the key has the same name on both sides",
        ) from refused
    except (dns.tsig.PeerBadSignature, dns.tsig.BadSignature) as refused:
        raise DnsTrouble(
            f"the name server {server} knows the key by another secret (BADSIG)",
            "the secret given here is not the server's: compare both, and the algorithm",
        ) from refused
    except (dns.tsig.PeerBadTime, dns.tsig.BadTime) as refused:
        raise DnsTrouble(
            f"the clocks of the name server {server} and of this machine differ too much",
            "set both clocks right (TSIG allows 300 seconds)",
        ) from refused
    except (OSError, EOFError, dns.exception.DNSException) as broken:
        silent = _silent(server, broken)
        raise AnswerLost(silent.what, silent.hint) from broken
    _judge(server, answer)


def _judge(server: Server, answer: dns.message.Message) -> None:
    code = answer.rcode()
    if code == dns.rcode.NOERROR and answer.had_tsig:
        return
    if code == dns.rcode.NOERROR:
        raise AnswerLost(
            f"the answer of the name server {server} carries no signature",
            "it may come from somebody else: look who answers at that address",
        )
    what, hint = _REFUSALS.get(
        code, ("did not make the change", "look at the name server's log for the reason")
    )
    raise DnsTrouble(f"the name server {server} {what} ({dns.rcode.to_text(code)})", hint)


_CHANGED = (
    "did not make the change: the record is no longer what it was a moment ago",
    "somebody else changed it meanwhile: find out who, then run this step again",
)
_REFUSALS = {
    dns.rcode.NXRRSET: _CHANGED,
    dns.rcode.YXRRSET: _CHANGED,
    dns.rcode.NXDOMAIN: _CHANGED,
    dns.rcode.YXDOMAIN: _CHANGED,
    dns.rcode.REFUSED: (
        "refuses updates from here",
        "its access list decides by key, address and record type: allow this key",
    ),
    dns.rcode.NOTAUTH: (
        "does not accept the signature, or does not hold the zone",
        "compare the zone's name and the key's name with the server's configuration",
    ),
    dns.rcode.NOTZONE: (
        "says that the record lies outside the zone",
        "correct the name or the zone in the plan",
    ),
    dns.rcode.NOTIMP: ("does not take updates", "it may be a secondary: name the primary server"),
}


def _quoted(text: str) -> str:
    """Return a text as strings of a TXT record, so that its spaces stay."""
    pieces = [text[at : at + 250] for at in range(0, len(text), 250)] or [""]
    inner = (piece.replace("\\", "\\\\").replace('"', '\\"') for piece in pieces)
    return " ".join(f'"{piece}"' for piece in inner)


def _silent(server: Server, broken: Exception) -> DnsTrouble:
    return DnsTrouble(
        f"the name server {server} did not answer: {_words(broken)}",
        "look whether it runs and whether TCP port 53 can be reached from here",
    )


def _words(broken: Exception) -> str:
    return str(broken).rstrip(".") or type(broken).__name__
