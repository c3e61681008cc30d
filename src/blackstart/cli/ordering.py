# SPDX-License-Identifier: Apache-2.0
"""What the commands share by which people steer an incident: which one, who, and the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from blackstart.bootstrap import Home, in_force, incident_named, open_home, order
from blackstart.cli.options import as_json, with_home
from blackstart.cli.standing import find
from blackstart.model import events as ev
from blackstart.model.asks import Answer, Known
from blackstart.model.codec import to_bytes
from blackstart.model.errors import BlackstartError
from blackstart.model.incident import Incident
from blackstart.reports.timeline import TimelineRow, timeline

Make = Callable[[Known, Incident], tuple[ev.Event, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks of an incident on the command line."""

    home: Home
    incident: str
    person: str
    why: str
    in_json: bool

    def carry_out(self, make: Make, also: Mapping[str, str] | None = None) -> None:
        """Record what follows, and say what became of it and who drives it on."""
        self.show(lambda: order(self.home, self.incident, make, by=self.person), also)

    def show(self, act: Callable[[], Incident], also: Mapping[str, str] | None = None) -> None:
        """Act, and show the facts that came of it; before them the texts that go with it."""
        before = incident_named(self.home, self.incident).seq
        show_news(self.home, act(), before, in_json=self.in_json, also=also or {})
        self.home.mirrors.ship_once(lambda told: click.secho(told, fg="yellow", err=True))

    def answer(self, text: str) -> Answer:
        """Return an answer of this person."""
        return Answer(text=text, by=self.person, why=self.why)


def steering(command: Callable[..., None]) -> Callable[..., None]:
    """Give the command what all share by which people steer: incident, home, person, reason."""

    @wraps(command)
    def with_asked(
        incident: str, home: Path, person: str, why: str, *, in_json: bool, **named: Any
    ) -> None:
        opened = open_home(home)
        asked = Asked(
            home=opened,
            incident=find(opened.journal, incident).id,
            person=person,
            why=why,
            in_json=in_json,
        )
        command(asked, **named)

    shared = (
        click.argument("incident"),
        with_home,
        as_json,
        click.option(
            "--as", "person", required=True, envvar="BLACKSTART_AS", help="Your id in the plan."
        ),
        click.option("--why", default="", help="The reason, for the record."),
    )
    added: Callable[..., None] = with_asked
    for add in reversed(shared):
        added = add(added)
    return added


def people_of(home: Home, incident: Incident) -> dict[str, str]:
    """Return the names of the plan's people by id; none when the plan cannot be read any more."""
    try:
        plan, _ = in_force(home, incident)
    except BlackstartError:
        return {}
    return {person.id: person.name for person in plan.people.values()}


def news_of(home: Home, incident: Incident, before: int) -> tuple[TimelineRow, ...]:
    """Return the rows of the timeline after number `before`; they may refer to earlier ones."""
    rows = timeline(home.journal.read(incident.id), people_of(home, incident))
    return tuple(row for row in rows if row.seq > before)


def show_news(
    home: Home,
    incident: Incident,
    before: int,
    *,
    in_json: bool,
    also: Mapping[str, str],
) -> None:
    """Show the facts that came after number `before`."""
    facts = home.journal.read(incident.id, before)
    if in_json:
        rows = {
            "incident": incident.id,
            "state": incident.state,
            "facts": facts,
            "open": [ask.opened.ask for ask in incident.open_asks()],
            "driver": home.journal.holder(incident.id),
            **also,
        }
        click.echo(to_bytes(rows))
        return
    for text in (*also.values(), *(row.sentence for row in news_of(home, incident, before))):
        click.echo(text)
    if not home.journal.holder(incident.id):
        click.secho(
            f"Nobody drives {incident.id}: `blackstart agent` does, for all incidents; "
            f"`blackstart recover {incident.id}` for this one.",
            fg="yellow",
            err=True,
        )
