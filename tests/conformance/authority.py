# SPDX-License-Identifier: Apache-2.0
"""A small name server on loopback that speaks the real protocols: RFC 1035, 2136 and 8945.

It holds one zone in memory. `is_authority` False makes it answer like a cache. `mood` makes it
misbehave with updates; `before_update` is called between the receipt of one and its judgement,
`before_answer` before each question is answered.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.tsigkeyring
import dns.update

KEY_NAME = "dr-key"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0IQ=="


class Authority:
    """The server; a context manager."""

    def __init__(
        self,
        *records: str,
        is_authority: bool = True,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Hold records given as "name ttl type value"."""
        self.is_authority = is_authority
        self.mood = ""
        self.before_update: Callable[[], None] = lambda: None
        self.before_answer: Callable[[], None] = lambda: None
        self.zone: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        for record in records:
            self.put(record)
        self._ring = dns.tsigkeyring.from_text({KEY_NAME: SECRET})
        answer = self.answer

        class Stream(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                head = _exactly(self.request, 2)
                reply = answer(_exactly(self.request, struct.unpack("!H", head)[0]))
                if reply:
                    self.request.sendall(struct.pack("!H", len(reply)) + reply)

        class Datagram(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                reply = answer(self.request[0])
                if reply:
                    self.request[1].sendto(reply, self.client_address)

        self._tcp = socketserver.ThreadingTCPServer((address, port), Stream)
        self.port: int = self._tcp.server_address[1]
        self._udp = socketserver.ThreadingUDPServer((address, self.port), Datagram)
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.02,))
            for server in (self._tcp, self._udp)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for server in (self._tcp, self._udp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def put(self, record: str, *more: str) -> None:
        """Replace the records of one name and type; `more` are further values."""
        name, ttl_s, kind, value = record.split(maxsplit=3)
        rrset = dns.rrset.from_text(dns.name.from_text(name), int(ttl_s), "IN", kind, value, *more)
        self.zone[rrset.name, rrset.rdtype] = rrset

    def values(self, name: str, kind: str) -> list[str]:
        found = self.zone.get((dns.name.from_text(name), dns.rdatatype.from_text(kind)))
        return sorted(one.to_text() for one in found) if found else []

    def answer(self, wire: bytes) -> bytes | None:
        """Return the answer to one message, or None for silence."""
        try:
            asked = dns.message.from_wire(wire, keyring=self._ring)
        except dns.message.UnknownTSIGKey:
            return self._refuse_signature(wire, dns.rcode.BADKEY)
        except dns.tsig.BadSignature:
            return self._refuse_signature(wire, dns.rcode.BADSIG)
        if isinstance(asked, dns.update.UpdateMessage):
            return self._update(asked)
        self.before_answer()
        reply = dns.message.make_response(asked)
        if self.is_authority:
            reply.flags |= dns.flags.AA
        else:
            reply.flags |= dns.flags.RA
        question = asked.question[0]
        found = self.zone.get((question.name, question.rdtype))
        if found:
            reply.answer.append(found)
        elif not any(name == question.name for name, _ in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply.to_wire()

    def _update(self, asked: dns.update.UpdateMessage) -> bytes | None:
        reply = dns.message.make_response(asked)
        self.before_update()
        if self.mood == "type not allowed":
            return self._refuse_signature(asked.to_wire(), dns.rcode.BADKEY)
        code = dns.rcode.REFUSED if self.mood == "refused" else self._judge(asked)
        reply.set_rcode(code)
        if code == dns.rcode.NOERROR and self.mood != "ignores":
            for rrset in asked.update:
                self._apply(rrset)
        if self.mood == "dies after":
            return None
        if self.mood == "unsigned":
            reply.use_tsig(None)
        return reply.to_wire()

    def _judge(self, asked: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        wanted: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], set[str]] = {}
        for rrset in asked.prerequisite:
            there = (rrset.name, rrset.rdtype)
            if rrset.deleting == dns.rdataclass.NONE and there in self.zone:
                return dns.rcode.YXRRSET
            if rrset.deleting is None:
                wanted.setdefault(there, set()).update(one.to_text() for one in rrset)
        for (name, kind), values in wanted.items():
            if set(self.values(name.to_text(), dns.rdatatype.to_text(kind))) != values:
                return dns.rcode.NXRRSET
        return dns.rcode.NOERROR if asked.had_tsig else dns.rcode.NOTAUTH

    def _apply(self, rrset: dns.rrset.RRset) -> None:
        if rrset.deleting == dns.rdataclass.ANY:
            self.zone.pop((rrset.name, rrset.rdtype), None)
        else:
            fresh = dns.rrset.from_rdata_list(rrset.name, rrset.ttl, list(rrset))
            for one in self.zone.get((rrset.name, rrset.rdtype), ()):
                fresh.add(one)
            self.zone[rrset.name, rrset.rdtype] = fresh

    def _refuse_signature(self, wire: bytes, error: dns.rcode.Rcode) -> bytes:
        reply = dns.message.Message(id=struct.unpack("!H", wire[:2])[0])
        reply.set_opcode(dns.opcode.UPDATE)
        reply.flags |= dns.flags.QR
        reply.set_rcode(dns.rcode.NOTAUTH)
        reply.use_tsig(
            self._ring,
            keyname=dns.name.from_text(KEY_NAME),
            tsig_error=error,
            algorithm=dns.tsig.HMAC_SHA256,
        )
        return reply.to_wire()


def _exactly(source: socket.socket, size_bytes: int) -> bytes:
    content = b""
    while len(content) < size_bytes:
        piece = source.recv(size_bytes - len(content))
        if not piece:
            break
        content += piece
    return content
