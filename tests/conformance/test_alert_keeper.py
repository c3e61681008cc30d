# SPDX-License-Identifier: Apache-2.0
"""The alert keeper takes Alertmanager's webhook document and loses none of its alerts."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from blackstart.sandbox.alert_keeper import AlertKeeper
from blackstart.sandbox.http_loop import Loop


def test_every_alert_of_a_notification_is_kept(tmp_path: Path) -> None:
    loop = Loop("127.0.0.1", 0, AlertKeeper(tmp_path / "alerts.jsonl").answer)
    address = f"http://127.0.0.1:{loop.port}"
    sent = {
        "version": "4",
        "receiver": "keeper",
        "alerts": [
            {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-01-01T00:00:00Z"},
            {"status": "resolved", "labels": {"alertname": "B"}},
        ],
    }
    try:
        assert httpx.post(address, json=sent).status_code == 200
        assert httpx.post(address, content=b"no alert").status_code == 400
        lines = [json.loads(line) for line in httpx.get(address + "/alerts").text.splitlines()]
    finally:
        loop.stop()
    assert [(line["labels"]["alertname"], line["status"]) for line in lines] == [
        ("A", "firing"),
        ("B", "resolved"),
    ]
    assert lines[0]["starts_at"] == "2026-01-01T00:00:00Z"
