# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click

from blackstart.planfile.durations import seconds_of

_LEAP_SECOND = re.compile(r"(\d\d:\d\d):60(.*)$")
F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_PLAN = Path("blackstart.yaml")


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


def with_alone(command: F) -> F:
    """Add `--alone`, for one who knows what no mirror can say."""
    return click.option(
        "--alone",
        is_flag=True,
        help="Drive although no mirror answers: you know that it was brought back nowhere else.",
    )(command)


def with_plan(command: F) -> F:
    """Add `--plan`, the plan file."""
    return click.option(
        "--plan",
        "plan_path",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_PLAN,
        envvar="BLACKSTART_PLAN",
        show_default=True,
        help="The plan file.",
    )(command)


def as_json(command: F) -> F:
    """Add `--json`, the same content for programs."""
    return click.option("--json", "in_json", is_flag=True, help="Print JSON.")(command)


def moment_of(text: str) -> datetime:
    """Return the moment that a text names, in UTC. Raises BadParameter."""
    leap = _LEAP_SECOND.sub(r"\1:59\2", text)  # no clock here shows it: it is the one that follows
    try:
        moment = datetime.fromisoformat(leap) + timedelta(seconds=leap != text)
    except ValueError as problem:
        raise click.BadParameter(
            f"'{text}' is no time; write 2026-01-31T03:14:15+00:00"
        ) from problem
    if moment.tzinfo is None:
        raise click.BadParameter(f"'{text}' has no zone; write {text}+00:00 for UTC")
    return moment.astimezone(UTC)


def duration_of(text: str) -> float:
    """Return the seconds of a duration such as 2h30m. Raises BadParameter."""
    if not re.fullmatch(r"([0-9]+(\.[0-9]+)?[dhms])+", text):
        raise click.BadParameter(f"'{text}' is no duration; write 90s, 30m, 2h30m or 1d")
    return seconds_of(text)
