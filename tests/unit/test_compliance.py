# SPDX-License-Identifier: Apache-2.0
"""A sentence counts as shown only while the fact that shows it stands in the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blackstart.model.events import (
    ActionEnded,
    IncidentReported,
    MeasureTaken,
    NoticeSettled,
    PostmortemDrafted,
    StepEnded,
)
from blackstart.model.runbook import POLICY_STEPS
from blackstart.reports.claims import CLAIMS
from blackstart.reports.compliance import (
    NOT_SHOWN,
    POLICY,
    STANDARDS,
    Row,
    Standing,
    against_policy,
    against_standards,
)
from blackstart.reports.drill import render_html
from blackstart.reports.record import DrillRecord
from blackstart.reports.scorecard import score
from tests.sample_records import sample_record, stopped_record

GOOD = sample_record()


def rows_of(record: DrillRecord) -> dict[tuple[str, str], Row]:
    card = score(record.facts, record.runbooks, record.objectives, record.item_goals)
    rows = (*against_policy(record, card), *against_standards(record, card))
    return {(row.place, row.asks): row for row in rows}


def standing(record: DrillRecord, place: str, words: str = "") -> Standing:
    found = [row for (at, asks), row in rows_of(record).items() if at == place and words in asks]
    assert len(found) == 1, (place, words)
    return found[0].standing


def without(kind: type, **fields: str) -> DrillRecord:
    """Return the good record less the facts of a kind whose fields begin so."""

    def goes(event: object) -> bool:
        return isinstance(event, kind) and all(
            str(getattr(event, name)).startswith(value) for name, value in fields.items()
        )

    return replace(GOOD, facts=tuple(fact for fact in GOOD.facts if not goes(fact.event)))


def test_every_claim_is_used_and_every_clause_names_known_claims() -> None:
    used = {name for clause in (*POLICY, *STANDARDS) for name in clause.claims}
    assert used == set(CLAIMS)
    assert set(POLICY_STEPS) <= used
    assert all(clause.claims or clause.elsewhere for clause in (*POLICY, *STANDARDS))


def test_the_ten_steps_of_a_good_drill_are_shown_with_evidence() -> None:
    rows = rows_of(GOOD)
    steps = [row for (place, _), row in rows.items() if place.startswith("Recovery ")]
    assert len(steps) == 10
    assert {row.standing for row in steps} == {Standing.SHOWN}
    assert any(row.proof.evidence for row in steps)


@pytest.mark.parametrize(
    ("kind", "fields", "place", "words"),
    [
        (StepEnded, {"step": "deploy_platform"}, "Recovery 5", ""),
        (MeasureTaken, {"name": "full_service"}, "Recovery", "24 hours"),
        (NoticeSettled, {"notice": "announced"}, "Notification 2", "Slack"),
        (PostmortemDrafted, {}, "Resolution", ""),
        (IncidentReported, {}, "Notification 1", "identified"),
    ],
)
def test_without_its_fact_a_sentence_is_not_shown(
    kind: type, fields: dict[str, str], place: str, words: str
) -> None:
    assert standing(GOOD, place, words) != Standing.NOT_SHOWN
    assert standing(without(kind, **fields), place, words) == Standing.NOT_SHOWN


def test_a_recovery_that_stopped_shows_only_what_was_reached() -> None:
    stopped = stopped_record()
    assert standing(stopped, "Recovery 4") == Standing.SHOWN
    assert standing(stopped, "Recovery 6") == Standing.NOT_SHOWN
    assert standing(stopped, "Recovery 10") == Standing.NOT_SHOWN
    assert standing(stopped, "SOC 2 A1.3") != Standing.SHOWN


def test_a_missed_goal_shows_nothing_and_is_named() -> None:
    late = replace(GOOD, objectives=replace(GOOD.objectives, rto_s=1.0))
    row = next(row for (_, asks), row in rows_of(late).items() if "within 24 hours" in asks)
    assert row.standing == Standing.NOT_SHOWN
    assert "(missed)" in row.proof.missing[0]


def test_what_a_machine_answered_is_no_decision_of_a_person() -> None:
    row = next(row for (place, _), row in rows_of(GOOD).items() if place == "Notification 3")
    assert row.standing == Standing.PARTLY
    assert "a machine answered" in " ".join(row.proof.missing)


def test_the_ceo_left_out_is_named() -> None:
    asks = "The CTO will notify the necessary teams of this decision, including the CEO."
    whole = rows_of(GOOD)["Notification 4", asks]
    less = rows_of(without(NoticeSettled, notice="activated/7.38/staff/role:ceo"))
    assert "that role:ceo was told" not in whole.proof.missing
    assert "that role:ceo was told" in less["Notification 4", asks].proof.missing


def test_a_record_that_nobody_verified_does_not_count_as_unaltered() -> None:
    article = ("DORA Art. 11", "Response and recovery")
    asked = replace(GOOD, journal_faults=())
    unasked = replace(GOOD, journal_faults=None)
    lines = [
        line
        for record in (asked, unasked)
        for (place, asks), row in rows_of(record).items()
        if place == article[0] and asks.startswith(article[1])
        for line in row.proof.missing
        if line == "unaltered"
    ]
    assert lines == ["unaltered"]


def test_one_drill_never_shows_that_it_is_done_regularly() -> None:
    assert standing(GOOD, "ISO 22301 8.5", "intervals") == Standing.NOT_SHOWN
    assert standing(GOOD, "DORA Art. 11", "once a year") == Standing.PARTLY


def test_an_action_that_failed_shows_nothing() -> None:
    facts = tuple(
        replace(fact, event=replace(fact.event, outcome="failed"))
        if isinstance(fact.event, ActionEnded) and fact.event.action == "backup"
        else fact
        for fact in GOOD.facts
    )
    asks = "Backups and recovery infrastructure exist, are operated and looked after."
    row = rows_of(replace(GOOD, facts=facts))["SOC 2 A1.2", asks]
    assert row.standing == Standing.PARTLY


def test_the_report_says_what_is_not_shown() -> None:
    page = render_html(GOOD)
    assert page.count(NOT_SHOWN) >= 3
    assert "To be shown by the vendors" in page


def test_an_empty_record_shows_nothing() -> None:
    rows = rows_of(replace(GOOD, facts=(), journal_faults=None))
    assert {row.standing for row in rows.values()} == {Standing.NOT_SHOWN}
