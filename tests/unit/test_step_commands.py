# SPDX-License-Identifier: Apache-2.0
"""`step cancel`, `step wait` and `answer --for` as they are typed, on a record of facts only."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from blackstart.bootstrap import (
    Home,
    in_force,
    incident_named,
    open_home,
    read_plan,
    report_incident,
)
from blackstart.cli.incident import answer
from blackstart.cli.status import status
from blackstart.cli.steps import step
from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.errors import NotAuthorised, Refused
from blackstart.model.plan import Mode
from blackstart.model.timing import ActionDelayed
from blackstart.ports.journal import Entry
from tests.engine_verbs import AT

PLAN = Path(__file__).parents[2] / "examples" / "webapp" / "blackstart.yaml"
STEP = "create_environment"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Return an installation whose only incident has an action under way, past its limit."""
    opened = open_home(tmp_path / "home")
    system = next(iter(read_plan(PLAN).systems))
    name = report_incident(
        opened,
        PLAN,
        systems=(system,),
        mode=Mode.RECOVERY,
        target="recovery",
        summary="It is down.",
        outage_start=opened.clock.now() - timedelta(minutes=1),
        by="ada",
    )
    _, runbooks = in_force(opened, incident_named(opened, name))
    action = runbooks[system].step(STEP).do[0].name
    run = f"{name}.r1"
    key = f"{run}/{STEP}/{action}/1"
    facts: tuple[ev.Event, ...] = (
        ev.RunStarted(
            run=run, system=system, target="recovery", mode="recovery", marker=run, runbook=""
        ),
        ev.AskOpened(
            ask="acknowledge",
            kind="acknowledge",
            text="Do you?",
            role="incident_commander",
            persons=("ada",),
        ),
        ev.AskAnswered(ask="acknowledge", answer="acknowledged", by="ada"),
        ev.RecoveryActivated(by="ada", option="rebuild", why="", facts=(), how="command"),
        ev.StepStarted(run=run, step=STEP),
        ev.ActionStarted(run=run, step=STEP, action=action, attempt=1, key=key),
        ActionDelayed(run=run, step=STEP, action=action, key=key, usual_s=90.0, of=5, due_at=AT),
        ev.AskOpened(
            ask=f"overdue:{run}:{STEP}:{action}:1#1",
            kind="overdue",
            text="What now?",
            role="incident_commander",
            persons=("ada",),
            options=tuple(
                ev.Option(name=each, meaning="m") for each in ("wait", "cancel", "by-hand")
            ),
            run=run,
            step=STEP,
            action=action,
        ),
    )
    opened.journal.append(name, "driver", [Entry(event=fact) for fact in facts])
    return opened


def typed(home: Home, command: click.Command, *words: str, by: str = "ada") -> Result:
    arguments = [*words, "--home", str(home.folder), "--as", by]
    return CliRunner().invoke(command, arguments)


def ordered(home: Home) -> list[ev.Event]:
    """Return what was said about actions that are under way."""
    name = name_of(home)
    said = (orders.CancelOrdered, orders.LimitExtended)
    return [fact.event for fact in home.journal.read(name) if isinstance(fact.event, said)]


def shown(home: Home) -> str:
    return CliRunner().invoke(status, ["--home", str(home.folder)]).output


def minutes_from_now(home: Home, event: ev.Event) -> float:
    assert isinstance(event, orders.LimitExtended)
    return (event.until - home.clock.now()).total_seconds() / 60


def test_status_says_what_is_slow_and_what_to_type(home: Home) -> None:
    text = " ".join(shown(home).split())
    assert "slow, running for" in text
    assert "three of four of the last 5 runs took at most 1 min 30 s" in text
    assert f"step cancel {name_of(home)} {STEP}" in text


def name_of(home: Home) -> str:
    return next(chain for chain in home.journal.chains() if chain != ev.INSTALLATION)


def test_step_cancel_orders_the_end_and_answers_the_question(home: Home) -> None:
    done = typed(home, step, "cancel", ".", STEP, "--why", "it hangs")
    assert done.exit_code == 0, done.output
    (order,) = ordered(home)
    assert isinstance(order, orders.CancelOrdered)
    assert (order.by, order.why, order.by_hand) == ("ada", "it hangs", False)
    text = shown(home)
    assert "being ended, as ada ordered" in text
    assert "What now?" not in text
    again = typed(home, step, "cancel", ".", "restore_data")
    assert isinstance(again.exception, Refused)


def test_step_wait_says_until_when(home: Home) -> None:
    assert typed(home, step, "wait", ".", STEP, "--for", "30m").exit_code == 0
    (order,) = ordered(home)
    assert 29 < minutes_from_now(home, order) <= 30
    assert "it may go on until" in shown(home)
    assert typed(home, step, "wait", ".", STEP, "--for", "soon").exit_code == 2
    nobody = typed(home, step, "wait", ".", STEP, "--for", "1h", by="p9")
    assert isinstance(nobody.exception, NotAuthorised)


@pytest.mark.parametrize(("words", "until_min"), [(("--for", "45m"), 45.0), ((), 10.0)])
def test_wait_as_an_answer_takes_a_time_or_the_limit_once_more(
    home: Home, words: tuple[str, ...], until_min: float
) -> None:
    assert typed(home, answer, ".", "overdue", "wait", *words).exit_code == 0
    (order,) = ordered(home)
    assert until_min - 1 < minutes_from_now(home, order) <= until_min


def test_by_hand_as_an_answer(home: Home) -> None:
    assert typed(home, answer, ".", "overdue", "by-hand", "--why", "I do it").exit_code == 0
    (order,) = ordered(home)
    assert isinstance(order, orders.CancelOrdered)
    assert order.by_hand
