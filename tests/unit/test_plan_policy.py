# SPDX-License-Identifier: Apache-2.0
"""What the policy and the people of a plan may be, each broken; and what is only warned of."""

from datetime import date

import pytest

from blackstart.model.people import is_away
from blackstart.model.plan import Plan
from blackstart.planfile.warnings import secrets_of, warnings_of
from tests.sample_manual import HEAD, SPEAKING
from tests.sample_plan import GOOD, plan_of, problems_of

TODAY = date(2026, 11, 24)
ADA, BEN = "ada: { name: Ada, ", "ben: { name: Ben, "


def edited(*changes: tuple[str, str]) -> str:
    text = HEAD
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def warned(plan: Plan) -> list[str]:
    return [flaw.what for flaw in warnings_of(plan, TODAY)]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("2026-01-01 }", "2026-01-01, drill_every: 1h }", "plan.yaml:3:46: 'drill_every' is short"),
        ("2026-01-01 }", "2026-01-01, drill_every: 90 }", "'drill_every' is a number ('90'), not"),
        ("2026-01-01 }", "2026-01-01, activate_when: { any: x } }", "'any' is text ('x'), not a l"),
        (
            "2026-01-01 }",
            "2026-01-01, activate_when: { any: [x], all: [x] } }",
            "the key 'all' is not known",
        ),
        ("2026-01-01 }", "2026-01-01, activate_when: {} }", "'any' is missing in 'policy.activate"),
        ("2026-01-01 }", "2026-01-01, activate_when: [5] }", "item 1 of 'activate_when' is a num"),
        (ADA, f"{ADA}away: 2026-12-24, ", "'away' is text ('2026-12-24'), not a list"),
        (ADA, f"{ADA}away: [soon], ", "'soon' is not a day, or the first and the last of several"),
        (ADA, f"{ADA}away: [2026-02-30], ", "plan.yaml:5:28: '2026-02-30' is no range of days"),
        (ADA, f"{ADA}away: [2026-12-24..2026-12-01], ", "'2026-12-24..2026-12-01' is no range"),
        ("ops: [ben]", "ops: []", "plan.yaml:8:10: nobody is in the team 'ops' → add a person"),
        ("    targets:", "    tiers: [{}]\n    targets:", "'name' is missing in"),
        ("    targets:", "    tiers: [{ name: a b }]\n    targets:", "'a b' is not a name of"),
        (
            "    targets:",
            "    tiers: [{ name: a }, { name: b, teams: [t] }]\n    targets:",
            "the tier 'a' names no teams, so it is all others, and is not the last → name its",
        ),
        (
            "    targets:",
            "    tiers: [{ name: a, teams: [t] }, { name: b, teams: [t] }]\n    targets:",
            "plan.yaml:16:49: the team 't' is in the tier 'a' already → keep one of them",
        ),
        (
            "    targets:",
            "    tiers: [{ name: a, teams: [t] }, { name: a }]\n    targets:",
            "'a' is there twice",
        ),
    ],
)
def test_what_policy_people_and_tiers_cannot_be(old: str, new: str, problem: str) -> None:
    found = problems_of(edited((old, new)), SPEAKING)
    assert len(found) == 1, found
    assert problem in found[0]


def test_the_policy_says_how_often_to_drill_and_when_to_activate() -> None:
    plan = plan_of(edited(("2026-01-01 }", "2026-01-01, drill_every: 90d }")))
    assert plan.policy.drill_every_s == 90 * 86_400
    assert plan_of(HEAD).policy.drill_every_s is None
    plan = plan_of(edited(("2026-01-01 }", "2026-01-01, activate_when: { any: [a, b] } }")))
    assert plan.policy.activate_when == ("a", "b")


def test_a_person_is_away_on_the_days_that_the_plan_says() -> None:
    plan = plan_of(edited((ADA, f"{ADA}away: [2026-12-01, 2026-12-24..2027-01-02], ")))
    ada = plan.people["ada"]
    away = [day for day in range(1, 32) if is_away(ada, date(2026, 12, day))]
    assert away == [1, *range(24, 32)]
    assert not is_away(plan.people["ben"], date(2026, 12, 24))


@pytest.mark.parametrize(
    ("ada", "ben", "day"),
    [
        ("2026-12-01..2026-12-10", "2026-12-10..2026-12-20", "2026-12-10"),
        ("2026-11-01..2026-12-31", "2026-11-20..2026-11-30", "2026-11-24"),
        ("2026-12-01..2026-12-10", "2026-12-11", ""),
        ("2026-11-01..2026-11-23", "2026-11-01..2026-11-23", ""),
        ("0001-01-01..9999-12-31", "2027-01-01..9999-12-31", "2027-01-01"),
    ],
)
def test_a_day_without_any_commander_is_warned_of(ada: str, ben: str, day: str) -> None:
    text = edited((ADA, f"{ADA}away: [{ada}], "), (BEN, f"{BEN}away: [{ben}], "))
    said = f"on {day} everyone who holds 'incident_commander' is away"
    assert warned(plan_of(text)) == ([said] if day else [])


def test_a_role_without_deputy_and_a_drill_without_target_are_warned_of() -> None:
    assert warned(plan_of(HEAD)) == []
    assert warned(plan_of(edited(("[ada, ben]", "[ada]")))) == [
        "'incident_commander' has no deputy: nobody is asked when its one holder is silent"
    ]
    often = edited(("2026-01-01 }", "2026-01-01, drill_every: 90d }"))
    assert warned(plan_of(often)) == [
        "the policy says 'drill_every', and 'shop' has no target 'drill'"
    ]


def test_the_secrets_that_must_be_there_are_found_with_their_places() -> None:
    found = secrets_of(plan_of())
    assert found["secret:file/etc/blackstart/slack.token"] == (
        "channels",
        "incident",
        "params",
        "token",
    )
    assert found["secret:file/srv/pki/ca.key"][-2:] == ("settings", "ca_key")
    assert len(found) == GOOD.count(": secret:")
    assert secrets_of(plan_of(HEAD)) == {}
