# SPDX-License-Identifier: Apache-2.0
"""The scorecard measures what the facts hold: times, goals, idle time, the critical path."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from blackstart.model.events import (
    ActionEnded,
    ActionStarted,
    AskAnswered,
    AskOpened,
    Event,
    Fact,
    MeasureTaken,
    RecoveryActivated,
    StepEnded,
    StepStarted,
)
from blackstart.model.plan import Objectives
from blackstart.model.runbook import ActionSpec, StepSpec
from blackstart.reports.path import critical_path, expected_of
from blackstart.reports.scorecard import Scorecard, idle_share, score
from tests.sample_facts import OUTAGE_START, chain, complete_drill, half_done, stopped_drill
from tests.sample_steps import sample_runbook


def scored(facts: tuple[Fact, ...], rpo_s: float = 300.0) -> Scorecard:
    """Return the scorecard of facts of the sample."""
    return score(facts, (sample_runbook(),), Objectives(), {"database": rpo_s})


def at(*events: tuple[float, Event]) -> tuple[Fact, ...]:
    """Return facts at so many seconds after the outage."""
    return chain(
        (OUTAGE_START + timedelta(seconds=seconds), "blackstart", event)
        for seconds, event in events
    )


def activated() -> RecoveryActivated:
    """Return an activation."""
    return RecoveryActivated(by="p1", option="rebuild", why="", facts=(), how="command")


def started(key: str) -> ActionStarted:
    """Return the start of an action."""
    return ActionStarted(run="r", step="s", action=key, attempt=1, key=key)


def ended(key: str) -> ActionEnded:
    """Return the end of an action."""
    return ActionEnded(run="r", step="s", action=key, key=key, outcome="done")


END = StepEnded(run="r", step="s", outcome="verified")


def test_steps_are_in_the_order_of_the_policy_with_their_times() -> None:
    steps = scored(complete_drill()).steps
    assert [step.number for step in steps] == list(range(11))
    restore = steps[6]
    assert restore.name == "restore_data"
    assert restore.expected_s == pytest.approx(35.0)
    assert restore.took_s == pytest.approx(22.51, abs=0.01)
    assert restore.outcome == "verified"
    assert len(restore.evidence) == 8


def test_a_step_that_did_not_start_is_there_and_waits() -> None:
    steps = {step.name: step for step in scored(stopped_drill()).steps}
    assert steps["restore_data"].outcome == "failed"
    assert steps["restore_data"].failure is not None
    assert steps["update_dns"].outcome == "waiting"
    assert steps["update_dns"].took_s is None


def test_measures_keep_both_timestamps_and_are_judged() -> None:
    card = scored(complete_drill())
    assert card.full_service is not None
    assert card.full_service.start == OUTAGE_START
    assert card.full_service.value_s == pytest.approx(45.27, abs=0.05)
    assert card.full_service.is_met
    rpo = card.worst("rpo")
    assert rpo is not None
    assert rpo.value_s == pytest.approx(0.06)
    assert rpo.is_met
    strict = scored(complete_drill(), rpo_s=0.01).worst("rpo")
    assert strict is not None
    assert not strict.is_met


def test_the_worst_item_is_the_headline() -> None:
    late = MeasureTaken(
        name="rpo:files",
        system="flowfuse-cloud",
        start=OUTAGE_START - timedelta(hours=2),
        end=OUTAGE_START,
    )
    facts = complete_drill()
    more = replace(facts[-1], event=late)
    worst = scored((*facts, more)).worst("rpo")
    assert worst is not None
    assert worst.name == "rpo:files"
    assert not worst.is_met  # the plan's own goal holds for an item without one


def test_idle_is_what_neither_acts_nor_waits_for_a_person() -> None:
    gate = AskOpened(ask="g", kind="gate", text="Go?", role="r", persons=())
    facts = at(
        (0.0, activated()),
        (1.0, started("a")),
        (2.0, started("b")),
        (4.0, ended("a")),
        (5.0, ended("b")),
        (6.0, gate),
        (8.0, AskAnswered(ask="g", answer="go", by="p1")),
        (8.0, started("c")),
        (10.0, ended("c")),
        (10.0, END),
    )
    assert idle_share(facts) == pytest.approx(0.2)  # from 0 to 1 and from 5 to 6


def test_a_question_for_information_holds_nothing_back() -> None:
    asked = AskOpened(ask="q", kind="question", text="What?", role="r", persons=())
    assert idle_share(at((0.0, activated()), (0.0, asked), (10.0, END))) == pytest.approx(1.0)


def test_without_an_activation_nothing_was_idle() -> None:
    assert idle_share(at((0.0, StepStarted(run="r", step="s")), (9.0, END))) == 0.0


def test_the_sample_drill_is_hardly_idle() -> None:
    assert 0.0 < idle_share(complete_drill()) < 0.03


def test_the_critical_path_follows_what_was_waited_for() -> None:
    path = critical_path(complete_drill(), (sample_runbook(),))
    names = [f"{piece.step}.{piece.name}" for piece in path]
    assert names[0] == "assess_damage.outside"
    assert "deploy_platform.install" in names  # later than the promotion, so it held the start back
    assert "restore_data.database" not in names
    assert names[names.index("update_dns.admit") - 1] == "update_dns.gate"
    assert names[-1] == "announce_recovery.announce_recovery"
    whole_s = sum(piece.took_s + piece.gap_s for piece in path)
    since_outage_s = (path[-1].ended_at - OUTAGE_START).total_seconds()
    assert whole_s == pytest.approx(since_outage_s - 7.37, abs=0.1)  # activated after 7.37 s


def test_the_path_of_a_stopped_recovery_leads_to_the_stop() -> None:
    path = critical_path(stopped_drill(), (sample_runbook(),))
    assert (path[-1].step, path[-1].name) == ("restore_data", "credentials")


def test_there_is_no_path_before_the_activation() -> None:
    assert critical_path(half_done(6.0), (sample_runbook(),)) == ()


def test_what_runs_at_once_is_expected_once() -> None:
    step = StepSpec(
        name="s",
        title="S",
        do=(
            ActionSpec(name="a", use="x.y", expected_s=3.0),
            ActionSpec(name="b", use="x.y", expected_s=5.0),
            ActionSpec(name="c", use="x.y", expected_s=2.0, after=("s.a", "other.z")),
        ),
    )
    assert expected_of(step) == pytest.approx(5.0)
    assert expected_of(replace(step, do=())) == 0.0


def test_one_clock_from_the_last_good_moment_to_the_last_notice() -> None:
    names = [each.name for each in scored(complete_drill()).milestones]
    assert names == [
        "Last seen good",
        "Outage began",
        "Incident identified",
        "Acknowledged",
        "Impact estimated",
        "Recovery activated",
        "Users told of the outage",
        "Data restored",
        "Platform verified",
        "First service",
        "Full service",
        "Users told of the recovery",
    ]
