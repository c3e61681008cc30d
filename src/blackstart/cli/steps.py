# SPDX-License-Identifier: Apache-2.0
"""Commands about one step of a run: done by hand, skip, retry, undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from blackstart.bootstrap import Home
from blackstart.cli.options import duration_of
from blackstart.cli.ordering import Asked, steering
from blackstart.model import events as ev
from blackstart.model import steering as orders
from blackstart.model import stopping
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.incident import Incident, RunView

_output = click.option("--output", "outputs", multiple=True, metavar="NAME=VALUE")
_evidence = click.option(
    "--evidence",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A file that shows it; may be repeated.",
)


@click.group()
def step() -> None:
    """Finish, leave out, repeat, end, wait for or take back one step."""


def _of_step(command: Callable[..., None]) -> Callable[..., None]:
    with_system = click.option("--system", default="", help="Which one, when there are several.")
    return steering(click.argument("step_name", metavar="STEP")(with_system(command)))


def outputs_of(texts: tuple[str, ...]) -> dict[str, str]:
    """Return NAME=VALUE pairs as a mapping. Raises BadParameter."""
    given = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name:
            raise click.BadParameter(f"'{text}' is not NAME=VALUE")
        given[name] = value
    return given


def kept(home: Home, files: tuple[Path, ...]) -> tuple[str, ...]:
    """Keep files as evidence and return their digests."""
    return tuple(home.evidence.keep(file.name, file.read_bytes()) for file in files)


@step.command()
@_of_step
@_output
@_evidence
def done(
    asked: Asked, step_name: str, system: str, outputs: tuple[str, ...], files: tuple[Path, ...]
) -> None:
    """STEP was done by hand: give its outputs and the evidence.

    When a person is being asked to do the step, this answers the question.
    """
    given = Answer(
        text="done",
        by=asked.person,
        why=asked.why,
        outputs=outputs_of(outputs),
        evidence=kept(asked.home, files),
    )

    def make(known: Known, state: Incident) -> tuple[ev.Event, ...]:
        run = orders.run_of(state, system)
        question = _asked_by_hand(state, run, step_name)
        if question:
            return answer(known, state, question, given)
        return orders.finish(
            known.plan,
            known.runbooks,
            state,
            run,
            step_name,
            by=given.by,
            why=given.why,
            now=known.now,
            outputs=given.outputs,
            evidence=given.evidence,
        )

    asked.carry_out(make)


def _asked_by_hand(incident: Incident, run: RunView, step_name: str) -> str:
    """Return the open question to do something of the step by hand, "" when there is none."""
    for ask in incident.open_asks():
        opened = ask.opened
        if opened.kind == "manual" and (opened.run, opened.step) == (run.started.run, step_name):
            return opened.ask
    return ""


@step.command()
@_of_step
@_output
def skip(asked: Asked, step_name: str, system: str, outputs: tuple[str, ...]) -> None:
    """Leave STEP out; refused where a hard rule or a later step needs it."""
    given = outputs_of(outputs)
    asked.carry_out(
        lambda known, state: orders.skip(
            known.plan,
            known.runbooks,
            state,
            orders.run_of(state, system),
            step_name,
            by=asked.person,
            why=asked.why,
            now=known.now,
            outputs=given,
        )
    )


@step.command()
@_of_step
def retry(asked: Asked, step_name: str, system: str) -> None:
    """Try the failed STEP again, after what was wrong has been put right."""
    asked.carry_out(
        lambda known, state: orders.retry(
            known.plan,
            known.runbooks,
            state,
            orders.run_of(state, system),
            step_name,
            by=asked.person,
        )
    )


@step.command()
@_of_step
@click.option(
    "--and-later", is_flag=True, help="Also every step that stands on it, the last first."
)
def undo(asked: Asked, step_name: str, system: str, *, and_later: bool) -> None:
    """Take back what STEP did, and pause; `blackstart resume` lets it start again."""
    asked.carry_out(
        lambda known, state: orders.undo(
            known.plan,
            known.runbooks,
            state,
            orders.run_of(state, system),
            step_name,
            by=asked.person,
            why=asked.why,
            and_later=and_later,
        )
    )


_action = click.option("--action", default="", help="Which action, when several are under way.")


@step.command()
@_of_step
@_action
def cancel(asked: Asked, step_name: str, system: str, action: str) -> None:
    """End what is under way of STEP, with all the programs that it started."""
    asked.carry_out(
        lambda known, state: stopping.cancel(
            known.plan,
            known.runbooks,
            state,
            orders.run_of(state, system),
            step_name,
            by=asked.person,
            why=asked.why,
            action=action,
        )
    )


@step.command()
@_of_step
@_action
@click.option("--for", "lasting", required=True, help="How long from now, such as 30m.")
def wait(asked: Asked, step_name: str, system: str, action: str, lasting: str) -> None:
    """Let what is under way of STEP go on beyond its limit before people are asked about it."""
    for_s = duration_of(lasting)
    asked.carry_out(
        lambda known, state: stopping.wait_longer(
            known.plan,
            known.runbooks,
            state,
            orders.run_of(state, system),
            step_name,
            by=asked.person,
            why=asked.why,
            now=known.now,
            for_s=for_s,
            action=action,
        )
    )
