# SPDX-License-Identifier: Apache-2.0
"""`status` is asked again and again under stress: it loads the record, not the plan or engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = "import sys, {0}; print(*sys.modules)"
HEAVY = {"blackstart.model.plan", "blackstart.engine", "blackstart.bootstrap", "yaml", "rich"}


def loaded_by(module: str) -> set[str]:
    """Return the modules that a fresh Python has loaded after this one."""
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(module)], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("heavy", sorted(HEAVY))
def test_status_loads_the_record_alone(heavy: str) -> None:
    assert heavy not in loaded_by("blackstart.cli.status")


def test_what_drives_loads_them() -> None:
    assert {"blackstart.model.plan", "blackstart.engine"} <= loaded_by("blackstart.cli.driving")
