# SPDX-License-Identifier: Apache-2.0
"""Each rule of the house is proven both ways: it lets the good through and catches the bad."""

import pytest

from tests.house import rules, shells, texts

SIGNATURE = "def f():\n"
LONG = SIGNATURE + "    x = 1\n" * 40
VERY_LONG = SIGNATURE + "    x = 1\n" * 70
PINNED = "click==8.1.0 \\\n    --hash=sha256:00\n"
IN_LOCK = '{"packages": {"": {}, "node_modules/a": {"version": "1.0.0", "integrity": "sha512-0"}}}'

SAMPLES: list[tuple[rules.Rule, str, str]] = [
    (rules.module_length, "x = 1\n" * 400, "x = 1\n" * 401),
    (rules.function_length_hard, LONG, VERY_LONG),
    (rules.banned_names, "class Ledger: ...", "class LedgerManager: ..."),
    (rules.banned_names, "class Database: ...", "class Utils: ..."),
    (rules.banned_names, "def read_line(): ...", "def read_data(): ..."),
    (rules.banned_names, "def end_process(): ...", "def process_line(): ..."),
    (rules.banned_names, "def f(line: str): ...", "def f(line_info: str): ..."),
    (rules.banned_names, "class A:\n    line: str", "class A:\n    line_data: str"),
    (rules.units_last, "def f(timeout_s: float): ...", "def f(timeout: float): ..."),
    (rules.units_last, "class A:\n    done_bytes: int", "class A:\n    bytes_done: int"),
    (rules.units_last, "def f(timeout: timedelta): ...", "def f(max_delay: int | None): ..."),
    (rules.doubles, "monkeypatch.setenv('A', 'b')", "monkeypatch.setattr(a, 'b', 1)"),
    (rules.doubles, "from unittest import TestCase", "from unittest import mock"),
    (rules.doubles, "import mocks", "import unittest.mock"),
    (rules.doubles, "fake = Fake()", "fake = MagicMock()"),
    (rules.sleeps, "event.wait(1)", "time.sleep(1)"),
    (rules.sleeps, "from time import monotonic", "from time import sleep"),
    (rules.assertion_free_tests, "def test_a():\n    assert f()", "def test_a():\n    f()"),
    (
        rules.assertion_free_tests,
        "def test_a():\n    with pytest.raises(E):\n        f()",
        "def test_a():\n    pass",
    ),
    (
        rules.assertion_free_tests,
        "def test_a():\n    assert_same(1, 1)",
        "class T:\n    def test_a(self):\n        f()",
    ),
    (
        rules.assertion_free_tests,
        "def test_a():\n    same(1)\n\ndef same(a):\n    assert a",
        "def test_a():\n    same(1)\n\ndef same(a):\n    return a",
    ),
    (rules.impure_imports, "import re", "import os"),
    (rules.impure_imports, "from datetime import datetime", "from urllib.parse import quote"),
    (rules.impure_imports, "from pathlib import PurePosixPath", "from pathlib import Path"),
    (rules.impure_imports, "def f(now):\n    return now", "def f():\n    return datetime.now(UTC)"),
    (rules.impure_imports, "f(1)", "open('f')"),
    (rules.raw_dicts, "x: dict[str, int]", "x: dict[str, Any]"),
    (rules.raw_dicts, "x: Mapping[str, Part]", "def f(x: Mapping[str, object]): ..."),
    (rules.thread_sleeps, "await asyncio.sleep(1)", "time.sleep(1)"),
    (rules.sleeps, "event.wait(1)", "asyncio.sleep(1)"),
    (
        rules.deaf_waits,
        "from blackstart.providers.limits import wait_within",
        "from blackstart.world.clock import wait_until",
    ),
    (rules.late_imports, "import os\n\ndef f(): ...", "def f():\n    import os"),
    (rules.missing_docstrings, '"""A."""\n\ndef f():\n    """Do f."""', '"""A."""\n\ndef f(): ...'),
    (rules.missing_docstrings, '"""A."""\n\ndef _f(): ...', "x = 1"),
    (shells.shell_strings, "run(['ls', path])", "run(f'ls {path}', shell=True)"),
    (shells.shell_strings, "run(words, shell=False)", "run(words, shell=is_text)"),
    (shells.shell_strings, "os.listdir('.')", "os.system('ls')"),
    (
        shells.shell_strings,
        "run(['sh', '-c', 'ls \"$0\"', path])",
        "run(['sh', '-c', f'ls {path}'])",
    ),
    (
        shells.shell_strings,
        "s = 'ls'\nx = ['bash', '-ec', s]",
        "s = 'ls ' + p\nx = ['bash', '-ec', s]",
    ),
    (
        shells.shell_strings,
        "s = 'ls'\nx = ['/bin/sh', '-c', s]",
        "def f(s):\n    x = ['/bin/sh', '-c', s]",
    ),
    (texts.outside_names, "see the registry", "see https://pypi" + ".org/simple"),
    (texts.outside_names, "cd ./work/", "cd /wo" + "rk/main"),
    (texts.outside_names, "/srv/root/x and ~/root/", "HOME=/ro" + "ot/x"),
    (texts.outside_names, "authored by many", "Co-auth" + "ored-by: someone"),
    (texts.licence_line, f"# {texts.LICENCE}\nx = 1", "x = 1"),
    (
        texts.licence_line,
        f"#!/usr/bin/env bash\n# {texts.LICENCE}\n",
        "#!/usr/bin/env bash\nset -e\n",
    ),
    (texts.locked_places, '"version": "1.0.0"', '"resolved": "https://example.com/a.tgz"'),
    (texts.locked_places, PINNED, "--index-url https://example.com\n" + PINNED),
    (texts.unpinned, PINNED, "click>=8.1\n"),
    (texts.unpinned, PINNED, "click==8.1.0\n"),
    (texts.lock_without_integrity, IN_LOCK, IN_LOCK.replace(', "integrity": "sha512-0"', "")),
]


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    SAMPLES,
    ids=[f"{rule.__name__}-{number}" for number, (rule, _, _) in enumerate(SAMPLES)],
)
def test_rule_lets_the_good_through_and_catches_the_bad(
    rule: rules.Rule, good: str, bad: str
) -> None:
    assert rule(good) == []
    found = rule(bad)
    assert found
    assert all(finding.line >= 1 for finding in found)


def test_a_function_over_the_soft_limit_is_named_with_its_class() -> None:
    assert rules.long_functions(LONG.replace("x", "y", 1)) == [(1, "f", 41)]
    inside = "class A:\n" + "".join(f"    {line}\n" for line in LONG.splitlines())
    assert rules.long_functions(inside) == [(2, "A.f", 41)]
    assert rules.long_functions(SIGNATURE + "    x = 1\n" * 39) == []


@pytest.mark.parametrize(
    ("kind", "comment"),
    [
        ("noqa", "# no" + "qa: E501"),
        ("noqa", "# ruff: no" + "qa"),
        ("type-ignore", "# type: ig" + "nore[arg-type]"),
        ("no-cover", "# pragma: no c" + "over"),
        ("nosec", "# no" + "sec"),
        ("format-off", "# fmt: o" + "ff"),
    ],
)
def test_a_waiver_counts_in_a_comment_but_not_in_a_string(kind: str, comment: str) -> None:
    assert rules.waivers(f"x = 1  {comment}\n")[kind] == [1]
    assert rules.waivers(f"x = {comment!r}\n")[kind] == []


def test_a_skipped_test_counts_as_a_waiver() -> None:
    assert rules.waivers("pytest.skip('later')\n@pytest.mark.xfail\ndef f(): ...\n")["skip"] == [
        1,
        2,
    ]
    assert rules.waivers("buffer.skip(3)\n@pytest.mark.platform\ndef f(): ...\n")["skip"] == []


def test_a_dependency_without_a_record_is_named() -> None:
    record = "# 1. A record\n\nDependency: `click`, rich\n"
    assert texts.undocumented_dependencies(["click", "rich"], [record]) == []
    assert texts.undocumented_dependencies(["click", "httpx"], [record]) == ["httpx"]


def test_the_packages_imported_are_seen_wherever_they_stand() -> None:
    source = "import a.b\nfrom c.d import e\n\ndef f():\n    import g\n"
    assert rules.imported_packages(source) == {"a", "c", "g"}
