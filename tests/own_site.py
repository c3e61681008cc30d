# SPDX-License-Identifier: Apache-2.0
"""A site that is this very test: its record names our own process, so no namespace is made.

What is written goes to a folder of the test, and what is started "inside" is started here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from blackstart.world import process
from tests.provider_stage import MARKER


def make_own_site(place: Path, name: str = "recovery", *, marker: str = MARKER) -> Path:
    """Write the record of such a site; return its folder."""
    directory = place / name
    (directory / "log").mkdir(parents=True)
    record = {
        "name": name,
        "directory": str(directory),
        "init_pid": os.getpid(),
        "started_ticks": process.started_ticks(os.getpid()),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip(),
        "address": "127.0.0.1",
        "marker": marker,
        "purpose": "recovered",
        "cgroup": "",
        "state": "running",
    }
    (directory / "site.json").write_text(json.dumps(record))
    return directory
