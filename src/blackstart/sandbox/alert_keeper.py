# SPDX-License-Identifier: Apache-2.0
"""The last link of alerting: a webhook that keeps every alert Alertmanager sends.

    python -m blackstart.sandbox.alert_keeper --address A --port P --keep FILE

POST / takes Alertmanager's webhook document and adds one JSON line per alert to FILE; GET /alerts
returns the lines. Document: prometheus.io/docs/alerting/latest/configuration/#webhook_config.
"""

from __future__ import annotations

import argparse
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from blackstart.sandbox.http_loop import Call, Loop, Reply, in_json, wait_for_signal


class KeptAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as it arrived. `status` is "firing" or "resolved"; `received_at` is UTC."""

    received_at: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: str = ""
    ends_at: str = ""
    receiver: str = ""


class _SentAlert(msgspec.Struct, rename="camel"):
    status: str
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: str = ""
    ends_at: str = ""


class _Notification(msgspec.Struct):
    alerts: list[_SentAlert]
    receiver: str = ""


class AlertKeeper:
    """Answers the webhook and keeps what it brings."""

    def __init__(self, keep: Path) -> None:
        """Keep alerts in this file, after those already in it."""
        self._keep = keep
        self._lock = threading.Lock()

    def answer(self, call: Call) -> Reply:
        """Return the answer to one request."""
        if call.verb == "GET" and call.path == "/alerts":
            lines = self._keep.read_bytes() if self._keep.exists() else b""
            return Reply(body=lines, kind="application/x-ndjson")
        if call.verb != "POST":
            return in_json({"ok": False, "error": "POST alerts here"}, status=404)
        try:
            notification = msgspec.json.decode(call.body, type=_Notification)
        except msgspec.MsgspecError as wrong:
            return in_json({"ok": False, "error": str(wrong)}, status=400)
        self._add(notification)
        return in_json({"ok": True})

    def _add(self, notification: _Notification) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock, self._keep.open("ab") as sink:
            for alert in notification.alerts:
                kept = KeptAlert(
                    received_at=now,
                    receiver=notification.receiver,
                    status=alert.status,
                    labels=alert.labels,
                    annotations=alert.annotations,
                    starts_at=alert.starts_at,
                    ends_at=alert.ends_at,
                )
                sink.write(msgspec.json.encode(kept) + b"\n")
            sink.flush()
            os.fsync(sink.fileno())


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="alert_keeper")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keep", type=Path, required=True)
    chosen = parser.parse_args()
    loop = Loop(chosen.address, chosen.port, AlertKeeper(chosen.keep).answer)
    try:
        wait_for_signal()
    finally:
        loop.stop()


if __name__ == "__main__":
    main()
