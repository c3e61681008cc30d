# SPDX-License-Identifier: Apache-2.0
"""A drill is kept apart from production and from the place of a recovery, or it is refused."""

import pytest

from blackstart.model.errors import PlanRejected
from blackstart.model.plan import Mode
from blackstart.planfile.compile import compile_runbook
from tests.sample_plan import OUTPUTS_OF, SYSTEM, edited, plan_of, problems_of

DRILL = '        account: "333333333333"\n        public_name: app.drill.example.com\n'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("333333333333", "222222222222", "the 'account' of the drill is that of the target 'recov"),
        ("333333333333", "111111111111", "the 'account' of the drill is production's"),
        ("192.0.2.30", "192.0.2.20", "the 'address' of the drill is that of the target 'recovery'"),
        ("192.0.2.30", "192.0.2.10", "the 'address' of the drill is production's"),
        ("        public_name: app.drill.example.com\n", "", "the 'public_name' of the drill is"),
        ("        site: drill\n", "", "place and site of the drill are that of the target 'recove"),
        ("        site: drill\n", "        site: production\n", "the target 'drill' has the site"),
        (
            "        site: recovery\n",
            "        site: production\n",
            "target 'recovery' has the site",
        ),
        (
            '        account: "222222222222"\n',
            '        account: "222222222222"\n        recipients: [p1]\n',
            "the 'recipients' of the drill is that of the target 'recovery'",
        ),
        (
            '        account: "222222222222"\n',
            '        account: "222222222222"\n        production_site: drill\n',
            "place and site of the drill are production's",
        ),
    ],
)
def test_a_drill_that_could_touch_something_real_is_refused(
    old: str, new: str, problem: str
) -> None:
    found = problems_of(edited((old, new)))
    assert any(problem in line and "→ give the" in line for line in found), found


def test_a_drill_names_no_record_that_a_recovery_moves() -> None:
    assert problems_of(edited()) == ()
    own = '[{ name: broker.drill.example.com, kind: broker, new: "192.0.2.30" }]'
    assert problems_of(edited(("        records: []", f"        records: {own}"))) == ()
    shared = own.replace("broker.drill", "broker")
    for change in (
        ("        records: []", f"        records: {shared}"),
        ("        records: []                     # never those of a recovery\n", ""),
    ):
        found = problems_of(edited(change))
        assert any("the drill's 'records' and that of the target 're" in line for line in found)
        assert any("broker.example.com" in line and "would move them" in line for line in found)


def test_the_same_name_of_a_site_in_another_place_is_no_clash() -> None:
    change = ("        site: drill\n", "        place: /srv/drills\n")
    assert problems_of(edited(change)) == ()
    production = (
        "        production_address: 192.0.2.10\n",
        "        production_site: drill\n        production_place: /srv/live\n",
    )
    assert problems_of(edited(production)) == ()


def test_a_drill_goes_only_to_its_own_target() -> None:
    plan = plan_of()
    with pytest.raises(PlanRejected) as rejected:
        compile_runbook(plan, SYSTEM, "recovery", Mode.DRILL, OUTPUTS_OF)
    assert "a drill goes to the target 'drill', never to 'recovery'" in rejected.value.problems[0]
    assert compile_runbook(plan, SYSTEM, "drill", Mode.DRILL, OUTPUTS_OF).target == "drill"


def test_without_a_drill_target_there_is_no_drill() -> None:
    text = edited()
    head, _, tail = text.partition("      drill:  ")
    plan = plan_of(head + "    steps:" + tail.partition("    steps:")[2])
    with pytest.raises(PlanRejected) as rejected:
        compile_runbook(plan, SYSTEM, "recovery", Mode.DRILL, OUTPUTS_OF)
    assert "add a target 'drill' to the plan" in rejected.value.problems[0]
    assert compile_runbook(plan, SYSTEM, "recovery", Mode.TABLETOP, OUTPUTS_OF).steps
