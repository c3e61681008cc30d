# SPDX-License-Identifier: Apache-2.0
"""What people build upon from outside: exit codes, shipped units, completion, proofs of backups."""

import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from blackstart.cli import COMMANDS, group
from blackstart.model import errors

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("blackstart")
CODES = {
    "BlackstartError": 1,
    "RecoveredDegraded": 3,
    "Refused": 4,
    "IllegalMove": 4,
    "NotAuthorised": 4,
    "Superseded": 4,
    "Stopped": 5,
    "WorldFailed": 6,
    "JournalFailed": 7,
    "JournalUnavailable": 7,
    "JournalLost": 7,
    "MirrorFailed": 6,
    "Unready": 8,
    "PlanRejected": 9,
}


def test_exit_codes_are_frozen() -> None:
    found = {
        name: each.exit_code
        for name, each in vars(errors).items()
        if isinstance(each, type) and issubclass(each, errors.BlackstartError)
    }
    assert found == CODES


def test_every_exit_code_is_explained_in_help_and_operations() -> None:
    help_text = " ".join(CliRunner().invoke(group, ["--help"]).output.split())
    page = (ROOT / "docs" / "OPERATIONS.md").read_text()
    for code in sorted(set(CODES.values()) - {1}):
        assert f"{code} " in help_text
        assert f"| {code} |" in page


def test_the_operations_page_names_every_command() -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text()
    assert [name for name in COMMANDS if f"`{name}" not in page] == []


@pytest.mark.parametrize("unit", ["blackstart-agent.service", "blackstart-watch@.service"])
def test_a_unit_runs_a_command_that_exists_and_keeps_the_folder_private(unit: str) -> None:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.read(ROOT / "packaging" / unit)
    words = parser["Service"]["ExecStart"].split()
    assert words[1] in COMMANDS
    asked = CliRunner().invoke(group, [words[1], "--help"])
    assert all(word in asked.output for word in words if word.startswith("--"))
    assert parser["Service"]["StateDirectoryMode"] == "0700"
    assert parser["Service"]["UMask"] == "0077"


def completed(words: str) -> list[str]:
    """Return what bash is offered for the last word."""
    environment = {
        **os.environ,
        "_BLACKSTART_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run([COMMAND], env=environment, capture_output=True, text=True, check=False)
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_the_shell_completes_commands_and_options() -> None:
    assert completed("blackstart ackn") == ["acknowledge"]
    assert completed("blackstart step re") == ["retry"]
    assert "--watch" in completed("blackstart status --w")


def test_what_only_a_drill_proves_is_said_and_is_no_failure(tmp_path: Path) -> None:
    text = (ROOT / "examples" / "flowfuse" / "blackstart.yaml").read_text()
    plan = tmp_path / "blackstart.yaml"
    plan.write_text(text.replace("check: pgbackrest.verify_point", "check: verify_platform.counts"))
    words = ["backups", "verify", "flowfuse-cloud", "--home", str(tmp_path / "home")]
    done = CliRunner().invoke(group, [*words, "--plan", str(plan)])
    assert done.exit_code == 0, done.output
    assert "database: a drill proves it (verify_platform.counts)" in done.output
