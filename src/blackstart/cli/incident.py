# SPDX-License-Identifier: Apache-2.0
"""Commands about incidents: report, answer, timeline, postmortem, recover, journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from blackstart.bootstrap import (
    Home,
    house_of,
    incident_named,
    open_home,
    report_incident,
)
from blackstart.cli.driving import say, stop_on_signals
from blackstart.cli.lines import fitted
from blackstart.cli.options import (
    as_json,
    duration_of,
    moment_of,
    with_alone,
    with_home,
    with_plan,
)
from blackstart.cli.ordering import Asked, news_of, people_of
from blackstart.cli.standing import ask_named, every, find
from blackstart.cli.steps import kept, outputs_of
from blackstart.cli.typed import fitting
from blackstart.engine.decide import is_waiting
from blackstart.engine.runner import drive
from blackstart.model.asks import answer as answered
from blackstart.model.codec import to_bytes
from blackstart.model.errors import (
    RecoveredDegraded,
    Refused,
    Stopped,
)
from blackstart.model.incident import Incident
from blackstart.model.plan import Mode
from blackstart.model.states import IncidentState, StepState
from blackstart.model.words import say_moment
from blackstart.reports.timeline import timeline as timeline_of


@click.command()
@with_home
@with_plan
@click.argument("systems", nargs=-1, required=True)
@click.option("--summary", required=True, help="What happened, in one sentence.")
@click.option("--since", help="When it began, ISO 8601 with zone; now when left out.")
@click.option("--as", "person", required=True, envvar="BLACKSTART_AS", help="Your id in the plan.")
@click.option("--mode", type=click.Choice([m.value for m in Mode]), default="recovery")
@click.option("--target", default="recovery", show_default=True)
@as_json
def report(
    home: Path,
    plan_path: Path,
    systems: tuple[str, ...],
    summary: str,
    since: str | None,
    person: str,
    mode: str,
    target: str,
    in_json: bool,
) -> None:
    """Open an incident for one or more SYSTEMS of the plan."""
    opened = open_home(home)
    start = moment_of(since) if since else opened.clock.now()
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
    opened.mirrors.ship_once(say)
    if in_json:
        click.echo(to_bytes({"incident": name}))
        return
    click.echo(f"{name} is open. `blackstart agent` drives it; `blackstart status` shows it.")


def newest_or(home: Home, incident: str | None) -> str:
    """Return the name of the incident, of the newest when none is named. Raises Refused."""
    if incident:
        return find(home.journal, incident).id
    found = every(home.journal)
    if not found:
        raise Refused("There is no incident.", "`blackstart report` opens one.")
    return found[-1].id


@click.command()
@with_home
@click.argument("incident")
@click.argument("ask")
@click.argument("text")
@click.option("--output", "outputs", multiple=True, metavar="NAME=VALUE")
@click.option(
    "--evidence",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file that shows it; may be repeated.",
)
@click.option("--as", "person", required=True, envvar="BLACKSTART_AS", help="Your id in the plan.")
@click.option("--why", default="", help="The reason, for the record.")
@click.option("--for", "lasting", default="", help="How long something may go on, such as 30m.")
@as_json
def answer(
    home: Path,
    incident: str,
    ask: str,
    text: str,
    outputs: tuple[str, ...],
    files: tuple[Path, ...],
    person: str,
    why: str,
    lasting: str,
    in_json: bool,
) -> None:
    """Answer the question ASK of INCIDENT ('.' is the only open one) with TEXT.

    A part of the question's name will do where only one has it (the step, say), and of an option
    its first letters.
    """
    opened = open_home(home)
    asked = Asked(
        home=opened,
        incident=find(opened.journal, incident).id,
        person=person,
        why=why,
        in_json=in_json,
    )
    given = replace(
        asked.answer(text),
        outputs=outputs_of(outputs),
        evidence=kept(opened, files),
        for_s=duration_of(lasting) if lasting else 0.0,
    )
    asked.carry_out(
        lambda known, state: answered(
            known,
            state,
            ask_named(state, ask),
            replace(given, text=meant(state, ask_named(state, ask), text)),
        )
    )


def meant(incident: Incident, ask: str, text: str) -> str:
    """Return the option of the question that the text means, the text itself when it is free."""
    view = incident.asks.get(ask)
    found = fitting(text, [option.name for option in view.opened.options]) if view else ()
    return found[0] if len(found) == 1 else text


@click.command()
@with_home
@as_json
@click.argument("incident", required=False)
def timeline(home: Path, in_json: bool, incident: str | None) -> None:
    """Show what happened in INCIDENT (the newest when left out)."""
    opened = open_home(home)
    name = newest_or(opened, incident)
    facts = opened.journal.read(name)
    if in_json:
        click.echo(to_bytes(facts))
        return
    people = people_of(opened, incident_named(opened, name))
    for row in timeline_of(facts, people):
        moment = say_moment(row.at)
        click.echo(fitted(f"{moment}  {row.who:24} {row.sentence}", under=len(moment) + 2))


@click.command()
@with_home
@as_json
@click.argument("incident", required=False)
def postmortem(home: Path, in_json: bool, incident: str | None) -> None:
    """Print the draft of the post-mortem of INCIDENT as the record tells it now."""
    opened = open_home(home)
    name = newest_or(opened, incident)
    house = house_of(opened, name)
    facts = opened.journal.read(name)
    draft = house.draft(incident_named(opened, name), facts).decode()
    click.echo(to_bytes({"incident": name, "document": draft}) if in_json else draft)


@click.command()
@with_home
@with_alone
@as_json
@click.argument("incident")
def recover(home: Path, alone: bool, in_json: bool, incident: str) -> None:
    """Drive INCIDENT from here, in the foreground, and show what happens.

    It ends when the systems are restored (with exit code 3 when not all of it is whole), or with
    exit code 5 when only a person can go on.
    """
    opened = open_home(home, alone=alone)
    name = find(opened.journal, incident).id
    house = house_of(opened, name)
    told = [incident_named(opened, name).seq]

    def show(state: Incident) -> bool:
        if state.seq > told[0]:
            _show_since(opened, state, told[0], in_json=in_json)
            told[0] = state.seq
        return is_waiting(house.plan, house.runbooks, state, house.clock.now())

    with opened.mirrors.shipping(say):
        state = drive(house, name, stop_on_signals(), show)
    require_whole_end(state)


def _show_since(home: Home, incident: Incident, seq: int, *, in_json: bool) -> None:
    """Show what happened after number `seq`: a line for each fact."""
    if in_json:
        for fact in home.journal.read(incident.id, seq):
            click.echo(to_bytes(fact))
        return
    for row in news_of(home, incident, seq):
        click.echo(f"{say_moment(row.at)}  {row.sentence}")


def require_whole_end(state: Incident) -> None:
    """Raise Stopped for an incident that is not over, RecoveredDegraded for one not all whole."""
    name = state.id
    ended = (IncidentState.RESTORED, IncidentState.STOOD_DOWN, IncidentState.CLOSED)
    if state.state not in ended:
        asked = ", ".join(ask.opened.ask for ask in state.open_asks()) or "resume"
        raise Stopped(
            f"{name} waits for a person ({asked}).",
            f"`blackstart status {name}` shows the questions; then run this again.",
        )
    not_whole = [
        f"{step} is {view.state}{f' ({view.reason})' if view.reason else ''}"
        for run in state.runs.values()
        if run.outcome == "recovered_degraded"
        for step, view in run.steps.items()
        if view.state in (StepState.DEGRADED, StepState.SKIPPED)
    ]
    if not_whole:
        raise RecoveredDegraded(
            f"{name} is restored, and not all of it is whole: {'; '.join(not_whole)}.",
            f"`blackstart status {name}` shows it; decide on each before you close.",
        )
