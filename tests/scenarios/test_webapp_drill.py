# SPDX-License-Identifier: Apache-2.0
"""A plain web application on PostgreSQL is lost and brought back, and defects in it are caught."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.platform
# Stopped in turn: by the database's content, by the application's, by an altered package.
CAUGHT = ("emptied-table", "altered-record", "other-passwords", "damaged-package")


def drilled(reports: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """Run one drill; return how it ended and its record."""
    argv = [sys.executable, "-m", "blackstart", "drill", "--system", "webapp", "--soak", "3"]
    argv += ["--delay", "0", "--reports", str(reports), *words]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=300)
    records = list(reports.glob("*/record.json"))
    assert len(records) == 1, done.stdout[-3000:] + done.stderr[-2000:]
    return done, json.loads(records[0].read_text())


def test_all_ten_steps_bring_the_application_back_without_loss(tmp_path: Path) -> None:
    began_s = time.monotonic()
    done, record = drilled(tmp_path)
    took_s = time.monotonic() - began_s

    assert done.returncode == 0, done.stdout[-3000:]
    assert [step["outcome"] for step in record["result"]["steps"]] == ["verified"] * 11
    loss = record["record"]["loss"]
    assert loss["acknowledged"] > 20
    assert (loss["lost"], loss["surplus"]) == (0, 0)
    # 63 s on a busy machine of two cores with three seconds of soak.
    assert took_s < 150


def test_a_database_that_is_gone_under_a_living_application_is_seen_as_such(
    tmp_path: Path,
) -> None:
    done, record = drilled(tmp_path, "--disaster", "database")

    assert done.returncode == 0, done.stdout[-3000:]
    events = [fact["stored"]["event"] for fact in record["record"]["facts"]]
    looks = [event.get("sightings") for event in events if event.get("action") == "outside"]
    seen = {one["subject"]: one["condition"] for one in next(one for one in looks if one)}
    assert seen == {"name": "intact", "tls": "intact", "application": "degraded"}


@pytest.mark.parametrize("name", CAUGHT)
def test_a_defect_is_stopped_before_users_meet_it(tmp_path: Path, name: str) -> None:
    done, record = drilled(tmp_path, "--inject", name, "--expect-stop")

    assert done.returncode == 0, done.stdout[-3000:]
    assert record["record"]["injection"]["name"] == name
    told = {one["notice"].partition("/")[0] for one in record["record"]["deliveries"]}
    assert "outage" in told
    assert "recovered" not in told
