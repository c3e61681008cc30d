# SPDX-License-Identifier: Apache-2.0
"""Timers under random deaths, restarts and clocks that jump: each fires once, none is lost.

Real time passes second by second. The wall clock is set back and forth, the driver dies and another
one begins, which knows nothing but the facts. The driver is on paper; its clock is the real one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.model import events as ev
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Objectives, Plan
from blackstart.model.timing import GoalShareSpent, OutageProlonged, Timing
from blackstart.world.clock import SteadyClock
from tests.engine_verbs import AT
from tests.paper_driver import Paper
from tests.unsteady_clock import TwoClocks

LOOK_EVERY_S = 600.0
DAY_S = 86_400.0
GOAL_S = 5 * 3_600.0
CATCH_UP = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """Some time in which a driver lives or is dead, and what is done to the clock before it."""

    lasts_s: float
    set_by_s: float
    is_driven: bool


def spells(least_s: float, most_s: float) -> st.SearchStrategy[list[Spell]]:
    return st.lists(
        st.builds(
            Spell,
            lasts_s=st.floats(60, 7_200),
            set_by_s=st.one_of(
                st.just(0.0), st.sampled_from((-1.0, -3_600.0, 3_600.0)), st.floats(least_s, most_s)
            ),
            is_driven=st.booleans(),
        ),
        max_size=6,
    )


def impatient(plan: Plan) -> Plan:
    """Return the plan with a goal of hours, and a commander who has half an hour to answer."""
    commander = replace(plan.roles[COMMANDER], acknowledge_within_s=1_800.0)
    return replace(
        plan,
        policy=replace(plan.policy, objectives=Objectives(rto_s=GOAL_S)),
        roles={**plan.roles, COMMANDER: commander},
    )


def live(days: list[Spell], *, is_activated: bool) -> tuple[Paper, TwoClocks]:
    """Let an incident live through all of it, and then on under a driver that lives."""
    clocks = TwoClocks()
    paper = Paper(plan=impatient(Paper().plan))
    paper.report()
    if is_activated:
        paper.activate(AT)
        paper.end(AT, "notify_users", "roster")
    quiet = Spell(lasts_s=GOAL_S * 1.2, set_by_s=0.0, is_driven=True)
    for spell in (*days, quiet):
        clocks.set_by_s(spell.set_by_s)
        if not spell.is_driven:
            clocks.pass_s(spell.lasts_s)
            continue
        clock = SteadyClock(clocks)  # another process: of the time before it knows only facts
        paper.restart()
        left_s = spell.lasts_s
        while left_s > 0:
            clock.not_before(paper.facts[-1].at)
            due_at = paper.drive(clock.now())
            wait_s = LOOK_EVERY_S
            if due_at is not None:
                wait_s = min(wait_s, max(0.5, (due_at - clock.now()).total_seconds()))
            clocks.pass_s(min(left_s, wait_s))
            left_s -= wait_s
    return paper, clocks


def due_of(event: ev.Event) -> tuple[str, str] | None:
    """Return which timer fired, None when it was none."""
    match event:
        case GoalShareSpent():
            return "goal", str(event.percent)
        case OutageProlonged():
            return "prolonged", event.how
        case ev.AskEscalated():
            return f"chase of {event.ask}", event.was_due_at.isoformat()
        case ev.NoticeQueued(kind="update"):
            return "update", event.notice
        case _:
            return None


def assert_once_and_in_order(paper: Paper) -> None:
    fired = [found for fact in paper.facts if (found := due_of(fact.event))]
    assert len(fired) == len(set(fired)), "a timer fired twice"
    assert all(one.at <= two.at for one, two in pairwise(paper.facts))
    goal = [what for kind, what in fired if kind == "goal"]
    assert goal == ["50", "75", "90", "100"], "a warning was lost, or they changed places"
    for fact in paper.facts:
        if isinstance(fact.event, Timing):
            assert fact.event.due_at <= fact.at, "it fired before its time"
            late_s = (fact.at - fact.event.due_at).total_seconds()
            assert fact.event.late_s == (round(late_s, 3) if late_s >= 5 else 0.0)
        if isinstance(fact.event, ev.AskEscalated):
            assert fact.event.was_due_at <= fact.at


@settings(max_examples=40, deadline=None)
@given(spells(-5_000.0, 5_000.0), st.booleans())
def test_each_timer_fires_once_and_in_order(days: list[Spell], is_activated: bool) -> None:
    paper, _ = live(days, is_activated=is_activated)
    assert_once_and_in_order(paper)
    how = [e.how for e in paper.of(OutageProlonged) if isinstance(e, OutageProlonged)]
    assert how == ([] if is_activated else ["lasts"])
    if is_activated:
        told_at = [
            fact.at
            for fact in paper.facts
            if isinstance(fact.event, ev.NoticeQueued) and fact.event.kind in ("outage", "update")
        ]
        cadence_s = paper.plan.policy.cadence_s
        assert all((two - one).total_seconds() >= cadence_s for one, two in pairwise(told_at)), (
            "news that was missed came in a heap"
        )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 7_200), max_size=4), st.floats(3_600, DAY_S))
def test_a_clock_that_is_set_back_lets_nothing_hang(back_s: list[float], begins_s: float) -> None:
    """However far it goes back: what is due in a time is told within that time and a tenth."""
    clocks, paper = TwoClocks(), Paper()
    paper.report()
    paper.activate(AT)
    clock = SteadyClock(clocks)
    clocks.pass_s(begins_s)
    paper.drive(clock.now())
    for set_back_s in back_s:
        clocks.set_by_s(-set_back_s)
    left_s = [
        (event_at - clock.now()).total_seconds()
        for event_at in [paper.drive(clock.now())]
        if event_at is not None
    ]
    for wait_s in left_s:
        before = len(paper.facts)
        clocks.pass_s(wait_s / CATCH_UP + 0.01)
        paper.drive(clock.now())
        assert len(paper.facts) > before, "the timer hangs"


def test_a_driver_whose_clock_just_stood_still_would_be_caught() -> None:
    """Planted: time as it was before, the wall clock that is not let run back. It hangs an hour."""
    clocks, paper = TwoClocks(), Paper()
    paper.report()
    paper.drive(AT)
    clocks.set_by_s(-3_600.0)
    clocks.pass_s(700.0)
    paper.drive(max(clocks.now(), paper.facts[-1].at))
    assert not paper.of(ev.AskEscalated), "the acknowledgement is overdue by 100 s and nobody knows"
    steady = SteadyClock(clocks)
    steady.not_before(paper.facts[-1].at)
    clocks.pass_s(700.0)
    paper.drive(steady.now())
    assert len(paper.of(ev.AskEscalated)) == 1


@pytest.mark.parametrize("set_by_s", [3_600.0, -3_600.0])
def test_a_jump_of_an_hour_in_the_midst_of_a_chase(set_by_s: float) -> None:
    spell = Spell(lasts_s=900.0, set_by_s=0.0, is_driven=True)
    jumps = Spell(lasts_s=900.0, set_by_s=set_by_s, is_driven=True)
    paper, _ = live([spell, jumps], is_activated=False)
    assert_once_and_in_order(paper)
