# SPDX-License-Identifier: Apache-2.0
"""How incidents stand, as lines and as rows: the state, the steps, and who is asked for what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import click

from blackstart.cli.lines import columns_here
from blackstart.cli.unsent import unsent_lines
from blackstart.model.answering import commands_for, title_of
from blackstart.model.errors import BlackstartError, Refused
from blackstart.model.events import INSTALLATION, Option
from blackstart.model.incident import AskView, Incident, fold
from blackstart.model.states import ActionState, IncidentState
from blackstart.model.time_words import say_prolonged, say_share_spent, say_usual
from blackstart.model.views import StepView
from blackstart.model.words import say_duration, say_moment, say_option
from blackstart.ports.journal import Journal
from blackstart.reports.options import options_of, options_table

_INSET = 4  # of what belongs to a question
ONLY = "."  # stands for the only incident that is open


def every(journal: Journal) -> tuple[Incident, ...]:
    """Return every incident that can be read, oldest first; a damaged one is said and left out."""
    found = []
    for name in journal.chains():
        if name == INSTALLATION:
            continue
        try:
            found.append(fold(journal.read(name)))
        except BlackstartError as error:
            click.secho(f"{name}: {error}", fg="red", err=True)
    return tuple(found)


def find(journal: Journal, text: str) -> Incident:
    """Return the incident: by name, by a part that only one has, or `.` for the only open one.

    Raises Refused when none or several fit.
    """
    found = every(journal)
    if text == ONLY:
        fitting = [one for one in found if one.state is not IncidentState.CLOSED]
    else:
        exact = [one for one in found if one.id == text]
        fitting = exact or [one for one in found if text in one.id]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(one.id for one in fitting or found) or "none"
    if not fitting:
        raise Refused(f"There is no incident '{text}'.", f"Incidents: {names}.")
    raise Refused(f"Several incidents fit '{text}'.", f"Name one of them: {names}.")


def lines_of(journal: Journal, found: tuple[Incident, ...], now: datetime) -> Iterator[str]:
    """Yield what a person reads about the incidents."""
    if not found:
        yield "There is no incident."
    for incident in found:
        yield from _lines_of(journal, incident, now)


def _lines_of(journal: Journal, incident: Incident, now: datetime) -> Iterator[str]:
    out_s = (now - incident.outage_start).total_seconds()
    yield click.style(f"{incident.id}  {incident.state}  ({incident.reported.mode})", bold=True)
    yield f"  {incident.reported.summary}"
    since = say_moment(incident.outage_start)
    if incident.restored_at:
        took_s = (incident.restored_at - incident.outage_start).total_seconds()
        yield f"  outage since {since}; restored after {say_duration(took_s)}"
    else:
        yield f"  outage since {since}, {say_duration(out_s)} ago"
    if incident.state is not IncidentState.CLOSED:
        driver = journal.holder(incident.id)
        yield f"  driven by {driver}" if driver else "  nobody drives it: `blackstart agent`"
    yield from _exceptions(incident)
    yield from (f"  {line}" for line in unsent_lines(journal.deliveries(incident.id)))
    yield from _work(journal, incident, now)
    yield from _questions(incident, now)


def _exceptions(incident: Incident) -> Iterator[str]:
    if incident.restored_at is None:
        yield from (f"  {say_share_spent(spent)}" for spent in incident.shares_spent[-1:])
    if incident.activated_at is None:
        yield from (f"  prolonged: {say_prolonged(told)}" for told in incident.prolonged[-1:])
    if incident.paused:
        yield f"  PAUSED by {incident.paused.by}: {incident.paused.why}"
    for waiver in incident.waivers:
        yield f"  rule set aside until {say_moment(waiver.until)}: {waiver.rule} ({waiver.why})"


def _work(journal: Journal, incident: Incident, now: datetime) -> Iterator[str]:
    for run in incident.runs.values():
        for name, step in run.steps.items():
            if step.started_at:
                yield f"  {run.started.system}  {name:22} {step.state}  {step.reason}".rstrip()
            yield from (f"    {line}" for line in _slow(name, step, now))
    for subject, done, total, unit in journal.progress(incident.id):
        if done < total:
            yield f"  {subject}: {done:.0f} of {total:.0f} {unit}"


def _slow(name: str, step: StepView, now: datetime) -> Iterator[str]:
    """Yield each action of the step that takes longer than usual, and what was said about it."""
    for action, view in step.actions.items():
        if view.state is not ActionState.STARTED or view.started_at is None:
            continue
        if view.cancel:
            yield f"{name}.{action}: being ended, as {view.cancel.by} ordered"
        elif view.delayed:
            so_far = say_duration((now - view.started_at).total_seconds())
            usual = say_usual(view.delayed.usual_s, view.delayed.of)
            until = view.extended_until
            allowed = f"; it may go on until {say_moment(until)}" if until else ""
            yield f"{name}.{action}: slow, running for {so_far}; {usual}{allowed}"


def _with_estimate(incident: Incident, option: Option) -> Option:
    """Return the option with what was estimated since the question was asked."""
    made = incident.estimates.get(option.name)
    if made is None:
        return option
    return replace(
        option,
        expected_s=made.expected_s,
        data_lost=made.data_lost or option.data_lost,
        reversible=made.reversible or option.reversible,
    )


def ask_named(incident: Incident, text: str) -> str:
    """Return the open question of this name, or the only one that has the text in its name."""
    names = [ask.opened.ask for ask in incident.open_asks()]
    fitting = [name for name in names if text in name]
    return text if text in names or len(fitting) != 1 else fitting[0]


def _side_by_side(incident: Incident, ask: AskView, now: datetime) -> Iterator[str]:
    goals_s = [run.estimate.goal_s for run in incident.runs.values() if run.estimate]
    table = options_table(
        options_of(
            (_with_estimate(incident, option) for option in ask.opened.options),
            {name: made.by for name, made in incident.estimates.items()},
        ),
        elapsed_s=(now - incident.outage_start).total_seconds(),
        goal_s=max(goals_s, default=0.0),
        columns=columns_here() - _INSET,
    )
    yield from (f"{' ' * _INSET}{line}" for line in table.splitlines())


def _questions(incident: Incident, now: datetime) -> Iterator[str]:
    for ask in incident.open_asks():
        text = ask.opened.text.replace("\n", "\n    ")
        yield click.style(f"  ? {title_of(incident, ask)}: {text}", fg="yellow")
        due = f", by {say_moment(ask.due_at)}" if ask.due_at else ""
        yield f"    asked: {', '.join(ask.persons)} ({ask.opened.role}){due}"
        yield from (f"    - {fact}" for fact in ask.opened.facts)
        if ask.opened.kind == "decision":
            yield from _side_by_side(incident, ask, now)
        else:
            yield from (f"    * {say_option(option)}" for option in ask.opened.options)
        yield from (f"    {command}" for command in commands_for(incident, ask))


def as_rows(journal: Journal, incident: Incident) -> dict[str, object]:
    """Return the same for programs."""
    return {
        "incident": incident.id,
        "state": incident.state,
        "reported": incident.reported,
        "outage_start": incident.outage_start,
        "driver": journal.holder(incident.id),
        "paused": incident.paused,
        "waivers": incident.waivers,
        "shares_spent": incident.shares_spent,
        "prolonged": incident.prolonged,
        "holders": incident.holders,
        "runs": incident.runs,
        "asks": incident.asks,
        "estimates": incident.estimates,
        "measures": incident.measures,
        "restored_at": incident.restored_at,
        "progress": journal.progress(incident.id),
    }
