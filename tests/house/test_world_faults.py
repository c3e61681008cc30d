# SPDX-License-Identifier: Apache-2.0
"""docs/WORLD_FAULTS.md and the tests are in step: no row without a test, no test without a row.

What a row quotes as said to the person must stand in the file of its test, which checks it.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.house.tree import ROOT, assert_none, python_files, read

PAGE = Path("docs/WORLD_FAULTS.md")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
QUOTED = re.compile(r"“([^”]+)”")
FAULTS = """
    disk full: journal; disk full: evidence; read-only disk; journal locked; journal deleted;
    journal swapped; SQLite corruption; two agents; provider times out after the work;
    provider answers garbage; provider answers slowly; provider hangs; 100 MB of errors;
    disk full: target; out of memory; too many open files; DNS half updated;
    site cut off; PostgreSQL refuses; PostgreSQL restarts; PostgreSQL fills up
"""


@dataclass(frozen=True)
class Row:
    """One fault: what the person sees, what follows, and the tests that show it."""

    fault: str
    sees: str
    tests: tuple[tuple[str, str], ...]


def rows_of(page: str) -> list[Row]:
    found = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        tests = tuple(TEST.findall(cells[-1]))
        if line.startswith("|") and tests:
            found.append(Row(cells[0], " ".join(cells[1:-1]), tests))
    return found


def missteps(page: str, sources: dict[str, str], faults: frozenset[str]) -> list[str]:
    """Say what the page and the tests do not agree on."""
    rows = rows_of(page)
    wrong = [f"{PAGE}: no row for '{fault}'" for fault in sorted(faults - {r.fault for r in rows})]
    for row in rows:
        wrong += [
            f"{PAGE}: '{row.fault}': there is no test {name} in {file}"
            for file, name in row.tests
            if f"def {name}(" not in sources.get(file, "")
        ]
        texts = " ".join(" ".join(sources.get(file, "").split()) for file, _ in row.tests)
        wrong += [
            f"{PAGE}: '{row.fault}': no test of it checks for “{quoted}”"
            for quoted in QUOTED.findall(row.sees)
            if quoted not in texts
        ]
    named = {test for row in rows for test in row.tests}
    wrong += [
        f"{PAGE}: no row names {file}::{name}"
        for file, text in sources.items()
        if file.startswith(("tests/faults/test_agent_", "tests/faults/test_world_"))
        for name in re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)
        if (file, name) not in named
    ]
    return wrong


def test_the_page_and_the_tests_are_in_step() -> None:
    sources = {str(file): read(file) for file in python_files("tests/")}
    faults = frozenset(" ".join(one.split()) for one in FAULTS.split(";"))
    assert_none(missteps((ROOT / PAGE).read_text("utf-8"), sources, faults))


def test_each_misstep_is_named() -> None:
    row = "| disk full | “no room” | waits | `tests/faults/test_world_a.py::test_full` |"
    good = {
        "tests/faults/test_world_a.py": 'def test_full() -> None:\n    assert "no room" in said'
    }
    faults = frozenset({"disk full"})
    assert missteps(row, good, faults) == []
    assert len(missteps("", good, faults)) == 2  # the fault has no row, the test has none
    assert len(missteps(row, {"tests/faults/test_world_a.py": ""}, faults)) == 2
    other = {file: text.replace("no room", "x") for file, text in good.items()}
    assert missteps(row, other, faults) == [
        f"{PAGE}: 'disk full': no test of it checks for “no room”"
    ]
