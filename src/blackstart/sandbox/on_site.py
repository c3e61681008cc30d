# SPDX-License-Identifier: Apache-2.0
"""Small steps on a site: a command that must succeed, a file of a site's user, an SQL query."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from blackstart.sandbox.layout import PlatformPaths, SandboxError
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import residents
from blackstart.world.sites import USERS, Site, inside


def must(
    site: Site,
    argv: Sequence[str],
    *,
    user: str = "root",
    timeout_s: float = 60,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
) -> str:
    """Run a command in the site and return its output. Raises SandboxError when it fails."""
    done = process.run(inside(site, argv, user=user, env=env), timeout_s=timeout_s, stdin=stdin)
    if done.code != 0:
        said = (done.err or done.out).decode("utf-8", "replace").strip()[-600:]
        raise SandboxError(
            f"on site {site.name}: {' '.join(argv[:3])} failed ({done.code}): {said}",
            f"read the logs in {site.directory / 'log'}",
        )
    return done.text


def sql(site: Site, query: str, *, database: str = "postgres") -> str:
    """Return the unaligned output of SQL run by the superuser. Raises SandboxError."""
    socket = str(PlatformPaths(site.directory).socket)
    psql = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", socket, "-d", database]
    return must(site, [*psql, "-f", "-"], user="postgres", stdin=query.encode()).strip()


def make_folder(path: Path, user: str = "root", mode: int = 0o700) -> Path:
    """Make a folder owned by one of the sites' users."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, USERS[user], USERS[user])
    path.chmod(mode)
    return path


def put_file(path: Path, content: str | bytes, user: str = "root", mode: int = 0o600) -> Path:
    """Write a file owned by one of the sites' users; it is never readable by more than `mode`."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchown(descriptor, USERS[user], USERS[user])
        os.fchmod(descriptor, mode)
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


def own_tree(path: Path, user: str) -> None:
    """Give a whole tree to one of the sites' users."""
    number = USERS[user]
    os.chown(path, number, number)
    for below in path.rglob("*"):
        os.lchown(below, number, number)


def expect(what: str, is_so: Callable[[], bool], *, timeout_s: float, log: Path) -> None:
    """Wait until the answer is yes. Raises SandboxError with the end of the log otherwise."""
    if wait_until(is_so, timeout_s=timeout_s, every_s=0.05):
        return
    last = log.read_text("utf-8", "replace")[-600:].strip() if log.exists() else "(no log)"
    raise SandboxError(f"{what}: not within {timeout_s:g} s; its log ends: {last}", f"read {log}")


def end_programs(site: Site, start: str) -> None:
    """Kill every program of a site whose name starts so, and wait until they are gone."""

    def theirs() -> list[int]:
        return [one.pid for one in residents(site) if one.command.startswith(start)]

    for pid in theirs():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    log = site.directory / "log" / f"{start}.log"
    expect(f"the end of {start}", lambda: not theirs(), timeout_s=10, log=log)
