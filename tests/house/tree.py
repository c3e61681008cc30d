# SPDX-License-Identifier: Apache-2.0
"""The files the rules look at, and how a breach is told: `file:line: what is wrong: what to do`."""

import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

from tests.house.rules import Finding

ROOT = Path(__file__).resolve().parents[2]
WAIVERS = ROOT / "tests/house/waivers.toml"


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that is or would be committed, relative to the root; generated folders are not."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0 and listed.stdout:
        names: Iterable[Path] = map(Path, listed.stdout.splitlines())
    else:  # an unpacked archive has no git: take the folders that matter
        folders = ("src", "tests", "scripts", "docs", "examples", "requirements", ".ci")
        names = (
            file.relative_to(ROOT) for folder in folders for file in (ROOT / folder).rglob("*")
        )
    return tuple(
        sorted(
            {name for name in names if (ROOT / name).is_file() and "__pycache__" not in name.parts}
        )
    )


def python_files(*folders: str) -> list[Path]:
    """The Python files below these folders, in order."""
    return [file for file in tracked() if file.suffix == ".py" and str(file).startswith(folders)]


@cache
def read(file: Path) -> str:
    """The text of a file given relative to the root; empty when it is no text."""
    try:
        return (ROOT / file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def breaches(rule: Callable[[str], list[Finding]], files: Iterable[Path]) -> list[str]:
    """What the rule finds in the files, one readable line each."""
    return [
        f"{file}:{finding.line}: {finding.what}" for file in files for finding in rule(read(file))
    ]


def assert_none(lines: list[str]) -> None:
    """Fail with these breaches and nothing else, when there are any."""
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


def waived(table: str) -> dict[str, str]:
    """One table of waivers.toml: what is let through, and the reason."""
    found: dict[str, str] = tomllib.loads(WAIVERS.read_text())[table]
    return found


def counted() -> dict[str, int]:
    """How many waivers of each kind the house holds, by its own account."""
    found: dict[str, int] = tomllib.loads(WAIVERS.read_text())["counts"]
    return found


def dependencies(*extras: str) -> list[str]:
    """The names of what pyproject.toml depends on, with those of the extras named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    return [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in wanted]
