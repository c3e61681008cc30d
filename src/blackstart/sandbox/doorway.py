# SPDX-License-Identifier: Apache-2.0
"""A way in for a person: loopback ports of this machine lead into a site that is kept.

    python -m blackstart.sandbox.doorway INIT_PID LISTEN:TARGET …

The listening sockets are opened on this machine's loopback, then the program moves into the site's
network and connects there to 127.0.0.1: a socket stays where it was opened. It ends with the site.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from blackstart.sandbox.layout import FRONT_INSTANCE_PORT, PUBLIC_NAME, Layout, SandboxError
from blackstart.sandbox.secrets_kept import load_secrets
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.files import write_durably
from blackstart.world.namespaces import enter_network
from blackstart.world.sites import Site

_HERE = "127.0.0.1"
_PIECE_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Doorway:
    """The forwarding program, and how a person gets in."""

    pid: int
    started_ticks: int
    directions: str


def open_doorway(
    layout: Layout, site: Site, *, port: int = 8443, public_name: str = PUBLIC_NAME
) -> Doorway:
    """Lead 127.0.0.1:`port` to the site's front, and each instance's port too.

    It outlives this program, and ends with the site or by `sweep`. Raises SandboxError.
    """
    kept = load_secrets(layout.secrets)
    instance_ports = [int(one.url.rsplit(":", 1)[1].strip("/")) for one in kept.instances]
    pairs = [f"{port}:443", *(f"{one}:{FRONT_INSTANCE_PORT}" for one in instance_ports)]
    log = layout.root / "doorway.log"
    command = [sys.executable, "-m", "blackstart.sandbox.doorway", str(site.init_pid), *pairs]
    spawned = process.spawn(command, log=log, dies_with_us=False)
    directions = (
        f"add `{_HERE} {public_name}` to /etc/hosts, trust {layout.pki / 'ca.pem'}, open "
        f"https://{public_name}:{port} and log in as {kept.admin.username} with "
        f"{kept.admin.password}"
    )
    doorway = Doorway(pid=spawned.pid, started_ticks=spawned.started_ticks, directions=directions)
    write_durably(doorway_record(layout.root), msgspec.json.encode(doorway))
    if not wait_until(lambda: _accepts(port), timeout_s=5):
        said = log.read_text("utf-8", "replace")[-300:].strip()
        raise SandboxError(f"port {port} does not lead to the site: {said}", "choose another port")
    return doorway


def close_doorway(root: Path) -> None:
    """End the forwarding program of a run, if there is one."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        doorway = msgspec.json.decode(doorway_record(root).read_bytes(), type=Doorway)
        process.end(doorway.pid, doorway.started_ticks, grace_s=1)


def doorway_record(root: Path) -> Path:
    """Return the file that names the forwarding program of a run."""
    return root / "doorway.json"


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((_HERE, port), timeout=1):
        return True
    return False


async def _forward(sockets: dict[socket.socket, int], init_pid: int) -> None:
    """Serve until the site's init ends."""
    ended = asyncio.Event()
    handle = os.pidfd_open(init_pid)
    asyncio.get_running_loop().add_reader(handle, ended.set)
    servers = [
        await asyncio.start_server(_towards(target), sock=listening)
        for listening, target in sockets.items()
    ]
    await ended.wait()
    for server in servers:
        server.close()


def _towards(
    target: int,
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(_HERE, target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    return connect


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_PIECE_BYTES):
            sink.write(piece)
            await sink.drain()
    with suppress(OSError):
        sink.close()


def main(argv: Sequence[str]) -> int:
    """Open the ports here, move into the site, forward."""
    init_pid = int(argv[0])
    sockets: dict[socket.socket, int] = {}
    for pair in argv[1:]:
        listen, _, target = pair.partition(":")
        sockets[socket.create_server((_HERE, int(listen)))] = int(target)
    enter_network(init_pid)
    asyncio.run(_forward(sockets, init_pid))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
