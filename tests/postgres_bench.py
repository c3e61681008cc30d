# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL on loopback for a test: made, started, and gone with the test."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blackstart.world.clock import wait_until

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
USER_ID = pwd.getpwnam("nobody").pw_uid  # PostgreSQL does not run as root
PASSWORD = "pass:word\\of 'the' owner"


@dataclass(frozen=True)
class Server:
    """A cluster with a database `app` that the role `owner` owns."""

    folder: Path
    port: int

    def sql(self, text: str) -> str:
        """Run SQL as the superuser, through the socket, and return what it printed."""
        argv = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "app"]
        done = subprocess.run(
            [*argv, "-h", str(self.folder), "-p", str(self.port), "-U", "postgres"],
            input=text.encode(),
            capture_output=True,
            check=True,
            timeout=30,
        )
        return done.stdout.decode().strip()


@contextmanager
def running_postgres(folder: Path) -> Iterator[Server]:
    """Yield a server that trusts its socket and asks for passwords on loopback."""
    data = folder / "pg"
    data.mkdir(parents=True)
    for one in (folder, data):
        os.chown(one, USER_ID, USER_ID)
    as_user = ["setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups", "--"]
    initdb = [*as_user, str(PROGRAMS / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"]
    done = subprocess.run(
        [*initdb, "--no-sync"], capture_output=True, cwd="/", timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    (data / "pg_hba.conf").write_text(
        "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    server = Server(folder, _free_port())
    options = {
        "port": str(server.port),
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "listen_addresses": "127.0.0.1",
        "log_statement": "all",
    }
    settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
    argv = [*as_user, str(PROGRAMS / "postgres"), "-D", str(data), *settings]
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(argv, stdout=log, stderr=log, cwd="/") as process,
    ):
        try:
            ready = [str(PROGRAMS / "pg_isready"), "-q", "-h", str(folder), "-p", str(server.port)]
            assert wait_until(
                lambda: subprocess.run(ready, check=False).returncode == 0, timeout_s=20
            )
            _make_database(server)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


def _make_database(server: Server) -> None:
    argv = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-U", "postgres"]
    word = PASSWORD.replace("'", "''")
    text = f"CREATE ROLE owner LOGIN PASSWORD '{word}';\nCREATE DATABASE app OWNER owner;\n"
    subprocess.run(
        [*argv, "-h", str(server.folder), "-p", str(server.port)],
        input=text.encode(),
        check=True,
        timeout=30,
    )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
