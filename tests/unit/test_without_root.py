# SPDX-License-Identifier: Apache-2.0
"""Without root a drill is refused before anything is changed, with what is possible and what not.

A user namespace in which we are user 1000 takes root away, whoever runs the tests.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
TAKEN = (
    "Makefile",
    "scripts/drill.sh",
    "scripts/packages.sh",
    "scripts/talk.sh",
    "scripts/setup.sh",
    "src/blackstart/__init__.py",
    "src/blackstart/sandbox/__init__.py",
    "src/blackstart/sandbox/host.py",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of what stands before the installation; there is no .venv in it."""
    for name in TAKEN:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_make_drill_stops_before_it_changes_anything(copy: Path) -> None:
    before = files_of(copy)
    done = subprocess.run(
        [*NOBODY, "make", "drill"],
        cwd=copy,
        env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2  # make's own, for any failure
    assert "Error 8" in done.stderr
    assert "stopped: the sandbox needs root" in done.stderr
    assert "nothing was changed" in done.stderr
    assert "make test, make check" in done.stderr
    assert files_of(copy) == before


def test_the_command_refuses_with_the_same_words() -> None:
    done = subprocess.run(
        [*NOBODY, sys.executable, "-m", "blackstart", "drill"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 8
    assert "the sandbox needs root" in done.stderr
    assert "a table-top run" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_missing_packages_are_known_without_an_installation(copy: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "blackstart.sandbox.host"],
        cwd=copy / "src",
        env={"PATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "nodejs" in done.stdout.splitlines()
