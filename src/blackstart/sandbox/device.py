# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a device agent: it asks the platform for its state and obeys the answers.

    python -m blackstart.sandbox.device --folder DIR --ca F

It behaves as the agent's source says: an answer of 401 or 404 means that it was removed, so it
clears its configuration; 200 and 409 mean that the platform knows it; anything else, or nothing,
changes nothing. Every answer is a line of DIR/answers.log.
"""

from __future__ import annotations

import argparse
import signal
import ssl
import threading
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

from blackstart.sandbox.layout import PUBLIC_NAME, Layout

CONFIGURATION = "configuration.json"
_ANSWERS = "answers.log"
_PATH = "/api/v1/devices/kX9vQ2mZpL/live/state"
_REMOVED = (401, 404)
_EVERY_S, _TIMEOUT_S = 0.5, 2.0


def folder_of(layout: Layout) -> Path:
    """Return the device's folder."""
    return layout.root / "device"


def saw_platform(folder: Path) -> bool:
    """Say whether anybody answered the device at all."""
    path = folder / _ANSWERS
    return path.exists() and bool(path.read_text().strip())


def ask(trust: ssl.SSLContext) -> int:
    """Ask once, on a new connection and with the name looked up anew; 0 for no answer."""
    connection = HTTPSConnection(PUBLIC_NAME, timeout=_TIMEOUT_S, context=trust)
    try:
        headers = {"Authorization": "Bearer ffd_unknown", "Content-Type": "application/json"}
        connection.request("POST", _PATH, '{"state":"running"}', headers)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def obey(folder: Path, status: int) -> None:
    """Do what the agent does on an answer."""
    if status in _REMOVED:
        (folder / CONFIGURATION).unlink(missing_ok=True)
    if status:
        with (folder / _ANSWERS).open("a") as log:
            log.write(f"{status}\n")


def main() -> None:
    """Ask until SIGTERM."""
    parser = argparse.ArgumentParser(prog="device")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--ca", type=Path, required=True)
    told = parser.parse_args()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    (told.folder / CONFIGURATION).write_text('{"snapshot": "s-1"}')
    trust = ssl.create_default_context(cafile=str(told.ca))
    while not stop.wait(_EVERY_S):
        obey(told.folder, ask(trust))


if __name__ == "__main__":
    main()
