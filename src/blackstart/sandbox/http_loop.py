# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server for the stand-ins: one function answers every request.

An answer is a reply, or silence: the connection is held and then closed without a word, which is
what a client sees of a server that died at the wrong moment.
"""

from __future__ import annotations

import signal
import ssl
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request; the names of headers are in small letters."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the caller gets."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No reply: after `hold_s` seconds the connection is closed."""

    hold_s: float = 0.0


Answer = Callable[[Call], Reply | Silence]


def in_json(content: object, *, status: int = 200) -> Reply:
    """Return a reply that carries a value as JSON."""
    return Reply(status=status, body=msgspec.json.encode(content))


class Loop:
    """A server that answers from threads of its own until it is stopped."""

    def __init__(
        self, address: str, port: int, answer: Answer, *, trust: ssl.SSLContext | None = None
    ) -> None:
        """Listen at once (port 0: a free one), with `trust` over TLS.

        Raises OSError when the address is taken.
        """
        self.stopping = threading.Event()
        self._server = _Server((address, port), answer, self.stopping)
        if trust is not None:  # the handshake is made by the thread of each caller
            self._server.socket = trust.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def address(self) -> str:
        """The address it listens on."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_address[1]

    def stop(self) -> None:
        """End it, and everyone it keeps waiting."""
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def wait_for_signal() -> None:
    """Return when the program is asked to end (SIGTERM or SIGINT). Call from the main thread."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    asked.wait()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, place: tuple[str, int], answer: Answer, stopping: threading.Event) -> None:
        super().__init__(place, _Conversation)
        self.answer = answer
        self.stopping = stopping

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller that went away; show everything else."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._converse()

    def do_POST(self) -> None:
        self._converse()

    def do_PUT(self) -> None:
        self._converse()

    def do_DELETE(self) -> None:
        self._converse()

    def log_message(self, *_: object, **__: object) -> None:
        """Keep no access log."""

    def _converse(self) -> None:
        assert isinstance(self.server, _Server)
        address = urlsplit(self.path)
        size_bytes = int(self.headers.get("Content-Length") or 0)
        call = Call(
            verb=self.command,
            path=address.path,
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(size_bytes),
        )
        said = self.server.answer(call)
        if isinstance(said, Silence):
            self.server.stopping.wait(said.hold_s)
            self.close_connection = True
        else:
            self._say(said)

    def _say(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
