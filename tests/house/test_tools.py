# SPDX-License-Identifier: Apache-2.0
"""The tools that hold the rules are armed: under our own settings each refuses a bad sample."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

BIN = Path(sys.executable).parent
HEAD = '# SPDX-License-Identifier: Apache-2.0\n"""A sample."""\n\n'
NESTED = 'def f(a: int) -> int:\n    """Do."""\n{}    return a\n'.format(
    "".join(f"    if a == {n}:\n        a += 1\n" for n in range(9))
)

REFUSED = [
    ("BLE001", 'try:\n    f()\nexcept Exception:\n    print("x")\n'),
    ("C901", NESTED),
    ("D101", "class Ledger:\n    x = 1\n"),
    ("D103", "def f() -> None:\n    return None\n"),
    ("DTZ005", "from datetime import datetime\n\nx = datetime.now()\n"),
    ("FIX002", "# TO" + "DO: later\n"),
    ("PLC0415", 'def f() -> None:\n    """Do."""\n    import os\n'),
    ("S602", 'import subprocess\n\nsubprocess.run("ls", shell=True)\n'),
    ("T201", 'print("x")\n'),
    ("TID251", "from unittest.mock import Mock\n"),
    ("TID252", "from . import x\n"),
]


def run(*argv: str | Path, cwd: Path = ROOT, stdin: str = "", path: Path | None = None) -> str:
    """Everything the tool says."""
    environment = {"PATH": "/usr/bin:/bin"} | ({"PYTHONPATH": str(path)} if path else {})
    done = subprocess.run(
        argv, input=stdin, cwd=cwd, env=environment, check=False, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def lint(source: str, *, name: str = "src/blackstart/engine/sample.py") -> str:
    """What ruff says about the source, were it at that place in the tree."""
    style = ("--no-cache", "--output-format=concise", "--stdin-filename", name)
    return run(BIN / "ruff", "check", *style, "-", stdin=source)


@pytest.mark.parametrize(("code", "bad"), REFUSED, ids=[code for code, _ in REFUSED])
def test_the_linter_refuses(code: str, bad: str) -> None:
    assert f" {code} " in lint(HEAD + bad)


def test_the_linter_lets_the_good_through() -> None:
    good = HEAD + 'def end(pid: int) -> int:\n    """End it."""\n    return pid\n'
    assert "All checks passed!" in lint(good)


def test_only_the_terminal_prints_and_imports_late() -> None:
    late = HEAD + 'def f() -> None:\n    """Do."""\n    import os\n\n    print(os.name)\n'
    assert "All checks passed!" in lint(late, name="src/blackstart/cli/sample.py")


def type_check(source: str, where: Path) -> str:
    """What mypy says about the source under this repository's settings."""
    file = where / "sample.py"
    file.write_text(source)
    settings = ("--config-file", ROOT / "pyproject.toml", "--strict", f"--cache-dir={where}/cache")
    return run(BIN / "mypy", *settings, file, cwd=where)


INEXHAUSTIVE = """
from typing import Literal

def f(a: Literal[1, 2]) -> None:
    match a:
        case 1:
            return
"""


def test_the_type_checker_is_strict(tmp_path: Path) -> None:
    assert "Success" in type_check("def f(a: int) -> int:\n    return a\n", tmp_path)
    assert "[no-untyped-def]" in type_check("def f(a):\n    return a\n", tmp_path)
    assert "[exhaustive-match]" in type_check(INEXHAUSTIVE, tmp_path)


FLOORS = (
    "__main__ bootstrap cli engine planfile providers store reports sandbox world ports model"
).split()
GOOD = {
    "engine": "import blackstart.world",
    "__main__": "import blackstart.cli",
    "sandbox": "import blackstart.ports",
}


def check_floors(where: Path, imports: dict[str, str]) -> str:
    """What import-linter says about a small house where each floor imports what is given."""
    package = where / "blackstart"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for floor in {*FLOORS, *imports}:
        (package / f"{floor}.py").write_text(imports.get(floor, ""))
    settings = ("--no-cache", "--no-logo", "--config", ROOT / "pyproject.toml")
    return run(BIN / "lint-imports", *settings, cwd=where, path=where)


def test_the_floors_hold_for_a_good_house(tmp_path: Path) -> None:
    assert " 0 broken" in check_floors(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("floor", "text"),
    [
        ("model", "import blackstart.world"),
        ("engine", "import blackstart.providers"),
        ("sandbox", "import blackstart.providers"),
        ("reports", "import blackstart.store"),
        ("world", "import blackstart.engine"),
        ("elsewhere", "x = 1"),
    ],
)
def test_the_floors_refuse(floor: str, text: str, tmp_path: Path) -> None:
    assert re.search(r" [1-9] broken", check_floors(tmp_path, GOOD | {floor: text}))
