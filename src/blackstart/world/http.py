# SPDX-License-Identifier: Apache-2.0
"""One HTTP or HTTPS request, made exactly as told: no proxy, no redirect followed, no retry.

A request can be sent to another address than the one its name stands for (`connect_to`: the TLS
name and the Host header stay), and from inside the network of a site (`netns_pid`). Names are
resolved by this program's resolver, so a request from inside a site needs an address.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from blackstart.model.errors import WorldFailed
from blackstart.world.namespaces import enter_network
from blackstart.world.sites import SiteError

_READ_AT_ONCE_BYTES = 64_000
_BODY_LIMIT_BYTES = 16_000_000
_SAID_CHARACTERS = 300


class FetchFailed(WorldFailed):
    """No whole answer came: no route, refused, timed out, a bad certificate, or broken HTTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back. Header names are in small letters, in the order they came."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty text."""
        return next((value for key, value in self.headers if key == name.lower()), "")

    def all_headers(self, name: str) -> tuple[str, ...]:
        """Return every header of that name (Set-Cookie comes once for each cookie)."""
        return tuple(value for key, value in self.headers if key == name.lower())


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    connect_to: str | None = None,
    ca: Path | None = None,
    timeout_s: float = 5.0,
    netns_pid: int | None = None,
) -> Response:
    """Send one request and return the answer, whatever its status.

    `ca` names the only authority to trust for https (None: those of the system). `timeout_s` holds
    for the whole exchange. Raises FetchFailed.
    """

    def exchange() -> Response:
        return _exchange(url, method, headers or {}, body, connect_to, ca, timeout_s)

    try:
        return exchange() if netns_pid is None else _inside(netns_pid, exchange)
    except (OSError, SiteError, ValueError, http.client.HTTPException) as failure:
        raise FetchFailed(
            f"{method} {url}: {_reason(failure)}",
            "look whether the server runs, and whether a firewall or the name is in the way",
        ) from failure


def trust_only(ca: Path | None) -> ssl.SSLContext:
    """Return TLS settings of a strict client: name and chain are checked, TLS 1.2 or newer."""
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def read_certificate(
    address: str, port: int, *, name: str, ca: Path, timeout_s: float = 5.0
) -> bytes:
    """Return the server's certificate (DER) after a handshake that checked its chain and name.

    Raises FetchFailed when there is no such server, or its certificate is not good for the name.
    """
    try:
        with (
            socket.create_connection((address, port), timeout=timeout_s) as plain,
            trust_only(ca).wrap_socket(plain, server_hostname=name) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""
    except (OSError, ValueError) as failure:
        raise FetchFailed(
            f"TLS to {address}:{port} as {name}: {_reason(failure)}",
            "issue a certificate for that name by the authority that clients trust",
        ) from failure


def _inside(init_pid: int, exchange: Callable[[], Response]) -> Response:
    """Make the exchange from a thread of its own, for it can never leave the site's network."""

    def work() -> Response:
        enter_network(init_pid)
        return exchange()

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch") as pool:
        return pool.submit(work).result()


def _exchange(
    url: str,
    method: str,
    headers: Mapping[str, str],
    body: bytes,
    connect_to: str | None,
    ca: Path | None,
    timeout_s: float,
) -> Response:
    deadline = time.monotonic() + timeout_s
    parts = urlsplit(url)
    connection = _connection(parts, connect_to, ca, timeout_s)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body=body or None, headers=dict(headers))
        answer = connection.getresponse()
        content = _read(answer, connection, deadline)
        pairs = tuple((name.lower(), value) for name, value in answer.getheaders())
        return Response(status=answer.status, headers=pairs, body=content)
    finally:
        connection.close()


def _connection(
    parts: SplitResult, connect_to: str | None, ca: Path | None, timeout_s: float
) -> http.client.HTTPConnection:
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("only http:// and https:// addresses can be asked")
    host, secured = parts.hostname, parts.scheme == "https"
    port = parts.port or (443 if secured else 80)
    trust = trust_only(ca) if secured else None
    connection = (
        http.client.HTTPConnection(host, port, timeout=timeout_s)
        if trust is None
        else http.client.HTTPSConnection(host, port, timeout=timeout_s, context=trust)
    )
    plain = socket.create_connection((connect_to or host, port), timeout=timeout_s)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = trust.wrap_socket(plain, server_hostname=host) if trust else plain
    except BaseException:
        plain.close()
        raise
    return connection


def _read(
    answer: http.client.HTTPResponse, connection: http.client.HTTPConnection, deadline: float
) -> bytes:
    """Read the body; a server that trickles cannot hold us beyond the deadline."""
    content = bytearray()
    while not answer.isclosed():
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out in the middle of the body")
        if connection.sock is not None:
            connection.sock.settimeout(left_s)
        piece = answer.read1(_READ_AT_ONCE_BYTES)
        content += piece
        if not piece:
            break
        if len(content) > _BODY_LIMIT_BYTES:
            raise ValueError("the body is too long")
    return bytes(content)


def _reason(failure: Exception) -> str:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {failure.verify_message}"
    if isinstance(failure, TimeoutError):
        return "timed out"
    said = "".join(letter if letter.isprintable() else "·" for letter in str(failure))
    return said[:_SAID_CHARACTERS] or type(failure).__name__  # it may quote what a server sent
