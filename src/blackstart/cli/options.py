# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def default_home() -> Path:
    """Return the folder of the installation when none is named."""
    return Path.home() / ".local" / "state" / "blackstart"


def with_home(command: F) -> F:
    """Add `--home`, the folder of the installation."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        default=default_home,
        envvar="BLACKSTART_HOME",
        help="Folder of the installation: record, evidence, secrets.",
    )(command)


def with_plan(command: F) -> F:
    """Add `--plan`, the plan file."""
    return click.option(
        "--plan",
        "plan_path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("blackstart.yaml"),
        envvar="BLACKSTART_PLAN",
        show_default=True,
        help="The plan file.",
    )(command)


def as_json(command: F) -> F:
    """Add `--json`, the same content for programs."""
    return click.option("--json", "in_json", is_flag=True, help="Print JSON.")(command)
