# SPDX-License-Identifier: Apache-2.0
"""A user of the web application who never stops working, and counts: one order per request.

    python -m blackstart.sandbox.webapp.writer --folder DIR --login-file F --ca F

The rest is as in `blackstart.sandbox.writer`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path

from blackstart.sandbox.layout import Layout, SandboxError
from blackstart.sandbox.on_site import make_folder, put_file
from blackstart.sandbox.webapp.names import PUBLIC_NAME, SHOP
from blackstart.sandbox.writer import Asking, write_until_told, written_numbers
from blackstart.world.sites import Site, inside, start_inside

_RECORDS = f"{SHOP}/orders/records"
_ID = re.compile(r'"id": ?"seq-(\d{6,})"')


class Orders:
    """The application's API through the public name."""

    def __init__(self, login: str, ca: Path) -> None:
        basic = b64encode(login.encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        self._asking = Asking(PUBLIC_NAME, headers, ca)

    def write(self, number: int) -> bool:
        """Make one order; True only when the application said that it was created."""
        body = json.dumps({"data": {"article": number % 7}})
        status, _ = self._asking.ask("PUT", f"{_RECORDS}/seq-{number:06d}", body)
        return status == 201

    def read(self) -> tuple[int, ...]:
        """Return the numbers of all orders that the application holds. Raises SandboxError."""
        status, text = self._asking.ask("GET", f"{_RECORDS}?_fields=id", None)
        if status != 200:
            raise SandboxError(f"the application does not list its orders: {status}", "is it up?")
        return tuple(sorted(int(number) for number in _ID.findall(text)))


def start_writer(layout: Layout, outside: Site) -> int:
    """Start the writer in the site outside; returns its pid. It writes into `layout.writer`."""
    return start_inside(outside, "writer", _command(layout), user="svc", cwd="/")


def read_written(layout: Layout, outside: Site) -> frozenset[int]:
    """Return the numbers that are there now, asked from outside. Raises SandboxError."""
    return written_numbers(inside(outside, [*_command(layout), "--read"], user="svc"))


def _command(layout: Layout) -> list[str]:
    folder = make_folder(layout.writer, "svc")
    login = (layout.backup / "verify.login").read_text()
    login_file = put_file(folder / "login", login, "svc")
    run = [sys.executable, "-m", "blackstart.sandbox.webapp.writer", "--folder", str(folder)]
    return [*run, "--login-file", str(login_file), "--ca", str(layout.pki / "ca.pem")]


def main(argv: Sequence[str] | None = None) -> int:
    """Write until SIGTERM, or read once."""
    parser = argparse.ArgumentParser(prog="blackstart.sandbox.webapp.writer")
    for name in ("--folder", "--login-file", "--ca"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--per-second", type=float, default=20.0)
    parser.add_argument("--read", action="store_true")
    told = parser.parse_args(argv)
    orders = Orders(told.login_file.read_text().strip(), told.ca)
    if told.read:
        sys.stdout.write("\n".join(str(number) for number in orders.read()))
        return 0
    write_until_told(orders, told.folder, told.per_second)
    return 0


if __name__ == "__main__":
    sys.exit(main())
