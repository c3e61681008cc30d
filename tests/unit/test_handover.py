# SPDX-License-Identifier: Apache-2.0
"""The hand-over card says what is open, what runs and what comes next, as the facts have it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from blackstart.model.events import AskAnswered, Event, Fact, NoticeSettled, StepEnded
from blackstart.model.orders import IncidentPaused, RuleWaived, ShiftHandedOver
from blackstart.model.people import Person
from blackstart.model.plan import Objectives, Plan
from blackstart.reports.handover import WIDTH, handover_card
from tests.sample_facts import complete_drill, half_done, stopped_drill
from tests.sample_plan import plan_of
from tests.sample_records import PEOPLE
from tests.sample_steps import sample_runbook

RUNBOOKS = (sample_runbook(),)
HALF = half_done(30.0)


def plan(*, rto_s: float = 86_400.0, cadence_s: float = 3_600.0) -> Plan:
    found = plan_of()
    policy = replace(found.policy, objectives=Objectives(rto_s=rto_s), cadence_s=cadence_s)
    people = {name: Person(id=name, name=said) for name, said in PEOPLE.items()}
    return replace(found, policy=policy, people=people)


def card(facts: tuple[Fact, ...], after_s: float = 1.0, of: Plan | None = None) -> dict[str, str]:
    """Return the parts of the card by their titles, `after_s` after the last fact."""
    text = handover_card(facts, RUNBOOKS, of or plan(), moment(facts, after_s))
    assert all(len(line) <= WIDTH for line in text.splitlines())
    parts = {}
    for part in text.split("\n\n"):
        title, _, rest = part.partition("\n")
        parts["HEAD" if title.startswith("HAND-OVER") else title] = " ".join(rest.split())
    return parts


def moment(facts: tuple[Fact, ...], after_s: float) -> datetime:
    return facts[-1].at + timedelta(seconds=after_s)


def test_the_head_says_incident_state_and_clock() -> None:
    head = card(HALF)["HEAD"]
    for part in (
        "flowfuse-cloud (drill)",
        "recovering",
        "outage since",
        "goal 24 h",
        " left",
    ):
        assert part in head
    assert "Ada Northcote" in head


def test_what_is_done_does_not_run_and_is_not_next() -> None:
    parts = card(HALF)
    assert "verified" in parts["DONE"]
    assert parts["RUNS NOW"] != "none"
    done = {name for name in ("assess_damage.", "create_environment.") if name in parts["DONE"]}
    assert not any(name in parts["NEXT ON THE CRITICAL PATH"] for name in done)
    assert "update_dns" not in parts["DONE"]
    assert "of work expected" in parts["NEXT ON THE CRITICAL PATH"]


def test_a_finished_recovery_has_nothing_next_and_owes_no_notice() -> None:
    parts = card(complete_drill())
    assert parts["NEXT ON THE CRITICAL PATH"] == "none"
    assert parts["RUNS NOW"] == "none"
    assert "The next notice" not in parts["TOLD"]
    assert "full service after" in parts["HEAD"]


def test_a_stop_is_the_first_warning_with_what_to_do() -> None:
    stopped = card(stopped_drill())
    assert stopped["NEXT ON THE CRITICAL PATH"].startswith("restore_data.")
    warnings = stopped["WARNINGS"]
    assert warnings.startswith("STOPPED: ")
    assert "To do: " in warnings
    assert "STOPPED" not in card(HALF)["WARNINGS"]


def test_an_open_question_names_whom_since_when_and_whether_it_is_late() -> None:
    less = tuple(fact for fact in HALF if not isinstance(fact.event, AskAnswered))
    facts = tuple(replace(fact, seq=number) for number, fact in enumerate(less, start=1))
    upto = next(n for n, fact in enumerate(facts) if "Activated" in type(fact.event).__name__)
    parts = card(facts[:upto], after_s=7_200)
    assert "Asked Ada Northcote" in parts["OPEN QUESTIONS"]
    assert "ago" in parts["OPEN QUESTIONS"]
    assert "overdue by" in parts["OPEN QUESTIONS"]
    assert "overdue by" in parts["WARNINGS"]
    assert "overdue by" not in card(facts[:upto])["OPEN QUESTIONS"]


@pytest.mark.parametrize(("after_s", "is_late"), [(60.0, False), (4_000.0, True)])
def test_the_next_notice_to_users_has_a_time(after_s: float, is_late: bool) -> None:
    parts = card(HALF, after_s)
    assert ("The next notice to users is overdue" in parts["TOLD"]) is is_late
    assert ("Users wait for news" in parts["WARNINGS"]) is is_late


def test_a_goal_that_is_past_or_near_is_warned_of() -> None:
    assert "The goal is past by" in card(HALF, of=plan(rto_s=5.0))["WARNINGS"]
    near = card(HALF, of=plan(rto_s=40.0))["WARNINGS"]
    assert "are left" in near
    assert "The goal" not in card(HALF)["WARNINGS"]


def test_an_action_far_over_its_time_is_warned_of() -> None:
    assert "over its time" in card(HALF, after_s=3_000)["WARNINGS"]
    assert "over its time" not in card(HALF, after_s=0.1)["WARNINGS"]


def test_messages_that_did_not_arrive_and_steps_not_verified_are_named() -> None:
    facts = tuple(
        replace(fact, event=replace(fact.event, accepted=0, refused=1, reason="box full"))
        if isinstance(fact.event, NoticeSettled)
        else replace(fact, event=replace(fact.event, outcome="degraded", reason="mail is down"))
        if isinstance(fact.event, StepEnded) and fact.event.step == "notify_users"
        else fact
        for fact in HALF
    )
    warnings = card(facts)["WARNINGS"]
    assert "box full" in warnings
    assert "is degraded, not verified" in warnings
    assert "box full" not in card(HALF)["WARNINGS"]


def test_facts_without_a_report_are_no_incident() -> None:
    with pytest.raises(ValueError, match="no incident"):
        handover_card((), RUNBOOKS, plan(), moment(HALF, 0))


def with_orders(*events: Event) -> tuple[Fact, ...]:
    """Return the facts half-way with orders of people after them."""
    last = HALF[-1]
    added = (replace(last, seq=last.seq + n, event=e) for n, e in enumerate(events, start=1))
    return (*HALF, *added)


def test_orders_of_people_stand_on_the_card() -> None:
    until = HALF[-1].at + timedelta(hours=2)
    facts = with_orders(
        ShiftHandedOver(role="incident_commander", giver="p1", taker="p2"),
        IncidentPaused(by="p2", why="the vendor calls back at four"),
        RuleWaived(rule="backup-first", by="p2", second="p3", why="no room", until=until),
    )
    parts = card(facts)
    assert "Jonas Weir" in parts["HEAD"]
    assert parts["WARNINGS"].startswith("PAUSED by Jonas Weir: the vendor calls back at four.")
    assert "'backup-first' is waived for another 2 h" in parts["WARNINGS"]
    assert "waived no longer" in card(facts, after_s=8_000)["WARNINGS"]
    assert "PAUSED" not in card(HALF)["WARNINGS"]
    assert "waived" not in card(HALF)["WARNINGS"]
