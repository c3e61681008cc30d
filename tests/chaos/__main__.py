# SPDX-License-Identifier: Apache-2.0
"""`make chaos`: plays days with real deaths, shows progress, prints a table with the seeds."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
from rich import box
from rich.console import Console
from rich.table import Table

from blackstart.bootstrap import open_home
from blackstart.reports.timeline import timeline
from tests.chaos.day import Day, drawn, play_day
from tests.chaos.deaths import IS_OF_AGENT, Kind
from tests.chaos.drills import play_drill
from tests.chaos.quick import SYSTEM
from tests.postgres_bench import running_postgres

_STORY_LINES = 40


@click.command()
@click.option("--days", type=int, default=6, show_default=True, help="Quick days to play.")
@click.option("--day", type=int, help="Only this day of the seed, to see it again.")
@click.option("--seed", type=int, default=7, show_default=True)
@click.option("--lanes", type=int, default=3, show_default=True, help="Days side by side.")
@click.option("--drills", type=int, default=0, help="Real drills instead, one after the other.")
@click.option("--drill", type=int, help="Only this drill of the seed, to see it again.")
@click.option("--keep", is_flag=True, help="Keep the folders.")
def main(
    days: int, day: int | None, seed: int, lanes: int, drills: int, drill: int | None, *, keep: bool
) -> None:
    """Kill the real processes at seeded moments, and count what is left in the world.

    Exit code 0 when every one came to the end of the undisturbed one, 1 otherwise.
    """
    folder = Path(tempfile.mkdtemp(prefix="blackstart-chaos-"))
    folder.chmod(0o755)  # for the users of the sites
    if drills or drill:
        failed = run_drills(folder, seed, [drill] if drill else range(1, drills + 1))
    else:
        failed = run_days(folder, seed, [day] if day else range(1, days + 1), lanes)
    if failed or keep:
        click.echo(f"the folders are in {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(int(bool(failed)))


def run_days(folder: Path, seed: int, numbers: Sequence[int], lanes: int) -> int:
    """Play quick days, print the table and the stories; return how many went wrong."""
    played = play(folder, seed, numbers, lanes)
    show(played, seed)
    failed = [one for one in played if one.problems]
    for one in failed:
        tell(one, seed)
    return len(failed)


def run_drills(folder: Path, seed: int, numbers: Sequence[int]) -> int:
    """Run real drills one after the other, print the table; return how many went wrong."""
    played = []
    for number in numbers:
        played.append(play_drill(folder, seed=seed, number=number))
        one = played[-1]
        verdict = "; ".join(one.problems) or "same verified end"
        click.echo(f"{one.took_s:5.0f} s  drill {number:2}  {one.killed} killed  {verdict}")
    table = _table(
        "Seed", "Killed", "Who: where", "Exit", "Writes lost", "At once", "Took", "Verdict"
    )
    for one in played:
        table.add_row(
            f"{seed}/{one.number}",
            str(one.killed),
            "\n".join(one.dealt),
            str(one.code),
            one.lost,
            ", ".join(f"{name} {n}" for name, n in one.most.items()),
            f"{one.took_s:.0f} s",
            "; ".join(one.problems) or "same verified end",
            style="bold red" if one.problems else "",
        )
    _print(table)
    failed = [one for one in played if one.problems]
    click.echo(
        f"{sum(one.killed for one in played)} processes killed in {len(played)} drills; "
        f"{len(played) - len(failed)} came to the same verified end"
    )
    for one in failed:
        click.echo(f'again: make chaos ARGS="--seed {seed} --drill {one.number} --keep"')
    return len(failed)


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _print(table: Table) -> None:
    console = Console()
    (console if console.is_terminal else Console(width=180)).print(table)


def play(folder: Path, seed: int, numbers: Sequence[int], lanes: int) -> list[Day]:
    """Play the undisturbed day, then the others side by side."""
    with running_postgres(folder / "postgres") as server:
        calm = play_day(folder, server, seed=seed, number=0, ahead=[], undisturbed=None)
        _progress(calm)
        with ThreadPoolExecutor(lanes) as pool:
            running = [
                pool.submit(
                    play_day,
                    folder,
                    server,
                    seed=seed,
                    number=number,
                    ahead=drawn(seed, number),
                    undisturbed=calm.end,
                )
                for number in numbers
            ]
            days = [calm]
            for one in running:
                days.append(one.result())
                _progress(days[-1])
    return days


def _progress(day: Day) -> None:
    name = f"day {day.number}" if day.number else "undisturbed"
    verdict = "same end" if not day.problems else "; ".join(day.problems)[:200]
    click.echo(f"{day.took_s:5.0f} s  {name:12} {len(day.dealt):2} deaths  {verdict}")


def show(days: list[Day], seed: int) -> None:
    """Print the table."""
    table = _table("Seed", "Deaths", "Where", "End", "Effects", "Took", "Verdict")
    for day in days:
        where = Counter(place for one in day.dealt for place in one.where.split(", "))
        unsure = ", ".join(sorted(day.end.uncertain)) if day.end else ""
        table.add_row(
            f"{seed}/{day.number}" if day.number else "undisturbed",
            str(len(day.dealt)),
            ", ".join(f"{place} {n}" for place, n in sorted(where.items())),
            f"{day.end.state if day.end else '?'}" + (f", uncertain in {unsure}" if unsure else ""),
            str(day.effects),
            f"{day.took_s:.0f} s",
            "same end" if not day.problems else "NOT THE SAME: " + "; ".join(day.problems),
            style="bold red" if day.problems else "",
        )
    _print(table)
    kinds = Counter(one.death.kind for day in days for one in day.dealt)
    click.echo(
        f"{sum(n for kind, n in kinds.items() if kind in IS_OF_AGENT)} deaths of the agent "
        f"({kinds[Kind.KILL] + kinds[Kind.TREE] + kinds[Kind.REBOOT]} by kill -9), "
        f"{kinds[Kind.CHILD]} of children, {kinds[Kind.PERSON]} of commands; "
        f"{sum(not day.problems for day in days)} of {len(days)} days came to the same end"
    )


def tell(day: Day, seed: int) -> None:
    """Print the story of a day that went wrong, and how to see it again."""
    click.echo(f"\n--- seed {seed}, day {day.number}: {'; '.join(day.problems)}")
    for one in day.dealt:
        click.echo(f"  {one}")
    home = open_home(day.folder / "home")
    chain = next((name for name in home.journal.chains() if SYSTEM in name), "")
    for row in timeline(home.journal.read(chain))[-_STORY_LINES:] if chain else ():
        click.echo(
            f"  {row.at:%H:%M:%S}.{row.at.microsecond // 1000:03}  {row.who:24} {row.sentence}"
        )
    click.echo(f'  again: make chaos ARGS="--seed {seed} --day {day.number} --keep"')
    click.echo(f"  its folder: {day.folder}")


if __name__ == "__main__":
    main()
