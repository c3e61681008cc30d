# SPDX-License-Identifier: Apache-2.0
"""Prose fits the terminal; a pipe gets whole lines."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from blackstart.cli.lines import broken, fitted

EXAMPLE = Path(__file__).parents[2] / "examples" / "webapp" / "blackstart.yaml"
COLUMNS = 60
SHOW = [sys.executable, "-m", "blackstart", "show", "--plan", str(EXAMPLE)]


def test_a_line_is_broken_between_words_and_stays_under_its_column() -> None:
    assert broken("  do         make the new environment", 30, 13) == (
        "  do         make the new\n             environment"
    )


def test_a_short_line_and_a_long_word_stay_whole() -> None:
    assert broken("  a   b", 40, 2) == "  a   b"
    path = "/srv/" + "deep/" * 20
    assert path in broken(f"see {path}", 40, 2)


def test_a_command_to_copy_stays_whole() -> None:
    command = f"    blackstart answer {'x' * 60} TEXT --as YOU"
    assert fitted(command) == command


def test_a_pipe_gets_whole_lines(capsys: pytest.CaptureFixture[str]) -> None:
    line = "word " * 100
    assert fitted(line) == line
    assert capsys.readouterr().out == ""


def test_at_a_terminal_nothing_is_wider_than_it() -> None:
    near, far = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(SHOW, stdin=far, stdout=far, stderr=far, env=environment) as shown:
        os.close(far)
        said = b""
        try:
            while part := os.read(near, 65_536):
                said += part
        except OSError:  # the terminal is closed with its last program
            pass
        os.close(near)
    assert shown.returncode == 0
    lines = said.decode().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert len(lines) > 20
    assert [line for line in lines if len(line) > COLUMNS] == []
    piped = subprocess.run(SHOW, capture_output=True, check=True, env=environment).stdout.decode()
    assert any(len(line) > COLUMNS for line in piped.splitlines())
