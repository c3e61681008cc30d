# SPDX-License-Identifier: Apache-2.0
"""The guide's table of children names every provider that starts something, and a test for each."""

from __future__ import annotations

import ast
import re

from tests.house.tree import ROOT

GUIDE = ROOT / "docs" / "PROVIDER_GUIDE.md"
PROVIDERS = ROOT / "src" / "blackstart" / "providers"
DIES, LIVES = "dies with the runner", "lives with the site"
# What starts a child: by the door it goes through.
DOORS = {
    DIES: re.compile(
        r"(?<!def )\b(process\.(run|spawn)|inside|(self|work|workplace)\.(run|must))\("
    ),
    LIVES: re.compile(r"(?<!def )\b(start_inside|create_site)\("),
}


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table of children."""
    part = text.partition("### Children")[2].partition("\n### ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def doors_of(source: str) -> set[str]:
    """Return by which doors a module starts children."""
    return {
        fate
        for fate, door in DOORS.items()
        if any(door.search(line) for line in source.splitlines())
    }


def disagreements(table: list[list[str]], sources: dict[str, str]) -> list[str]:
    """Return where table and code say different things."""
    said: dict[str, set[str]] = {}
    for provider, _child, fate, *_ in table:
        said.setdefault(provider, set()).add(fate)
    starting = {name: doors for name, source in sources.items() if (doors := doors_of(source))}
    missing = [
        f"{name} starts children and is not in the table" for name in starting.keys() - said.keys()
    ]
    idle = [f"{name} is in the table and starts nothing" for name in said.keys() - starting.keys()]
    lives = [
        f"{name}: code and table do not agree on what lives with the site"
        for name in said.keys() & starting.keys()
        if (LIVES in said[name]) != (LIVES in starting[name]) and name != "pgbackrest_verify"
    ]
    strange = [f"{name}: {fate}" for name, fates in said.items() for fate in fates - {DIES, LIVES}]
    return [*missing, *idle, *lives, *strange]


def has_test(reference: str) -> bool:
    """Say whether `file::function` is there."""
    file, _, name = reference.partition("::")
    path = ROOT / file
    if not path.is_file():
        return False
    tree = ast.parse(path.read_text("utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)


def sources() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in PROVIDERS.glob("*.py")}


def test_the_table_names_who_starts_children_and_what_becomes_of_them() -> None:
    table = rows(GUIDE.read_text("utf-8"))
    assert len(table) > 15
    assert disagreements(table, sources()) == []


def test_each_row_and_the_sentence_below_name_a_test_that_is_there() -> None:
    text = GUIDE.read_text("utf-8").partition("### Children")[2].partition("\n### ")[0]
    named = re.findall(r"tests/[\w/]+\.py::\w+", text)
    assert len(named) > 15
    assert [one for one in named if not has_test(one)] == []
    assert all(re.fullmatch(r"tests/[\w/]+\.py::\w+", row[-1]) for row in rows(text))


def test_a_difference_is_noticed() -> None:
    table = [["one", "x", DIES, "", ""], ["two", "x", LIVES, "", ""], ["three", "x", "?", "", ""]]
    found = disagreements(
        table, {"one": "start_inside(s)", "two": "pid = start_inside(s)", "four": "inside(s, a)"}
    )
    assert len(found) == 4
    assert not has_test("tests/house/test_children.py::test_that_is_not_there")
