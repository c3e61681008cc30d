# SPDX-License-Identifier: Apache-2.0
"""Slow actions and those past their limit: the owner is told once, the commander decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from blackstart.engine.decide import Act, Cancel, TakeBack, decide
from blackstart.engine.history import AT_LEAST, usual_times
from blackstart.model import events as ev
from blackstart.model import orders, steering, stopping
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.errors import NotAuthorised, Refused
from blackstart.model.incident import AskView
from blackstart.model.runbook import Runbook
from blackstart.model.states import StepState
from blackstart.model.timing import ActionDelayed, UsualTime
from blackstart.reports.timeline import timeline
from tests.engine_verbs import AT
from tests.engine_world import make_runbook
from tests.paper_driver import Paper, hours, minutes

STEP = "create_environment"
OWNED = {"site": (600.0, 3_600.0), "secrets": (5.0, 600.0)}  # action → expected, limit


def book(*, blocking: bool = True) -> Runbook:
    """Let devops own the making of the environment: its site takes ten minutes, an hour at most."""
    usual = make_runbook(Path("/nowhere"))
    steps = tuple(
        replace(
            step,
            owner="devops",
            manual="docs/by-hand.md",
            blocking=blocking,
            do=tuple(
                replace(a, expected_s=OWNED[a.name][0], limit_s=OWNED[a.name][1], attempts=3)
                for a in step.do
            ),
        )
        if step.name == STEP
        else step
        for step in usual.steps
    )
    return replace(usual, steps=steps)


def begun(*, usual: tuple[UsualTime, ...] = (), blocking: bool = True) -> Paper:
    """Return an incident whose site is being made since AT; its secrets and roster are done."""
    paper = Paper(runbooks={"shop": book(blocking=blocking)})
    paper.report(usual=usual)
    paper.activate(AT)
    paper.end(AT, STEP, "secrets")
    paper.end(AT, "notify_users", "roster")
    paper.drive(AT)
    return paper


def run_of(paper: Paper) -> str:
    return next(iter(paper.incident.runs))


def delays(paper: Paper) -> list[ActionDelayed]:
    return [e for e in paper.of(ActionDelayed) if isinstance(e, ActionDelayed)]


def asked(paper: Paper) -> list[AskView]:
    return [ask for ask in paper.incident.open_asks() if ask.opened.kind == "overdue"]


def test_the_owner_is_told_once_when_the_plan_s_time_is_over() -> None:
    paper = begun()
    paper.drive(AT + minutes(9.9))
    assert delays(paper) == []
    paper.run_until(AT + minutes(9.9), AT + minutes(59))
    (slow,) = delays(paper)
    assert (slow.action, slow.usual_s, slow.of) == ("site", 600.0, 0)
    assert (slow.due_at, slow.late_s) == (AT + minutes(10), 0.0)
    (name,) = paper.told("delayed")
    assert name.endswith("/staff/team:devops")
    body = paper.texts[name].body
    assert "- site: running for 10 min; the plan expects 10 min." in body
    assert "secrets" not in body
    assert "It goes on; nothing was ended." in body
    assert any(
        "Slow: create_environment.site" in row.sentence for row in timeline(tuple(paper.facts))
    )
    assert asked(paper) == []


def test_earlier_runs_know_better_than_the_plan() -> None:
    known = UsualTime(system="shop", step=STEP, action="site", p75_s=1_500.0, of=7)
    paper = begun(usual=(known, replace(known, system="desk", p75_s=1.0)))
    paper.run_until(AT, AT + minutes(24.9))
    assert delays(paper) == []
    paper.run_until(AT + minutes(24.9), AT + minutes(26))
    assert [(e.usual_s, e.of) for e in delays(paper)] == [(1_500.0, 7)]
    body = paper.texts[paper.told("delayed")[0]].body
    assert "three of four of the last 7 runs took at most 25 min" in body
    (estimate,) = (run.estimate for run in paper.incident.runs.values())
    assert estimate is not None
    assert estimate.basis.startswith("what three of four of the last 7 runs took at most")
    assert estimate.expected_s >= 1_500.0


def test_nobody_is_told_of_what_is_over_before_it_is_read() -> None:
    known = UsualTime(system="shop", step=STEP, action="site", p75_s=2.0, of=9)
    paper = begun(usual=(known,))
    paper.drive(AT + minutes(0.99))
    assert delays(paper) == []
    paper.drive(AT + minutes(1))
    assert len(delays(paper)) == 1


def test_what_ends_in_time_is_told_of_to_nobody() -> None:
    paper = begun()
    paper.end(AT + minutes(9), STEP, "site")
    paper.run_until(AT + minutes(9), AT + hours(2))
    assert [e.action for e in delays(paper) if e.step == STEP] == []
    assert not [a for a in paper.incident.asks if a.startswith(f"overdue:{run_of(paper)}:{STEP}")]


def test_past_the_limit_the_commander_is_asked_and_nothing_is_ended() -> None:
    paper = begun()
    paper.drive(AT + minutes(59.9))
    assert asked(paper) == []
    paper.run_until(AT + minutes(59.9), AT + minutes(61))
    (ask,) = asked(paper)
    opened = ask.opened
    assert (opened.role, opened.persons, opened.action) == ("incident_commander", ("p1",), "site")
    assert "site (touch.it) has run for 1 h; its limit is 1 h. It goes on" in opened.text
    assert opened.facts == ("usually: the plan expects 10 min", "by hand: docs/by-hand.md")
    assert [option.name for option in opened.options] == ["wait", "cancel", "by-hand", "stand-down"]
    assert "let it go on" in opened.options[0].meaning
    told = [name for name in paper.told("asked") if "overdue" in name]
    assert [name.rsplit("/", 1)[-1] for name in told] == ["person:p1"]
    assert not any(isinstance(d, Cancel) for d in decided(paper, AT + minutes(61)))
    assert paper.incident.runs[run_of(paper)].action(STEP, "site").state == "started"
    paper.run_until(AT + minutes(61), AT + minutes(71))
    assert any("#1#1/" in name for name in paper.told("asked")), "the deputy is asked too"


def decided(paper: Paper, now: datetime) -> tuple[object, ...]:
    return decide(paper.plan, paper.runbooks, paper.incident, now)


def past_limit() -> tuple[Paper, str, datetime]:
    paper = begun()
    now = AT + minutes(61)
    paper.run_until(AT, now)
    (ask,) = asked(paper)
    return paper, ask.opened.ask, now


@pytest.mark.parametrize(("for_s", "until_min"), [(0.0, 61 + 60), (1_800.0, 61 + 30)])
def test_wait_lets_it_go_on_and_asks_again_when_that_is_over(
    for_s: float, until_min: float
) -> None:
    paper, ask, now = past_limit()
    paper.say(now, ask, "wait", for_s=for_s)
    until = AT + minutes(until_min)
    assert paper.incident.runs[run_of(paper)].action(STEP, "site").extended_until == until
    paper.restart()
    paper.run_until(now, until - minutes(0.1))
    assert asked(paper) == []
    paper.run_until(until - minutes(0.1), until + minutes(1))
    (again,) = asked(paper)
    assert again.opened.ask == ask.replace("#1", "#2")
    assert any(f.startswith("it was allowed until ") for f in again.opened.facts)


@pytest.mark.parametrize("text", ["cancel", "by-hand"])
def test_a_person_who_ends_it_is_obeyed_by_whoever_drives(text: str) -> None:
    paper, ask, now = past_limit()
    assert Cancel(run=run_of(paper), step=STEP, action="site") not in decided(paper, now)
    paper.say(now, ask, text, why="it hangs")
    paper.restart()
    found = decided(paper, now)
    assert Cancel(run=run_of(paper), step=STEP, action="site") in found
    paper.run_until(now, now + minutes(30))
    assert asked(paper) == [], "nobody is asked about what is being ended"
    paper.end(now, STEP, "site", "failed")
    assert not any(isinstance(d, Act) and d.action == "site" for d in decided(paper, now)), (
        "it has attempts left, but a person ended it: only a person begins it again"
    )
    paper.drive(now)
    run = paper.incident.runs[run_of(paper)]
    assert run.step(STEP).state is StepState.FAILED
    (stopped,) = (a for a in paper.incident.open_asks() if a.opened.kind == "stopped")
    by_hand = text == "by-hand"
    assert stopped.opened.role == ("team:devops" if by_hand else "incident_commander")
    assert ("blackstart step done" in stopped.opened.text) is by_hand
    paper.say(now, stopped.opened.ask, "retry")
    paper.drive(now)
    again = paper.incident.runs[run_of(paper)].action(STEP, "site")
    assert (again.state, again.attempt, again.cancel) == ("started", 2, None)


def test_what_ends_by_itself_meanwhile_withdraws_the_question() -> None:
    paper, ask, now = past_limit()
    paper.end(now, STEP, "site")
    paper.drive(now)
    assert paper.incident.asks[ask].state == "withdrawn"
    with pytest.raises(Refused, match="No open question"):
        paper.say(now, ask, "cancel")


def test_a_step_that_may_fail_is_ended_and_does_not_hold_back_the_rest() -> None:
    paper = begun(blocking=False)
    now = AT + minutes(61)
    paper.run_until(AT, now)
    paper.say(now, asked(paper)[0].opened.ask, "cancel")
    paper.end(now, STEP, "site", "failed")
    paper.drive(now)
    assert paper.incident.runs[run_of(paper)].step(STEP).state is StepState.DEGRADED


def test_after_a_long_death_people_hear_of_it_only_if_the_first_look_does_not_end_it() -> None:
    paper = begun()
    late = AT + hours(3)
    paper.restart()
    paper.drive(late)
    assert [e.late_s for e in delays(paper)] == [2 * 3_600.0 + 50 * 60]
    assert len(asked(paper)) == 1
    assert paper.told("delayed") == []
    assert not [name for name in paper.told("asked") if "overdue" in name]
    ended = paper.facts[:], paper
    paper.end(late + timedelta(seconds=1), STEP, "site")
    paper.run_until(late + timedelta(seconds=1), late + minutes(1))
    assert not [name for name in paper.told("asked") if f":{STEP}:" in name]
    other = Paper(runbooks=ended[1].runbooks, facts=ended[0])
    other.run_until(late, late + timedelta(seconds=3))
    assert len([name for name in other.told("asked") if f":{STEP}:" in name]) == 1
    (told,) = other.told("delayed")
    assert "This comes 2 h 50 min later than it was due." in other.texts[told].body


def test_a_check_fails_by_itself_and_is_asked_about_only_when_it_does_not() -> None:
    paper = begun()
    run = run_of(paper)
    looks = ev.ActionStarted(
        run=run, step=STEP, action="site", attempt=1, key="k", ends_at_limit=True
    )
    paper.end(AT, STEP, "site", "failed")
    paper.record(AT, looks)
    paper.drive(AT + minutes(60.5))
    assert not asked(paper)
    paper.drive(AT + minutes(61))
    assert len(asked(paper)) == 1


def order_cancel(paper: Paper, by: str, step: str = STEP, action: str = "") -> tuple[ev.Event, ...]:
    incident = paper.incident
    return stopping.cancel(
        paper.plan,
        paper.runbooks,
        incident,
        steering.run_of(incident),
        step,
        by=by,
        why="it hangs",
        action=action,
    )


def test_step_cancel_ends_what_is_under_way_before_any_limit() -> None:
    paper = begun()
    (ordered,) = order_cancel(paper, "p4")  # of devops, who own the step
    assert isinstance(ordered, orders.CancelOrdered)
    assert (ordered.action, ordered.by_hand) == ("site", False)
    with pytest.raises(NotAuthorised):
        order_cancel(paper, "p3")
    with pytest.raises(Refused, match="is under way"):
        order_cancel(paper, "p1", action="secrets")
    with pytest.raises(Refused, match="is under way"):
        order_cancel(paper, "p1", step="restore_data")


def test_step_cancel_and_step_wait_answer_the_open_question() -> None:
    paper, ask, now = past_limit()
    ordered = order_cancel(paper, "p1")
    assert [e.ask for e in ordered if isinstance(e, ev.AskWithdrawn)] == [ask]
    incident = paper.incident
    extended = stopping.wait_longer(
        paper.plan,
        paper.runbooks,
        incident,
        steering.run_of(incident),
        STEP,
        by="p1",
        why="it gets on",
        now=now,
        for_s=60.0,
    )
    paper.record(now, *extended, by="p1")
    assert paper.incident.asks[ask].state == "withdrawn"
    with pytest.raises(NotAuthorised):
        stopping.wait_longer(
            paper.plan,
            paper.runbooks,
            incident,
            steering.run_of(incident),
            STEP,
            by="p4",
            why="",
            now=now,
            for_s=60.0,
        )


def test_only_the_commander_answers_and_standing_down_is_a_way_out() -> None:
    paper, ask, now = past_limit()
    known = Known(plan=paper.plan, runbooks=paper.runbooks, now=now)
    with pytest.raises(NotAuthorised):
        answer(known, paper.incident, ask, Answer(text="wait", by="p4"))
    with pytest.raises(Refused, match="wait or cancel or by-hand or stand-down"):
        answer(known, paper.incident, ask, Answer(text="hope", by="p1"))
    paper.say(now, ask, "stand-down", why="the vendor is back")
    assert paper.incident.state == "stood_down"
    assert asked(paper) == []


def test_what_was_ended_can_be_taken_back() -> None:
    paper, ask, now = past_limit()
    paper.say(now, ask, "cancel")
    paper.end(now, STEP, "site", "failed")
    paper.drive(now)
    incident = paper.incident
    made = steering.undo(
        paper.plan,
        paper.runbooks,
        incident,
        steering.run_of(incident),
        STEP,
        by="p1",
        why="another place",
    )
    paper.record(now, *made, by="p1")
    run = run_of(paper)
    assert TakeBack(run=run, step=STEP) in decided(paper, now)
    paper.record(now, orders.StepUndone(run=run, step=STEP, undone=("site",)))
    assert paper.incident.runs[run].step(STEP).state is StepState.WAITING
    assert (run, STEP, "site") not in paper.incident.under_way


def history(seconds: float, *, mode: str = "drill", seen: bool = True) -> tuple[ev.Fact, ...]:
    """Return the facts of an earlier incident whose site took so long."""
    paper = Paper(runbooks={"shop": book()})
    paper.report(mode=mode)
    paper.activate(AT)
    run = run_of(paper)
    if not seen:
        looked = ev.ActionInspected(
            run=run, step=STEP, action="site", key=f"{run}/{STEP}/site/1", finding="running"
        )
        paper.record(AT, looked)
    paper.end(AT + timedelta(seconds=seconds), STEP, "site")
    return tuple(paper.facts)


def of_site(*histories: tuple[ev.Fact, ...], system: str = "shop") -> list[tuple[float, int]]:
    found = usual_times(histories, (system,))
    return [(one.p75_s, one.of) for one in found if (one.step, one.action) == (STEP, "site")]


def test_three_of_four_runs_make_the_usual_time() -> None:
    four = tuple(history(s) for s in (100.0, 400.0, 200.0, 300.0))
    assert len(four) == AT_LEAST
    assert of_site(*four) == [(300.0, 4)]
    assert of_site(*four, history(1_000.0)) == [(400.0, 5)]
    assert of_site(*four[:3]) == [], "three runs say nothing"
    assert of_site(*four, system="desk") == []


def test_what_nobody_watched_or_only_talked_through_is_no_history() -> None:
    three = tuple(history(s) for s in (100.0, 200.0, 300.0))
    assert of_site(*three, history(9.0, mode="tabletop")) == []
    assert of_site(*three, history(9.0, seen=False)) == []
    assert of_site(*three, history(9.0, mode="recovery")) == [(200.0, 4)]
