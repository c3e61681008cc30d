# SPDX-License-Identifier: Apache-2.0
"""`blackstart drill`: loses a real FlowFuse on this machine and brings it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.text import Text

from blackstart.bootstrap import open_home
from blackstart.cli.ending import Counted, count_loss, keep_traces
from blackstart.cli.follow import Followed, answer_after, ask_at_terminal, follow
from blackstart.cli.outcome import (
    exit_code_of,
    make_record,
    seen_end,
    with_injection,
    write_reports,
)
from blackstart.cli.showing import make_console, make_view, prompt_at_terminal, show_end
from blackstart.cli.signals import Interrupts, ending_plainly
from blackstart.cli.stage import (
    Stage,
    end_blackstart,
    look_after,
    peak_memory_bytes,
    prove_again,
    set_stage,
    start_haunting,
)
from blackstart.cli.telling import faults_of_telling
from blackstart.cli.typed import TypedLines
from blackstart.model.errors import RecoveredDegraded, Refused, Stopped, WorldFailed
from blackstart.model.incident import fold
from blackstart.reports.record import DrillRecord
from blackstart.sandbox.disaster import destroy_database, destroy_production
from blackstart.sandbox.doorway import open_doorway
from blackstart.sandbox.injection import Injection
from blackstart.sandbox.layout import RECOVERY, Layout, cache_folder, new_run
from blackstart.sandbox.packages import require_host
from blackstart.sandbox.sweep import remove_run, sweep
from blackstart.sandbox.systems import SYSTEMS
from blackstart.sandbox.writer import stop_writer
from blackstart.world.sites import load_site

ASKING_LIMIT_S = 24 * 3600.0
DISASTERS = {"production": destroy_production, "database": destroy_database}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person wants of this drill."""

    system: str
    disaster: str
    injection: Injection | None
    decide: str
    delay_s: float
    soak_s: float
    keep: bool
    expects_stop: bool
    reports: Path
    limit_s: float = 600.0


@click.command()
@click.option(
    "--system",
    type=click.Choice(list(SYSTEMS)),
    default="flowfuse",
    show_default=True,
    help="What is lost: FlowFuse, or a plain PostgreSQL and web application (Kinto).",
)
@click.option("--disaster", type=click.Choice(list(DISASTERS)), default="production")
@click.option("--inject", metavar="NAME", help="Put a defect in; 'list' shows what there is.")
@click.option(
    "--decide",
    type=click.Choice(["auto", "ask"]),
    default="auto",
    help="auto: answers itself after a delay (in this sandbox only). ask: you are the CTO.",
)
@click.option("--delay", "delay_s", type=float, default=1.0, help="Seconds before auto answers.")
@click.option("--soak", "soak_s", type=float, default=8.0, help="Seconds of life before the loss.")
@click.option(
    "--limit", "limit_s", type=float, default=600.0, help="Seconds until auto gives a drill up."
)
@click.option("--keep", is_flag=True, help="Leave the recovered platform running.")
@click.option("--expect-stop", "expects_stop", is_flag=True, help="0 if it ended as --inject says.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("drill-reports"),
    show_default=True,
)
def drill(system: str, inject: str | None, **options: object) -> None:
    """Stand up a real FlowFuse (or another system), destroy it, recover it, and report.

    Exit code 0 only if every step was verified and nothing fell short; 3 when it recovered and
    something did; 5 when the recovery stopped.
    """
    if inject == "list":
        for one in SYSTEMS[system].injections.values():
            click.echo(f"{one.name:28} {one.expected}\n{'':28} {one.what}")
        return
    injection = _injection_named(system, inject) if inject else None
    choices = Choices(system=system, injection=injection, **options)  # type: ignore[arg-type]
    if choices.expects_stop and injection is None:
        raise click.UsageError("--expect-stop goes with --inject")
    _run(choices)


def _injection_named(system: str, name: str) -> Injection:
    known = SYSTEMS[system].injections
    if name not in known:
        raise Refused(
            f"There is no injection {name!r} for {system}.", f"Use one of: {', '.join(known)}."
        )
    return known[name]


def _run(choices: Choices) -> None:
    require_host()
    with ending_plainly() as interrupts:
        cache = cache_folder()
        for left in sweep(cache).removed:
            click.echo(f"removed what an earlier drill left: {left}")
        ready = SYSTEMS[choices.system].make_ready
        drilled = ready(cache, click.echo, interrupts.stop.is_set)
        with passing_run(cache) as layout:
            stage = set_stage(layout, drilled, click.echo, keep=choices.keep)
            with interrupts.polled():
                _lose_and_recover(stage, choices, interrupts)


@contextmanager
def passing_run(cache: Path) -> Iterator[Layout]:
    """Own the folder of a run; at the end, however it comes, remove all of it unless kept."""
    with new_run(cache) as layout:
        try:
            yield layout
        finally:
            if not layout.keep.exists():
                remove_run(layout.root)
                click.echo("cleaned up: no process, namespace, mount or folder of it is left")


def _lose_and_recover(stage: Stage, choices: Choices, interrupts: Interrupts) -> None:
    click.echo(f"production lives for {choices.soak_s:g} s while users write to it")
    if interrupts.stop.wait(choices.soak_s):
        raise KeyboardInterrupt
    if choices.injection:
        _inject(stage, choices.injection)
    destroyed = DISASTERS[choices.disaster](stage.layout)
    click.secho(
        f"{destroyed.at:%H:%M:%S} UTC  the {choices.disaster} is gone "
        f"({destroyed.processes} processes killed, its files removed)",
        fg="red",
        bold=True,
    )
    followed = Followed(home=open_home(stage.home))
    try:
        cut = _follow(stage, followed, choices, interrupts)
        counted = count_loss(
            followed.incident, stage.layout.writer, destroyed, lambda: _written(stage)
        )
        record = _report(stage, followed, choices, counted)
    finally:
        keep_traces(stage, _folder(stage, followed, choices))
    if stage.agent.ends or stage.watch.ends:
        click.echo(
            f"started again after its death: the agent {stage.agent.ends} times, "
            f"the watch {stage.watch.ends} times"
        )
    if cut:
        raise cut
    _keep(stage, choices)
    _judge(stage, record, choices, counted)


def _inject(stage: Stage, injection: Injection) -> None:
    """Put the defect in; what goes on during the recovery lives in a process of its own."""
    injection.prepare(stage.layout)
    if injection.proves_again:
        prove_again(stage, click.echo)
    injection.inject(stage.layout)
    if injection.haunt:
        start_haunting(stage.layout, injection.name)
    click.echo(f"injected: {injection.what}")


def _written(stage: Stage) -> frozenset[int]:
    stop_writer(stage.writer)
    return stage.drilled.read_written(stage.layout, stage.outside)


def _follow(
    stage: Stage, followed: Followed, choices: Choices, interrupts: Interrupts
) -> BaseException | None:
    """Follow the drill to its end; return what cut it short, if anything did."""
    console = make_console()
    view = make_view(console, followed, choices.disaster)
    answer = answer_after(choices.delay_s)
    if choices.decide == "ask":
        typed = TypedLines(interrupts.stop)
        answer = ask_at_terminal(
            lambda ask: prompt_at_terminal(console, view, followed, ask, typed),
            lambda said: console.print(Text(said, style="red")),
        )
    try:
        with view:
            follow(
                followed,
                answer=answer,
                is_alive=lambda: look_after(stage, is_reported=bool(followed.id)),
                show=view.refresh,
                limit_s=choices.limit_s if choices.decide == "auto" else ASKING_LIMIT_S,
                stop=interrupts.stop,
                ends_early=choices.injection is not None,
            )
    except Stopped as stopped:
        return stopped
    except (KeyboardInterrupt, click.Abort):
        folder = _folder(stage, followed, choices)
        return KeyboardInterrupt(
            f"Interrupted: the report so far, logs and record are in {folder}."
        )
    return None


def _report(stage: Stage, followed: Followed, choices: Choices, counted: Counted) -> DrillRecord:
    """Write and show what is known, also when the drill was cut short."""
    followed.read()
    record = make_record(
        followed,
        peak_memory=peak_memory_bytes(stage.agent.pid),
        loss=counted.loss,
    )
    if choices.injection and followed.incident:
        record = with_injection(record, choices.injection, stage.layout, followed.incident)
    end_blackstart(stage)
    paths = write_reports(record, followed, _folder(stage, followed, choices))
    show_end(make_console(), record, paths)
    return record


def _folder(stage: Stage, followed: Followed, choices: Choices) -> Path:
    """Return where this drill's reports go; without an incident they bear the name of the run."""
    return choices.reports / (followed.id or f"run-{stage.layout.root.name}")


def _keep(stage: Stage, choices: Choices) -> None:
    site = load_site(stage.layout.sites, RECOVERY)
    if not choices.keep or site is None:
        return
    stage.layout.keep.touch()
    doorway = open_doorway(stage.layout, site, public_name=stage.drilled.public_name)
    click.echo(f"kept: {doorway.directions}\nremove it with `blackstart sandbox down`")


def _judge(stage: Stage, record: DrillRecord, choices: Choices, counted: Counted) -> None:
    """Raise what the exit code must say; whoever was told falsely that all is well counts first."""
    incident = fold(record.facts)
    faults = faults_of_telling(stage.layout, incident)
    if faults:
        raise WorldFailed(f"The witnesses disagree: {'; '.join(faults)}.", "Read both records.")
    if record.journal_faults:
        raise WorldFailed(
            f"The journal has {len(record.journal_faults)} faults.", record.journal_faults[0]
        )
    judge_loss(record, counted)
    if choices.injection and record.injection:
        judge_injection(record, choices)
        return
    judge_end(seen_end(record, incident), "")


def judge_loss(record: DrillRecord, counted: Counted) -> None:
    """Raise WorldFailed when the loss could not be counted or more is there than was written."""
    if counted.problem:
        raise WorldFailed(counted.problem, "The recovery is not proven: read the report, look why.")
    if record.loss and record.loss.surplus:
        raise WorldFailed(
            f"{record.loss.surplus} rows are there that nobody wrote.", "The restore mixed data."
        )


def judge_injection(record: DrillRecord, choices: Choices) -> None:
    """Raise unless the defect was caught where it should be and nobody was told otherwise."""
    injection = record.injection
    if injection and injection.false_news:
        raise WorldFailed(
            f"Users were told that all is well: {'; '.join(injection.false_news)}.",
            "Tell them what is true; that it could be sent is a defect of Blackstart.",
        )
    if injection is None or not injection.is_caught:
        expected, seen = (injection.expected, injection.seen) if injection else ("?", "no end")
        raise WorldFailed(
            f"The defect should have led to: {expected}. Seen: {seen}.",
            "A check is missing or blind: this is a defect of Blackstart.",
        )
    if choices.expects_stop:
        click.echo(f"{injection.seen}, as it should; nobody was told all is well when it is not")
        return
    judge_end(injection.seen, ", as the injected defect demands")


def judge_end(end: str, why: str) -> None:
    """Raise what the end means for the exit code; return when all is whole."""
    code = exit_code_of(end)
    if code == RecoveredDegraded.exit_code:
        raise RecoveredDegraded(
            f"The recovery {end}{why}.",
            "Users are served again. The report says what is not whole: decide on each.",
        )
    if code:
        raise Stopped(
            f"The recovery {end}{why}.",
            "In earnest: put right what the report names, then answer `retry`.",
        )


@click.group()
def sandbox() -> None:
    """Look after what drills leave on this machine."""


@sandbox.command()
def down() -> None:
    """Remove every drill's leftovers, also what was kept."""
    swept = sweep(cache_folder(), kept=True)
    click.echo(f"removed {len(swept.removed)} runs")
