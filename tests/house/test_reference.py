# SPDX-License-Identifier: Apache-2.0
"""The reference pages say what the code says."""

import subprocess
import sys

import pytest

from tests.house.tree import ROOT, assert_none, read, tracked


def test_the_pages_are_up_to_date() -> None:
    argv = [sys.executable, "scripts/reference.py", "--check"]
    done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def test_every_verb_says_what_it_does() -> None:
    (page,) = [file for file in tracked() if str(file) == "docs/reference/verbs.md"]
    entries = read(page).split("\n## ")[1:]
    assert entries
    silent = [entry.splitlines()[0] for entry in entries if ".* \n" in entry]
    assert_none([f"{name}: give its class a docstring, then make docs" for name in silent])
