# SPDX-License-Identifier: Apache-2.0
"""A metric with a fresh nonce, served for a few seconds: proof that monitoring sees a site.

    python -m blackstart.world.canary --address A --port P --nonce N --for-s S

It answers every GET with one metric in the Prometheus text format, and ends by itself: after S
seconds (at most five minutes), whoever started it may be dead by then. Port 0 takes a free port;
the first line of its output says which.
"""

from __future__ import annotations

import argparse
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

METRIC = "blackstart_canary"
_LONGEST_S = 300.0


def exposition(nonce: str) -> str:
    """Return the metric with its nonce in the Prometheus text format."""
    return (
        f"# HELP {METRIC} One while a recovery proves that monitoring sees this site.\n"
        f"# TYPE {METRIC} gauge\n"
        f'{METRIC}{{nonce="{nonce}"}} 1\n'
    )


def serve(address: str, port: int, nonce: str, *, for_s: float) -> None:
    """Serve the metric until the time is over. Raises OSError when the port is taken."""
    body = exposition(nonce).encode()

    class Conversation(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            pass

    with ThreadingHTTPServer((address, port), Conversation) as server:
        server.daemon_threads = True
        end = threading.Timer(min(for_s, _LONGEST_S), server.shutdown)
        end.daemon = True
        end.start()
        sys.stdout.write(f"listening on {server.server_address[1]}\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.1)


def _nonce(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", text):
        raise argparse.ArgumentTypeError("a nonce has letters, digits, - and _ only")
    return text


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(prog="canary", description="Serve one metric for a while.")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--nonce", type=_nonce, required=True)
    parser.add_argument("--for-s", type=float, default=30.0)
    chosen = parser.parse_args()
    serve(chosen.address, chosen.port, chosen.nonce, for_s=chosen.for_s)


if __name__ == "__main__":
    main()
