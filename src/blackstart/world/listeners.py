# SPDX-License-Identifier: Apache-2.0
"""Which programs of a site listen, as the kernel sees it (/proc/PID/net and /proc/PID/fd).

Formats: proc(5), section /proc/net/tcp; a UDP socket without a peer counts as listening.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blackstart.world.namespaces import residents
from blackstart.world.sites import Site

_LISTENING = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One listening socket. `program` is empty when no process of the site holds it."""

    protocol: str
    address: str
    port: int
    program: str

    @property
    def is_loopback(self) -> bool:
        """True when only the site itself can reach it."""
        address = ipaddress.ip_address(self.address)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback


def listeners_of(site: Site) -> tuple[Listener, ...]:
    """Return every listening TCP and UDP socket of the site, by protocol, port and address.

    Raises OSError when the site is gone.
    """
    holders = _holders(site)
    found = [
        Listener(protocol=kind, address=address, port=port, program=holders.get(inode, ""))
        for kind, state in _LISTENING.items()
        for address, port, inode in parse_sockets(
            Path(f"/proc/{site.init_pid}/net/{kind}").read_text("ascii"), state
        )
    ]
    return tuple(sorted(found, key=lambda one: (one.protocol, one.port, one.address)))


def parse_sockets(table: str, state: str) -> Iterator[tuple[str, int, str]]:
    """Yield address, port and inode of each socket in that state of a /proc/net table."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] == state:
            address, _, port = fields[1].partition(":")
            yield _address(address), int(port, 16), fields[9]


def _address(text: str) -> str:
    """Turn the kernel's form (words in the machine's order, which is little-endian) into text."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def _holders(site: Site) -> dict[str, str]:
    """Return inode → command for the sockets that the site's processes hold."""
    found: dict[str, str] = {}
    for one in residents(site):
        found.update((inode, one.command) for inode in _sockets_of(one.pid))
    return found


def _sockets_of(pid: int) -> Iterator[str]:
    """Yield the inodes of the sockets that a process holds; nothing when it ends meanwhile."""
    with suppress(OSError):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(handle.readlink())
                if target.startswith("socket:["):
                    yield target[8:-1]
