# SPDX-License-Identifier: Apache-2.0
"""A web server that says the same to everyone: a parking page, an old site, a cached answer.

    python -m blackstart.sandbox.echo_web --address A --port P [--port P …] [--status N]
        [--body FILE] [--certificate FILE --key FILE] [--greet ADDRESS]

With a certificate it speaks TLS. With `--greet` it first calls somebody, so that its neighbours
learn who has the address now.
"""

from __future__ import annotations

import argparse
import socket
import ssl
from contextlib import suppress
from pathlib import Path

from blackstart.sandbox.http_loop import Call, Loop, Reply, wait_for_signal

_GREET_S = 0.5


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="echo_web")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, action="append", required=True)
    parser.add_argument("--status", type=int, default=200)
    parser.add_argument("--body", type=Path)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--greet")
    told = parser.parse_args()
    reply = Reply(status=told.status, body=told.body.read_bytes() if told.body else b"")
    trust = None
    if told.certificate:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(told.certificate, told.key)

    def answer(call: Call) -> Reply:
        del call
        return reply

    loops = [Loop(told.address, port, answer, trust=trust) for port in told.port]
    if told.greet:
        with suppress(OSError):
            socket.create_connection((told.greet, 9), timeout=_GREET_S).close()
    try:
        wait_for_signal()
    finally:
        for loop in loops:
            loop.stop()


if __name__ == "__main__":
    main()
