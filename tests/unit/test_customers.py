# SPDX-License-Identifier: Apache-2.0
"""What is left for customers to do: told to each of them, and open until they did it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.cli.standing import lines_of
from blackstart.engine.asking import asks_to_open
from blackstart.engine.customers import left_to_customers
from blackstart.model import commands
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.errors import Refused
from blackstart.model.events import AskWithdrawn, Event, RunStarted
from blackstart.model.incident import Incident
from blackstart.model.notices import ALL_CUSTOMERS
from blackstart.model.orders import StepUndone
from blackstart.model.runbook import ActionSpec, Param, Runbook
from blackstart.model.states import IncidentState, StepState
from blackstart.model.views import AskView
from blackstart.ports.journal import Journal
from blackstart.reports.handover import handover_card
from blackstart.reports.moves import moves_of
from blackstart.reports.postmortem import draft_postmortem
from blackstart.world.clock import SystemClock
from tests.engine_world import (
    INCIDENT,
    World,
    close_all,
    drive_to_end,
    give,
    journal_in,
    make_world,
    report,
)

CNAME, ALLOW = "Growers: change the CNAME of iot.growers.", "all customers: allow 10.0.0.2."
LEFT: dict[str, Param] = {"Growers": [CNAME], ALL_CUSTOMERS: [ALLOW]}


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


def leaving(runbook: Runbook) -> Runbook:
    """Return the runbook in which moving the name leaves something to customers."""
    records = ActionSpec(name="records", use="leave.it", params={"by_customer": LEFT})
    steps = tuple(
        replace(step, do=(records, *step.do)) if step.name == "update_dns" else step
        for step in runbook.steps
    )
    return replace(runbook, steps=steps)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path / "w", change=leaving)


@pytest.fixture
def journal(world: World) -> Journal:
    opened = journal_in(world)
    report(opened)
    return opened


def asked_about(incident: Incident) -> dict[str, AskView]:
    return {a.opened.customer: a for a in incident.asks.values() if a.opened.kind == "customer"}


def say(world: World, journal: Journal, customer: str, text: str, why: str = "") -> Incident:
    def said(known: Known, state: Incident) -> tuple[Event, ...]:
        name = asked_about(state)[customer].opened.ask
        return answer(known, state, name, Answer(text=text, by="p1", why=why))

    return give(world, journal, said)


def test_each_customer_is_told_what_is_his_and_no_other(world: World, journal: Journal) -> None:
    incident = drive_to_end(world, journal)
    told = {n.queued.audience: n.queued for n in incident.notices.values()}
    notices = [n.queued for n in incident.notices.values() if n.queued.kind == "customer"]
    assert {(n.audience, n.recipients) for n in notices} == {
        ("affected", 2),
        ("customer:Growers", 1),
    }
    for audience, his, other in (
        ("customer:Growers", CNAME, ALLOW),
        ("affected", ALLOW, CNAME),
    ):
        digest = next(n.body for n in notices if n.audience == audience)
        body = (world.root / "evidence" / digest[:2] / digest).read_text()
        assert his in body
        assert other not in body
    assert "person:p1" in told  # the commander is asked, as the plan has nobody for customers


def test_it_is_open_wherever_one_looks_until_they_said_so(world: World, journal: Journal) -> None:
    incident = drive_to_end(world, journal)
    assert incident.state is IncidentState.RESTORED

    def places() -> tuple[bool, ...]:
        facts, now = journal.read(INCIDENT), SystemClock().now()
        runbooks = world.runbooks
        return (
            CNAME in "\n".join(lines_of(journal, (incident,), now)),
            "Growers: have they done this"
            in handover_card(facts, tuple(runbooks.values()), world.plan, now).partition("DONE")[0],
            "| Growers | waits for" in draft_postmortem(facts, runbooks, world.plan),
        )

    assert places() == (True, True, True)
    with pytest.raises(Refused, match="Customers have something left to do"):
        give(world, journal, lambda known, state: commands.close(known, state, by_p1("signed")))
    with pytest.raises(Refused, match="without a reason"):
        say(world, journal, "Growers", "given-up")
    incident = say(world, journal, "Growers", "confirmed")
    assert places() == (False, False, False)
    say(world, journal, ALL_CUSTOMERS, "given-up", "told three times; their firewall is theirs")
    closed = give(
        world, journal, lambda known, state: commands.close(known, state, by_p1("signed"))
    )
    assert closed.state is IncidentState.CLOSED


def by_p1(text: str) -> Answer:
    return Answer(text=text, by="p1")


def test_what_was_taken_back_is_asked_no_more(world: World, journal: Journal) -> None:
    incident = drive_to_end(world, journal)
    run = next(iter(incident.runs.values()))
    now = SystemClock().now()
    assert [*asks_to_open(world.plan, world.runbooks, incident, now, [run])] == []
    assert len(left_to_customers(run)) == 2
    run.steps["update_dns"].state = StepState.WAITING
    assert left_to_customers(run) == {}
    found = [*asks_to_open(world.plan, world.runbooks, incident, now, [run])]
    assert [type(event) for event in found] == [AskWithdrawn, AskWithdrawn]


def test_nobody_is_asked_where_nothing_is_left(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    assert asked_about(drive_to_end(world, journal)) == {}


def test_the_report_tells_what_moved_until_it_is_taken_back(world: World, journal: Journal) -> None:
    drive_to_end(world, journal)
    facts = journal.read(INCIDENT)
    moves = {(move.what, move.whose): move.state for move in moves_of(facts)}
    assert moves["broker.shop A", "us"] == "moved"
    assert moves[CNAME.removeprefix("Growers: "), "Growers"] == "waits for the customer"
    run = facts[1].event
    assert isinstance(run, RunStarted)
    undone = StepUndone(run=run.run, step="update_dns", undone=("records",))
    later = replace(facts[-1], seq=facts[-1].seq + 1, event=undone)
    assert not any(move.whose == "us" for move in moves_of((*facts, later)))
