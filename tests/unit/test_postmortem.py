# SPDX-License-Identifier: Apache-2.0
"""The draft holds what the record knows and leaves room for what only people know."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from blackstart.model.events import ActionEnded, Fact, IncidentReported
from blackstart.model.people import Person, Role
from blackstart.model.plan import Plan, Policy
from blackstart.reports.postmortem import draft_postmortem
from tests.sample_facts import complete_drill, stopped_drill
from tests.sample_records import PEOPLE
from tests.sample_steps import SYSTEM, sample_runbook

PLAN = Plan(
    organisation="FlowFuse",
    policy=Policy(owner="p1", effective=date(2023, 7, 1)),
    people={
        key: Person(id=key, name=name, addresses={"email": f"{key}@secret.example"})
        for key, name in PEOPLE.items()
    },
    roles={"incident_commander": Role(name="incident_commander", title="CTO", holders=("p1",))},
)


def drafted(facts: tuple[Fact, ...]) -> str:
    """Return the draft for facts of the sample."""
    return draft_postmortem(facts, {SYSTEM: sample_runbook()}, PLAN)


def test_every_part_is_there_in_order() -> None:
    titles = [line[3:] for line in drafted(complete_drill()).splitlines() if line.startswith("## ")]
    assert titles == [
        "Summary",
        "Impact",
        "Achieved against promised",
        "Timeline (UTC)",
        "What took longer than expected",
        "What degraded, failed or did not run",
        "Decisions",
        "Who was told",
        "Causes",
        "Lessons",
        "Actions",
        "Sign-off",
    ]


def test_measures_keep_goal_and_both_timestamps() -> None:
    draft = drafted(complete_drill())
    assert "| Full service, flowfuse-cloud | 45.3 s | 24 h | yes | 2026-11-23 03:02:11.240" in draft
    assert "Outage notices went to 4 affected users." in draft
    assert "| Action | Owner | Due date | Done |" in draft
    assert "Signed off by the CTO" in draft


def test_a_stop_is_the_first_line_of_the_summary() -> None:
    draft = drafted(stopped_drill())
    summary = draft.split("## Summary\n\n")[1]
    assert summary.startswith("The recovery stopped at “Restore data backup”")
    assert "What to do: Put the credential secret" in summary


def test_what_took_longer_is_sorted_by_the_difference() -> None:
    runbook = sample_runbook()
    hasty = tuple(
        replace(step, do=tuple(replace(action, expected_s=0.1) for action in step.do))
        for step in runbook.steps
    )
    draft = draft_postmortem(complete_drill(), {SYSTEM: replace(runbook, steps=hasty)}, PLAN)
    late = draft.split("## What took longer than expected\n\n")[1].split("\n\n")[0].splitlines()
    assert late[2].startswith("| Restore data backup |")
    assert late[3].startswith("| Deploy platform code |")
    assert "No step did." in drafted(complete_drill())


def test_a_table_top_exercise_lost_nothing_and_told_nobody() -> None:
    facts = complete_drill()
    talked = tuple(
        replace(fact, event=replace(fact.event, mode="tabletop"))
        if isinstance(fact.event, IncidentReported)
        else fact
        for fact in facts
    )
    draft = drafted(talked)
    assert "The procedure was talked through in" in draft
    assert "Nothing was lost, and nobody was told: this was a table-top exercise." in draft
    for untrue in ("cloud was lost, and", "drill again", "Outage notices went to", "not assessed"):
        assert untrue not in draft
    assert "talked through" not in drafted(facts)


def test_damage_that_was_assessed_by_hand_is_assessed() -> None:
    def blind(fact: Fact, outcome: str) -> Fact:
        event = fact.event
        if not isinstance(event, ActionEnded):
            return fact
        return replace(fact, event=replace(event, sightings=(), outcome=outcome))

    done = drafted(tuple(blind(fact, "done") for fact in complete_drill()))
    assert "The damage was assessed by hand." in done
    failed = drafted(tuple(blind(fact, "failed") for fact in complete_drill()))
    assert "The damage was not assessed." in failed


def test_automatic_answers_are_marked() -> None:
    assert "no person decided" in drafted(complete_drill()).split("## Decisions")[1]


def test_no_address_gets_in_and_no_text_breaks_a_table() -> None:
    facts = tuple(
        replace(fact, event=replace(fact.event, summary="a | b\n# <b>c</b>", outcome="failed"))
        if isinstance(fact.event, ActionEnded)
        else fact
        for fact in complete_drill()
    )
    draft = drafted(facts)
    assert "secret.example" not in draft
    assert "a \\| b # \\<b>c\\</b>" in draft


def test_facts_without_a_report_are_no_incident() -> None:
    with pytest.raises(ValueError, match="no incident"):
        drafted(())
