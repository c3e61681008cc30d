# SPDX-License-Identifier: Apache-2.0
"""Warnings about the goal, the prolonged outage, and what came too late: each once, at its time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.timing import GoalShareSpent, OutageProlonged
from blackstart.reports.timeline import timeline
from tests.engine_verbs import AT
from tests.paper_driver import Paper, hours, minutes, names_of

OPTIONS_S = {"repair": 1_800.0, "wait": 7_200.0}


def shares(paper: Paper) -> list[tuple[int, datetime, float]]:
    found = [e for e in paper.of(GoalShareSpent) if isinstance(e, GoalShareSpent)]
    return [(e.percent, e.due_at, e.late_s) for e in found]


def prolonged(paper: Paper) -> list[OutageProlonged]:
    return [e for e in paper.of(OutageProlonged) if isinstance(e, OutageProlonged)]


def test_each_share_of_the_goal_is_warned_of_once_at_its_time() -> None:
    paper = Paper()
    paper.report()
    paper.activate(AT)
    paper.run_until(AT, AT + hours(30))
    due = [(50, hours(12)), (75, hours(18)), (90, hours(21.6)), (100, hours(24))]
    assert shares(paper) == [(percent, AT + at, 0.0) for percent, at in due]
    assert [f.at for f in paper.facts if isinstance(f.event, GoalShareSpent)] == [
        AT + at for _, at in due
    ]
    told = paper.told("goal")
    assert names_of(told) == ["50", "50", "75", "75", "90", "90", "100", "100"]
    assert told[0].endswith("/incident/everyone")
    assert told[1].endswith("/staff/role:incident_commander")


def test_before_the_first_share_is_spent_nobody_is_warned() -> None:
    paper = Paper()
    paper.report()
    paper.activate(AT)
    paper.drive(AT + hours(12) - minutes(0.01))
    assert shares(paper) == []
    assert paper.told("goal") == []


def test_a_system_that_serves_again_has_no_goal_to_miss() -> None:
    paper = Paper()
    paper.report()
    paper.activate(AT)
    run = next(iter(paper.incident.runs))
    paper.record(AT, ev.RunEnded(run=run, outcome="recovered"))
    paper.drive(AT + hours(30))
    assert shares(paper) == []


def test_what_was_missed_is_recorded_late_and_only_the_newest_is_told() -> None:
    paper = Paper()
    paper.report()
    paper.activate(AT)
    paper.drive(AT + hours(19))
    assert shares(paper) == [
        (50, AT + hours(12), 7 * 3_600.0),
        (75, AT + hours(18), 3_600.0),
    ]
    assert names_of(paper.told("goal")) == ["75", "75"]
    text = paper.texts[paper.told("goal")[0]]
    assert text.subject == "shop: 75 % of the 24 h that are the goal are gone"
    assert "; 5 h are left." in text.body
    assert "This comes 1 h later than it was due." in text.body
    rows = [row.sentence for row in timeline(tuple(paper.facts)) if "Goal" in row.sentence]
    assert rows[1] == (
        "Goal: 75 % of the 24 h that are the goal are gone. This comes 1 h later than it was due."
    )


def test_an_outage_that_is_reported_late_is_not_our_lateness() -> None:
    paper = Paper()
    paper.report(AT, since=AT - hours(13))
    paper.drive(AT)
    assert shares(paper) == [(50, AT - hours(1), 0.0)]


def test_a_corrected_start_warns_again_of_what_was_not_spent_yet() -> None:
    paper = Paper()
    paper.report(AT, since=AT - hours(13))
    paper.activate(AT)
    assert names_of(paper.told("goal")) == ["50", "50"]
    later = orders.OutageCorrected(outage_start=AT - hours(1), by="p1", why="it was a test")
    paper.record(AT, later, by="p1")
    paper.drive(AT)
    assert len(shares(paper)) == 1
    paper.run_until(AT, AT + hours(11))
    assert shares(paper)[1:] == [(50, AT + hours(11), 0.0)]
    assert names_of(paper.told("goal")) == ["50"] * 4
    earlier = orders.OutageCorrected(outage_start=AT - hours(3), by="p1", why="the log says so")
    paper.record(AT + hours(11), earlier, by="p1")
    paper.drive(AT + hours(11))
    assert len(shares(paper)) == 2, "what was told is not told again"


@pytest.mark.parametrize("is_acknowledged", [True, False])
def test_a_prolonged_outage_presses_the_commander_until_recovery_is_activated(
    is_acknowledged: bool,
) -> None:
    paper = Paper()
    paper.report()
    if is_acknowledged:
        paper.drive(AT)
        paper.say(AT, "acknowledge", "acknowledged")
    paper.drive(AT + minutes(59.9))
    assert prolonged(paper) == []
    paper.run_until(AT + minutes(59.9), AT + hours(2))
    found = prolonged(paper)
    assert [(e.how, e.due_at, e.late_s) for e in found] == [("lasts", AT + hours(1), 0.0)]
    told = paper.told("prolonged")
    assert [name.split("/", 2)[2] for name in told] == [
        "incident/everyone",
        "staff/role:incident_commander",
    ]
    body = paper.texts[told[0]].body
    assert "The outage has lasted 1 h; an outage of more than 1 h is a prolonged one." in body
    assert f"blackstart activate {paper.incident.id} --as YOUR-ID" in body
    assert ("blackstart acknowledge" in body) is not is_acknowledged


def test_nobody_is_pressed_once_recovery_is_activated() -> None:
    paper = Paper()
    paper.report()
    paper.activate(AT)
    paper.run_until(AT, AT + hours(3))
    assert prolonged(paper) == []


def decided(option: str, expected_s: float) -> Paper:
    """Return an incident whose option was estimated and chosen ten minutes after it began."""
    paper = Paper()
    paper.report()
    paper.drive(AT)
    paper.say(AT, "acknowledge", "acknowledged")
    paper.drive(AT)
    at = AT + minutes(10)
    made = orders.OptionEstimated(option=option, expected_s=expected_s, by="p4")
    paper.record(at, made, by="p4")
    paper.end(at, "assess_impact", "look")
    paper.drive(at)
    paper.say(at, "decision", option, why="it looks easy")
    paper.drive(at)
    return paper


def test_an_estimate_beyond_what_is_short_says_at_once_that_it_will_be_prolonged() -> None:
    paper = decided("repair", OPTIONS_S["wait"])
    found = prolonged(paper)
    assert [(e.how, e.out_s, e.basis) for e in found] == [
        ("expected", 7_800.0, "repair: 2 h by the estimate of p4")
    ]
    body = paper.texts[paper.told("prolonged")[0]].body
    assert "is expected to last 2 h 10 min (repair: 2 h by the estimate of p4)" in body
    assert "So far P1 chose: repair (it looks easy)." in body
    decision = [ask for ask in paper.incident.open_asks() if ask.opened.kind == "decision"]
    assert any("a prolonged one" in fact for fact in decision[0].opened.facts)
    paper.run_until(AT + minutes(10), AT + hours(2))
    assert [e.how for e in prolonged(paper)] == ["expected", "lasts"], "that it does is told too"


def test_an_estimate_within_what_is_short_says_nothing() -> None:
    paper = decided("repair", OPTIONS_S["repair"])
    assert prolonged(paper) == []


def test_the_fastest_way_counts_until_one_is_chosen() -> None:
    paper = Paper()
    paper.report()
    paper.drive(AT)
    paper.say(AT, "acknowledge", "acknowledged")
    slow = orders.OptionEstimated(option="wait", expected_s=OPTIONS_S["wait"], by="p4")
    paper.record(AT, slow, by="p4")
    paper.drive(AT)
    assert [e.how for e in prolonged(paper)] == ["expected"], "no other way is known"
    paper = Paper()
    paper.report()
    paper.drive(AT)
    paper.say(AT, "acknowledge", "acknowledged")
    paper.end(AT, "assess_impact", "look")
    paper.drive(AT)  # now the rebuild is estimated, at seconds
    paper.record(AT, slow, by="p4")
    paper.drive(AT)
    assert prolonged(paper) == []
    (rebuild,) = (run.estimate for run in paper.incident.runs.values())
    assert rebuild is not None
    paper.run_until(AT, AT + minutes(59.99))
    (found,) = prolonged(paper)
    assert found.how == "expected"
    assert "a rebuild begun now" in found.basis


def test_a_chase_that_comes_too_late_says_by_how_much_and_comes_once() -> None:
    paper = Paper()
    paper.report()
    paper.drive(AT)
    paper.drive(AT + hours(0.5))
    found = [e for e in paper.of(ev.AskEscalated) if isinstance(e, ev.AskEscalated)]
    assert [(e.person, e.was_due_at, e.late_s) for e in found] == [
        ("p2", AT + minutes(10), 1_200.0)
    ]
    assert found[0].due_at == AT + hours(0.5) + minutes(10)
    chase = [name for name in paper.told("asked") if "#1" in name]
    assert len(chase) == 2
    assert all("This comes 20 min later than it was due." in paper.texts[n].body for n in chase)
    assert "This comes" not in paper.texts[paper.told("asked")[0]].body
    rows = [row.sentence for row in timeline(tuple(paper.facts))]
    assert any("p2 is asked as well (20 min late)." in row for row in rows)


def test_a_chase_in_time_is_not_marked() -> None:
    paper = Paper()
    paper.report()
    paper.run_until(AT, AT + minutes(10.05))
    found = [e for e in paper.of(ev.AskEscalated) if isinstance(e, ev.AskEscalated)]
    assert [e.late_s for e in found] == [0.0]


def test_several_updates_that_were_missed_become_one_that_says_it_is_late() -> None:
    paper = Paper()
    paper.report()
    paper.activate(AT)
    paper.end(AT, "notify_users", "roster")
    paper.drive(AT)
    paper.drive(AT + hours(5.5))
    (name,) = paper.told("update")
    assert "This comes 4 h 30 min later than it was due." in paper.texts[name].body
    queued = [e for e in paper.of(ev.NoticeQueued) if isinstance(e, ev.NoticeQueued)]
    assert [e.late_s for e in queued if e.kind == "update"] == [4.5 * 3_600]
    paper.drive(AT + hours(6.4))
    assert len(paper.told("update")) == 1
    paper.run_until(AT + hours(6.4), AT + hours(6.5))
    assert len(paper.told("update")) == 2
    assert "This comes" not in paper.texts[paper.told("update")[1]].body


def test_all_of_a_late_batch_say_so() -> None:
    def both(paper: Paper) -> Paper:
        book = paper.runbooks["shop"]
        steps = tuple(
            replace(step, notices=(*step.notices, replace(step.notices[0], channel="staff")))
            if step.name == "notify_users"
            else step
            for step in book.steps
        )
        return Paper(runbooks={"shop": replace(book, steps=steps)})

    paper = both(Paper())
    paper.report()
    paper.activate(AT)
    paper.end(AT, "notify_users", "roster")
    paper.drive(AT)
    paper.drive(AT + hours(2))
    told = paper.told("update")
    assert len(told) == 2
    assert all("This comes 1 h later" in paper.texts[name].body for name in told)


def test_over_another_channel_it_is_as_late() -> None:
    plan = Paper().plan
    staff = replace(plan.channels["staff"], fallback=("users",))
    paper = Paper(plan=replace(plan, channels={**plan.channels, "staff": staff}))
    paper.report()
    paper.drive(AT)
    refused = ev.NoticeQueued(
        notice="asked/acknowledge#9/staff/person:p1",
        kind="asked",
        channel="staff",
        audience="person:p1",
        recipients=1,
        subject="s",
        body="b" * 64,
        late_s=60.0,
    )
    settled = ev.NoticeSettled(
        notice=refused.notice, accepted=0, refused=1, uncertain=0, receipt="r" * 64
    )
    paper.record(AT, refused, settled)
    paper.drive(AT)
    queued = [e for e in paper.of(ev.NoticeQueued) if isinstance(e, ev.NoticeQueued)]
    assert [(e.channel, e.late_s) for e in queued if " refused" in e.notice] == [("users", 60.0)]
