# SPDX-License-Identifier: Apache-2.0
"""What every test run shares: no network beyond loopback, and generated examples that repeat.

A quick test that reaches outside would pass or fail with the weather. The block is an audit hook,
so it holds for every library in this process; programs started by a test are not covered. Tests
marked `platform` live in network namespaces of their own and are let through.
"""

import ipaddress
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")


class NetworkIsOffError(RuntimeError):
    """A quick test reached for the network; use a server on loopback."""


class NetworkGuard:
    """Refuses addresses beyond loopback while armed, and remembers each attempt."""

    def __init__(self) -> None:
        self.armed = False
        self.attempts: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        """The audit hook: look at every connect, datagram and look-up."""
        if not self.armed:
            return
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            self._judge(event, arguments[1])
        elif event == "socket.getaddrinfo":
            self._judge(event, (arguments[0],))

    def _judge(self, event: str, address: object) -> None:
        # Unix sockets have text addresses; connected datagrams none.
        if not isinstance(address, tuple) or is_local(address[0]):
            return
        self.attempts.append(f"{event} {address[0]}")
        raise NetworkIsOffError(f"{event} {address[0]}: quick tests stay on loopback")


def is_local(host: object) -> bool:
    """True for loopback, the wildcard and what is no internet address at all (netlink, packet)."""
    if isinstance(host, bytes):
        host = host.decode()
    if not isinstance(host, str) or host in {"", "localhost"}:
        return True
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


GUARD = NetworkGuard()
sys.addaudithook(GUARD)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Arm the guard before the first fixture of a quick test, disarm it after the last."""
    GUARD.armed = item.get_closest_marker("platform") is None
    try:
        return (yield)
    finally:
        GUARD.armed = False


@pytest.fixture(autouse=True)
def network_off() -> Iterator[None]:
    """Fail the test even when the code under test swallowed the refusal."""
    before = len(GUARD.attempts)
    yield
    attempts = GUARD.attempts[before:]
    assert not attempts, f"reached beyond loopback: {', '.join(attempts)}"


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, for journals of which many are written."""
    if not Path("/dev/shm").is_dir():  # a machine without it only takes longer
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="blackstart-", dir="/dev/shm") as folder:
        yield Path(folder)
