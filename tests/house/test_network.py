# SPDX-License-Identifier: Apache-2.0
"""The network guard of conftest.py, proven both ways."""

import socket

import pytest

from tests.conftest import NetworkGuard, NetworkIsOffError, is_local

OUTSIDE = "192.0.2.1"  # TEST-NET-1 (RFC 5737)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.9.9.9", "::1", "::1%lo", "localhost", "", None, b"localhost", 0, "0.0.0.0"],
)
def test_loopback_is_local(host: object) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host", [OUTSIDE, "10.70.0.1", "2001:db8::1", "example.com", b"example.com"]
)
def test_the_rest_is_not(host: object) -> None:
    assert not is_local(host)


def test_a_server_on_loopback_is_reached() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        assert client.getpeername() == server.getsockname()


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (None, (OUTSIDE, 80))),
        ("socket.sendto", (None, (OUTSIDE, 53))),
        ("socket.getaddrinfo", ("example.com", 443, 0, 0, 0)),
    ],
)
def test_an_armed_guard_refuses_and_remembers(event: str, arguments: tuple[object, ...]) -> None:
    guard = NetworkGuard()
    guard(event, arguments)
    assert guard.attempts == []
    guard.armed = True
    with pytest.raises(NetworkIsOffError):
        guard(event, arguments)
    assert len(guard.attempts) == 1


def test_unix_sockets_are_no_network() -> None:
    guard = NetworkGuard()
    guard.armed = True
    guard("socket.connect", (None, "a/socket"))
    assert guard.attempts == []
