# SPDX-License-Identifier: Apache-2.0
"""Commands by which people steer an incident as a whole."""

from __future__ import annotations

from datetime import timedelta
from difflib import unified_diff
from pathlib import Path

import click

from blackstart.bootstrap import amend_plan, in_force, incident_named
from blackstart.cli.options import duration_of, moment_of, with_plan
from blackstart.cli.ordering import Asked, steering
from blackstart.cli.unsent import say_waiting
from blackstart.model import commands
from blackstart.model import events as ev
from blackstart.model.errors import Refused
from blackstart.model.notices import EVERYONE
from blackstart.model.people import COMMANDER
from blackstart.model.states import IncidentState
from blackstart.model.steering import WAIVABLE
from blackstart.model.steering import waive as set_aside
from blackstart.reports.handover import handover_card

_CONDITIONS = ("intact", "degraded", "lost", "unknown")
_system = click.option("--system", default="", help="Which system, when there are several.")
_CHOICES = [name for name in commands.OPTIONS if name != "stand-down"]


@click.command()
@steering
def acknowledge(asked: Asked) -> None:
    """Take INCIDENT on ('.' is the only open one)."""
    given = asked.answer("acknowledged")
    asked.carry_out(lambda known, state: commands.acknowledge(known, state, given))


@click.command()
@steering
@click.argument("text")
@click.option("--channel", default="incident", show_default=True, help="A channel of the plan.")
@click.option(
    "--audience", default=EVERYONE, show_default=True, help="everyone, staff, teams, affected …"
)
def announce(asked: Asked, text: str, channel: str, audience: str) -> None:
    """Announce TEXT about INCIDENT over a channel of the plan."""
    asked.carry_out(
        lambda known, state: commands.tell(
            known.plan, state, text, by=asked.person, channel=channel, audience=audience
        )
    )


@click.command()
@steering
@click.argument("role")
@click.argument("text")
@click.option("--within", default="", help="When an answer is needed, such as 30m.")
def ask(asked: Asked, role: str, text: str, within: str) -> None:
    """Ask ROLE (a role or a team of the plan) the question TEXT."""
    within_s = duration_of(within) if within else 0.0
    asked.carry_out(
        lambda known, state: commands.question(
            known.plan, state, known.now, role, text, by=asked.person, within_s=within_s
        )
    )


def _sighting(text: str) -> ev.Sighting:
    subject, _, rest = text.partition("=")
    condition, _, seen = rest.partition(":")
    if not subject or condition.strip() not in _CONDITIONS:
        raise click.BadParameter(
            f"'{text}' is not SUBJECT=CONDITION: SEEN; conditions: {', '.join(_CONDITIONS)}"
        )
    return ev.Sighting(subject=subject.strip(), condition=condition.strip(), seen=seen.strip())


@click.command()
@steering
@click.argument("text")
@click.option(
    "--found",
    multiple=True,
    metavar="SUBJECT=CONDITION: SEEN",
    help="For example 'database=lost: does not answer'; may be repeated.",
)
def assess(asked: Asked, text: str, found: tuple[str, ...]) -> None:
    """Tell the impact: TEXT in one sentence, and what is intact, degraded or lost."""
    sightings = tuple(_sighting(one) for one in found)
    asked.carry_out(
        lambda known, state: commands.assess(known.plan, state, text, sightings, by=asked.person)
    )


@click.command()
@steering
@click.argument("option", type=click.Choice(list(commands.OPTIONS)))
@click.argument("duration")
@click.option("--data-lost", default="", help="What would be lost, in words.")
@click.option("--reversible", default="", help="Until when one can still go back, in words.")
@_system
def estimate(asked: Asked, option: str, duration: str, **rest: str) -> None:
    """Say how long OPTION would take (DURATION such as 2h30m), and what it costs."""
    made = commands.Estimate(option=option, expected_s=duration_of(duration), why=asked.why, **rest)
    asked.carry_out(
        lambda known, state: commands.estimate(known.plan, state, made, by=asked.person)
    )


@click.command()
@steering
@click.option("--option", type=click.Choice(_CHOICES), default="rebuild", show_default=True)
def activate(asked: Asked, option: str) -> None:
    """Activate the Recovery phase, or choose another option for now."""
    given = asked.answer(option)
    asked.carry_out(lambda known, state: commands.activate(known, state, given))


@click.command(name="stand-down")
@steering
def stand_down(asked: Asked) -> None:
    """End INCIDENT without a recovery; what a recovery had begun is taken back."""
    given = asked.answer("stand-down")
    asked.carry_out(lambda known, state: commands.stand_down(known, state, given))


@click.command()
@steering
@click.option("--since", required=True, help="When it really began, ISO 8601 with zone.")
def correct(asked: Asked, since: str) -> None:
    """Correct when the outage began; what was reported stays in the record."""
    start = moment_of(since)
    asked.carry_out(
        lambda known, state: commands.correct_outage(
            known.plan, state, start, by=asked.person, why=asked.why, now=known.now
        )
    )


@click.command()
@steering
@click.argument("step")
@_system
def approve(asked: Asked, step: str, system: str) -> None:
    """Open the gate of STEP."""
    given = asked.answer("go")
    asked.carry_out(lambda known, state: commands.decide_gate(known, state, step, given, system))


@click.command()
@steering
@click.argument("step")
@_system
def reject(asked: Asked, step: str, system: str) -> None:
    """Keep the gate of STEP closed for now; it can be approved later."""
    given = asked.answer("hold")
    asked.carry_out(lambda known, state: commands.decide_gate(known, state, step, given, system))


@click.command()
@steering
def pause(asked: Asked) -> None:
    """Let nothing new begin; what is under way goes on to its end."""
    asked.carry_out(
        lambda known, state: commands.pause(known.plan, state, by=asked.person, why=asked.why)
    )


@click.command()
@steering
def resume(asked: Asked) -> None:
    """Go on after a pause."""
    asked.carry_out(
        lambda known, state: commands.resume(known.plan, state, by=asked.person, why=asked.why)
    )


@click.command()
@steering
@click.argument("rule", type=click.Choice(list(WAIVABLE)))
@click.option("--second", required=True, help="The second person who agrees.")
@click.option("--for", "lasting", required=True, help="How long, such as 2h.")
def waive(asked: Asked, rule: str, second: str, lasting: str) -> None:
    """Set a hard RULE aside for a while; every report and notice will say so."""
    lasting_s = duration_of(lasting)
    asked.carry_out(
        lambda known, state: set_aside(
            known.plan,
            state,
            rule,
            by=asked.person,
            second=second,
            why=asked.why,
            until=known.now + timedelta(seconds=lasting_s),
            now=known.now,
        )
    )


@click.command()
@steering
@with_plan
def amend(asked: Asked, plan_path: Path) -> None:
    """Put another plan file in force, for steps that have not begun, and show what differs."""
    before = incident_named(asked.home, asked.incident).plan
    old = asked.home.evidence.fetch(before).decode("utf-8", "replace").splitlines()
    new = plan_path.read_text("utf-8", "replace").splitlines() if plan_path.exists() else []
    differs = unified_diff(old, new, "the plan in force", str(plan_path), lineterm="", n=1)
    asked.show(
        lambda: amend_plan(asked.home, asked.incident, plan_path, by=asked.person, why=asked.why),
        also={"diff": "\n".join(differs)},
    )


@click.command()
@steering
@click.option("--to", "taker", required=True, help="Who takes over.")
@click.option("--role", default=COMMANDER, show_default=True)
def handover(asked: Asked, taker: str, role: str) -> None:
    """Hand a role over for this incident, with a card that says how things stand."""
    plan, runbooks = in_force(asked.home, incident_named(asked.home, asked.incident))
    facts = asked.home.journal.read(asked.incident)
    card = handover_card(facts, tuple(runbooks.values()), plan, asked.home.clock.now())
    digest = asked.home.evidence.keep("handover.txt", card.encode())
    asked.carry_out(
        lambda known, state: commands.hand_over(
            known.plan, state, role, taker, by=asked.person, card=digest
        ),
        also={"card": card},
    )


@click.command()
@steering
def close(asked: Asked) -> None:
    """Sign the post-mortem of INCIDENT off and close it."""
    given = asked.answer("signed")
    state = incident_named(asked.home, asked.incident)
    waits = say_waiting(asked.home.journal.deliveries(asked.incident))
    if waits and state.state is IncidentState.RESTORED and not state.postmortem:
        raise Refused(waits, "`blackstart status` says over which channel, and why.")
    asked.carry_out(lambda known, state: commands.close(known, state, given))
