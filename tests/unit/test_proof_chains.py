# SPDX-License-Identifier: Apache-2.0
"""The parts of the canary checks that read files: only what is fresh and of this nonce counts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

from blackstart.providers.alertmanager import has_receipt
from blackstart.providers.logs import find_text, sizes_of
from blackstart.world.canary import METRIC, exposition

ALERT = "BlackstartCanary"


def line(nonce: str, status: str = "firing", alert: str = ALERT) -> str:
    return json.dumps({"status": status, "labels": {"alertname": alert, "nonce": nonce}}) + "\n"


def test_a_receipt_counts_when_it_is_fresh_firing_and_of_this_nonce(tmp_path: Path) -> None:
    kept = tmp_path / "alerts.jsonl"
    assert not has_receipt(kept, 0, ALERT, "n1")
    kept.write_text(line("n0") + line("n1", status="resolved") + line("n1", alert="Other"))
    assert not has_receipt(kept, 0, ALERT, "n1")
    old = kept.stat().st_size
    with kept.open("a") as file:
        file.write(line("n1"))
    assert has_receipt(kept, old, ALERT, "n1")
    assert not has_receipt(kept, kept.stat().st_size, ALERT, "n1")


def test_a_whole_webhook_document_is_a_receipt_and_half_a_line_is_none(tmp_path: Path) -> None:
    kept = tmp_path / "alerts.jsonl"
    document = json.dumps({"version": "4", "alerts": [json.loads(line("n1"))]})
    kept.write_text(document[:-4])
    assert not has_receipt(kept, 0, ALERT, "n1")
    kept.write_text("no json n1\n" + document + "\n")
    assert has_receipt(kept, 0, ALERT, "n1")


def test_a_line_counts_when_it_came_after_the_question(tmp_path: Path) -> None:
    first = tmp_path / "a.log"
    first.write_text("canary-1 of yesterday\n")
    before = sizes_of(tmp_path)
    assert find_text(tmp_path, "canary-1", before) is None
    (tmp_path / "b.log").write_text("x canary-1 y\n")
    assert find_text(tmp_path, "canary-1", before) == tmp_path / "b.log"
    first.write_text("canary-2\n")  # the file was rotated: shorter than before
    assert find_text(tmp_path, "canary-2", before) == first


def canary(*words: str) -> list[str]:
    return [sys.executable, "-m", "blackstart.world.canary", "--address", "127.0.0.1", *words]


def test_the_canary_serves_its_nonce_and_ends_by_itself() -> None:
    argv = canary("--port", "0", "--nonce", "abc123", "--for-s", "2")
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as served:
        assert served.stdout is not None
        port = int(served.stdout.readline().split()[-1])
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            assert answer.read().decode() == exposition("abc123")
        assert f'{METRIC}{{nonce="abc123"}} 1' in exposition("abc123")
        assert served.wait(timeout=20) == 0


def test_the_canary_refuses_a_nonce_that_could_break_the_format() -> None:
    done = subprocess.run(
        canary("--port", "0", "--nonce", 'a"} 1'), capture_output=True, check=False, timeout=20
    )
    assert done.returncode == 2
    assert b"a nonce has" in done.stderr
