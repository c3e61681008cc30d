# SPDX-License-Identifier: Apache-2.0
"""A user of the platform who never stops working, and counts: one numbered row per request.

    python -m blackstart.sandbox.writer --folder DIR --team ID --token-file F --ca F

It runs outside and knows only the public name. Each number is noted in DIR/sent.log before it is
sent and in DIR/acknowledged.log after the platform answered 200, both with the time, both flushed.
A failed number is never sent again; the next one goes out on a new connection with the name looked
up anew. It stops on SIGTERM. With --read it prints the numbers that the platform holds instead.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import ssl
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Protocol, TextIO

from blackstart.sandbox.layout import PUBLIC_NAME, Layout, SandboxError
from blackstart.sandbox.on_site import make_folder, put_file
from blackstart.sandbox.secrets_kept import load_secrets
from blackstart.world import process
from blackstart.world.clock import SystemClock
from blackstart.world.sites import Site, inside, start_inside

_TIMEOUT_S = 5.0
_BACK_OFF_S = 0.2
_NAME = re.compile(r"seq (\d{6,})")


class Written(Protocol):
    """What the writer writes to."""

    def write(self, number: int) -> bool:
        """Make one row; True only when it was acknowledged."""
        ...


class Asking:
    """One server asked through its public name, on one connection kept as long as it works."""

    def __init__(self, name: str, headers: Mapping[str, str], ca: Path) -> None:
        self._name = name
        self._headers = dict(headers)
        self._trust = ssl.create_default_context(cafile=str(ca))
        self._connection: HTTPSConnection | None = None

    def ask(self, method: str, path: str, body: str | None) -> tuple[int, str]:
        """Return status and text; status 0 when there was no answer."""
        if self._connection is None:
            self._connection = HTTPSConnection(self._name, timeout=_TIMEOUT_S, context=self._trust)
        try:
            self._connection.request(method, path, body, self._headers)
            answer = self._connection.getresponse()
            status, text = answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, HTTPException):
            status, text = 0, ""
        if status not in {200, 201}:
            self._connection.close()
            self._connection = None
        return status, text


class _Platform:
    """The platform's API through the public name."""

    def __init__(self, team: str, token: str, ca: Path) -> None:
        self._team = team
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._asking = Asking(PUBLIC_NAME, headers, ca)

    def write(self, number: int) -> bool:
        """Make one row; True only when the platform said 200."""
        body = json.dumps({"name": f"seq {number:06d}", "teamId": self._team})
        status, _ = self._asking.ask("POST", "/api/v1/applications", body)
        return status == 200

    def read(self) -> tuple[int, ...]:
        """Return the numbers of all rows that the platform holds. Raises SandboxError."""
        status, text = self._asking.ask("GET", f"/api/v1/teams/{self._team}/applications", None)
        if status != 200:
            raise SandboxError(f"the platform does not list its rows: {status}", "is it up?")
        return tuple(sorted(int(number) for number in _NAME.findall(text)))


def start_writer(layout: Layout, outside: Site) -> int:
    """Start the writer in the site outside; returns its pid. It writes into `layout.writer`."""
    command = [*_command(layout), "--per-second", "20"]
    return start_inside(outside, "writer", command, user="svc", cwd="/")


def stop_writer(pid: int) -> None:
    """Ask the writer to stop and wait until it has; its records are whole then."""
    ticks = process.started_ticks(pid)
    if ticks is not None:
        process.end(pid, ticks, grace_s=10)


def read_written(layout: Layout, outside: Site) -> frozenset[int]:
    """Return the numbers that the platform holds now, asked from outside through its public name.

    Raises SandboxError when it does not answer.
    """
    return written_numbers(inside(outside, [*_command(layout), "--read"], user="svc"))


def written_numbers(command: list[str]) -> frozenset[int]:
    """Return the numbers that a reading command prints. Raises SandboxError when it fails."""
    done = process.run(command, timeout_s=60, keep_bytes=20_000_000)
    if done.code != 0:
        said = done.err.decode("utf-8", "replace").strip()[-300:]
        raise SandboxError(f"the rows of the platform cannot be read: {said}", "is it up?")
    return frozenset(int(word) for word in done.text.split())


def _command(layout: Layout) -> list[str]:
    kept = load_secrets(layout.secrets)
    folder = make_folder(layout.writer, "svc")
    token_file = put_file(folder / "token", kept.writer_token, "svc")
    run = [sys.executable, "-m", "blackstart.sandbox.writer", "--folder", str(folder)]
    ca = str(layout.pki / "ca.pem")
    return [*run, "--team", kept.writer_team, "--token-file", str(token_file), "--ca", ca]


def write_until_told(to: Written, folder: Path, per_second: float) -> None:
    """Write until SIGTERM; the records in `folder` are whole then."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    _keep_writing(to, folder, per_second, stop)


def _keep_writing(to: Written, folder: Path, per_second: float, stop: threading.Event) -> None:
    clock = SystemClock()
    with (folder / "sent.log").open("a") as sent, (folder / "acknowledged.log").open("a") as acks:
        number, due = 0, clock.monotonic_s()
        while not stop.is_set():
            number += 1
            _note(sent, number, clock.now())
            if to.write(number):
                _note(acks, number, clock.now())
                due = max(due + 1 / per_second, clock.monotonic_s())
            else:
                due = clock.monotonic_s() + _BACK_OFF_S
            stop.wait(max(0.0, due - clock.monotonic_s()))


def _note(log: TextIO, number: int, at: datetime) -> None:
    log.write(f"{number} {at.isoformat(timespec='milliseconds')}\n")
    log.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Write until SIGTERM, or read once."""
    parser = argparse.ArgumentParser(prog="blackstart.sandbox.writer")
    for name in ("--folder", "--token-file", "--ca"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--team", required=True)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--read", action="store_true")
    told = parser.parse_args(argv)
    platform = _Platform(told.team, told.token_file.read_text().strip(), told.ca)
    if told.read:
        sys.stdout.write("\n".join(str(number) for number in platform.read()))
        return 0
    write_until_told(platform, told.folder, told.per_second)
    return 0


if __name__ == "__main__":
    sys.exit(main())
