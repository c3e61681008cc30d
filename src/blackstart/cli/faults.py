# SPDX-License-Identifier: Apache-2.0
"""`blackstart faults`: drills with each defect put in, and a table of expected and seen ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from blackstart.cli.outcome import exit_code_of
from blackstart.model.errors import WorldFailed
from blackstart.model.runbook import POLICY_STEPS
from blackstart.sandbox.injection import HEALTHY, Injection, refuses, stops_at
from blackstart.sandbox.injections import INJECTIONS, injection_named

MOST_LANES = 8
_LIMIT_S = 600
_REFUSALS = (4, 8, 9)
_LAST_LINES = 3
_STEPS = tuple(POLICY_STEPS)


class _Seen(msgspec.Struct):
    expected: str
    seen: str


class _Drilled(msgspec.Struct):
    injection: _Seen | None = None


class _Record(msgspec.Struct):
    """What is read of a drill's record.json; the rest is for others."""

    record: _Drilled


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One injection that was really run: the end that was seen, and where its record lies."""

    injection: Injection
    seen: str
    took_s: float
    folder: Path

    @property
    def is_as_expected(self) -> bool:
        """Say whether it ended as its file says."""
        return self.seen == self.injection.expected


def lanes_for(cores: int) -> int:
    """Return how many drills keep this many cores busy: while some wait, another one works."""
    return min(cores + 1, MOST_LANES)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--lanes",
    type=click.IntRange(1, MOST_LANES),
    default=lanes_for(os.cpu_count() or 1),
    show_default=True,
    help="Drills side by side.",
)
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("drill-reports/faults"),
    show_default=True,
)
def faults(names: tuple[str, ...], lanes: int, reports: Path) -> None:
    """Drill with each injected defect (or those named) and compare the ends.

    Exit code 0 only if every end is the expected one, and each drill's own exit code says the same;
    6 otherwise. Each drill's record is kept.
    """
    chosen = [injection_named(name) for name in names or INJECTIONS]
    began_s = time.monotonic()
    with ThreadPoolExecutor(lanes) as pool:
        running = {
            one.name: pool.submit(_try, one, reports / one.name)
            for one in sorted(chosen, key=steps_before_end, reverse=True)
        }
        try:
            trials = [running[one.name].result() for one in chosen]
        except KeyboardInterrupt:  # the drills under way had the same Ctrl-C, and clean up
            pool.shutdown(cancel_futures=True)
            raise
    took_s = time.monotonic() - began_s
    _show(trials, took_s)
    wrong = [trial.injection.name for trial in trials if not trial.is_as_expected]
    if wrong:
        raise WorldFailed(
            f"{len(wrong)} of {len(trials)} did not end as expected: {', '.join(wrong)}.",
            f"Read drill.log and report.html in {reports}/NAME; a check is missing or blind.",
        )


def steps_before_end(injection: Injection) -> int:
    """Return how far a drill goes, so that the long ones begin first and none is left for last."""
    step = injection.expected.removeprefix(stops_at("")).partition(".")[0]
    if injection.expected.startswith(stops_at("")):
        return _STEPS.index(step) if step in _STEPS else 0
    return len(_STEPS) if injection.environment == {} else 0


def _try(injection: Injection, folder: Path) -> Trial:
    """Run one drill in a process of its own and read how it ended."""
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.glob("*/record.json"))
    began_s = time.monotonic()
    command = [sys.executable, "-m", "blackstart", "drill", "--inject", injection.name]
    command += ["--soak", "1", "--delay", "0", "--reports", str(folder)]
    with (folder / "drill.log").open("wb") as log:
        code = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **injection.environment},
            timeout=_LIMIT_S,
        ).returncode
    trial = Trial(
        injection=injection,
        seen=seen_in(folder, before, code),
        took_s=time.monotonic() - began_s,
        folder=folder,
    )
    sign = "ok" if trial.is_as_expected else "NOT AS EXPECTED"
    click.echo(f"{trial.took_s:4.0f} s  {injection.name:28} {trial.seen}  ({sign})")
    return trial


def seen_in(folder: Path, before: set[Path], code: int) -> str:
    """Return the end by the drill's own record; without one it did not begin, or it broke."""
    made = set(folder.glob("*/record.json")) - before
    for path in made:
        found = msgspec.json.decode(path.read_bytes(), type=_Record).record.injection
        if found is not None:
            wrong = found.seen == found.expected and code != exit_code_of(found.seen)
            return (
                f"{found.seen}, and the drill ended with exit code {code}" if wrong else found.seen
            )
    if code in _REFUSALS:
        return refuses(code)
    lines = (folder / "drill.log").read_text("utf-8", "replace").splitlines()
    last = " ".join(line.strip() for line in lines[-_LAST_LINES:])
    return f"no record, exit code {code}: {last}"


def _show(trials: Sequence[Trial], took_s: float) -> None:
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for title in ("", "Injected", "Expected end", "Seen end", "Took"):
        table.add_column(title, justify="right" if title == "Took" else "left", overflow="fold")
    for trial in trials:
        sign, style = ("✓", "") if trial.is_as_expected else ("✗", "bold red")
        name, expected = trial.injection.name, trial.injection.expected
        table.add_row(sign, name, expected, trial.seen, f"{trial.took_s:.0f} s", style=style)
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
    healthy = sum(trial.seen.startswith(HEALTHY) for trial in trials)
    good = sum(trial.is_as_expected for trial in trials)
    click.echo(
        f"{good} of {len(trials)} ended as expected; {healthy} announced as healthy; "
        f"{took_s / 60:.1f} min in all"
    )
