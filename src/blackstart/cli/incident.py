# SPDX-License-Identifier: Apache-2.0
"""Commands about incidents: report, status, answer, timeline, journal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from blackstart.bootstrap import Home, give_answer, incidents, open_home, report_incident
from blackstart.cli.options import as_json, with_home, with_plan
from blackstart.model.codec import to_bytes
from blackstart.model.errors import WorldFailed
from blackstart.model.incident import Incident
from blackstart.model.plan import Mode
from blackstart.model.words import say_duration, say_moment
from blackstart.reports.timeline import timeline as timeline_of


@click.command()
@with_home
@with_plan
@click.argument("systems", nargs=-1, required=True)
@click.option("--summary", required=True, help="What happened, in one sentence.")
@click.option("--since", help="When it began, ISO 8601 with zone; now when left out.")
@click.option("--as", "person", required=True, help="Your id in the plan.")
@click.option("--mode", type=click.Choice([m.value for m in Mode]), default="recovery")
@click.option("--target", default="recovery", show_default=True)
def report(
    home: Path,
    plan_path: Path,
    systems: tuple[str, ...],
    summary: str,
    since: str | None,
    person: str,
    mode: str,
    target: str,
) -> None:
    """Open an incident for one or more SYSTEMS of the plan."""
    opened = open_home(home)
    start = _moment(since) if since else opened.clock.now()
    name = report_incident(
        opened,
        plan_path,
        systems=systems,
        mode=Mode(mode),
        target=target,
        summary=summary,
        outage_start=start,
        by=person,
    )
    click.echo(f"{name} is open. `blackstart agent` drives it; `blackstart status` shows it.")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise click.BadParameter(
            f"'{text}' is no time; write 2026-01-31T03:14:15+00:00"
        ) from problem
    if moment.tzinfo is None:
        raise click.BadParameter(f"'{text}' has no zone; write {text}+00:00 for UTC")
    return moment.astimezone(UTC)


@click.command()
@with_home
@as_json
def status(home: Path, in_json: bool) -> None:
    """Show every incident with what it waits for."""
    opened = open_home(home)
    found = incidents(opened)
    if in_json:
        click.echo(to_bytes([_as_rows(opened, incident) for incident in found]))
        return
    if not found:
        click.echo("There is no incident.")
    for incident in found:
        _show(opened, incident)


def _show(home: Home, incident: Incident) -> None:
    since = home.clock.now() - incident.reported.outage_start
    click.secho(f"{incident.id}  {incident.state}  ({incident.reported.mode})", bold=True)
    click.echo(
        f"  outage since {say_moment(incident.reported.outage_start)}, "
        f"{say_duration(since.total_seconds())} ago"
    )
    for run in incident.runs.values():
        for name, step in run.steps.items():
            if step.started_at:
                click.echo(f"  {run.started.system}  {name:22} {step.state}  {step.reason}")
    for subject, done, total, unit in home.journal.progress(incident.id):
        if done < total:
            click.echo(f"  {subject}: {done:.0f} of {total:.0f} {unit}")
    for ask in incident.open_asks():
        click.secho(f"  ? {ask.opened.ask}: {ask.opened.text}", fg="yellow")
        click.echo(f"    asked: {', '.join(ask.persons)} ({ask.opened.role})")


def _as_rows(home: Home, incident: Incident) -> dict[str, object]:
    return {
        "incident": incident.id,
        "state": incident.state,
        "reported": incident.reported,
        "runs": incident.runs,
        "asks": incident.asks,
        "measures": incident.measures,
        "progress": home.journal.progress(incident.id),
    }


@click.command()
@with_home
@click.argument("incident")
@click.argument("ask")
@click.argument("text")
@click.option("--as", "person", required=True, help="Your id in the plan.")
@click.option("--why", default="", help="The reason, for the record.")
def answer(home: Path, incident: str, ask: str, text: str, person: str, why: str) -> None:
    """Answer the question ASK of INCIDENT with TEXT."""
    give_answer(open_home(home), incident, ask, text, by=person, why=why, how="command")
    click.echo(f"Recorded: {person} answered '{ask}' with '{text}'.")


@click.command()
@with_home
@click.argument("incident", required=False)
def timeline(home: Path, incident: str | None) -> None:
    """Show what happened in INCIDENT (the newest when left out)."""
    opened = open_home(home)
    found = incident or next((i.id for i in reversed(incidents(opened))), None)
    if found is None:
        click.echo("There is no incident.")
        return
    for row in timeline_of(opened.journal.read(found)):
        click.echo(f"{say_moment(row.at)}  {row.who:24} {row.sentence}")


@click.group()
def journal() -> None:
    """Look after the record."""


@journal.command()
@with_home
def verify(home: Path) -> None:
    """Check every chain; name every fault."""
    faults = open_home(home).journal.verify()
    for fault in faults:
        click.secho(fault, fg="red", err=True)
    if faults:
        raise WorldFailed(
            f"The journal has {len(faults)} faults.",
            "Keep this copy as it is; compare it with a mirror before you trust it.",
        )
    click.echo("Every chain is whole.")
