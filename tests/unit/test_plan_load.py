# SPDX-License-Identifier: Apache-2.0
"""The plan file, loaded: what it says, and every mistake with its place and its remedy."""

from datetime import date
from pathlib import Path

import pytest

from blackstart.model.codec import digest_of
from blackstart.model.errors import PlanRejected
from blackstart.planfile.load import load_located, load_plan
from tests.sample_plan import EXAMPLE, GOOD, SYSTEM, edited, only_problem_of, plan_of, problems_of


def line_of(text: str) -> int:
    """The line of the good plan on which the text stands."""
    return next(n for n, line in enumerate(GOOD.splitlines(), 1) if text in line)


def test_the_example_says_what_it_says() -> None:
    plan = load_plan(EXAMPLE)
    assert plan.digest == digest_of(EXAMPLE.read_bytes())
    assert (plan.organisation, plan.policy.effective) == ("FlowFuse", date(2023, 7, 1))
    assert (plan.policy.objectives.rto_s, plan.policy.objectives.rpo_s) == (86_400.0, 3_600.0)
    assert (plan.policy.cadence_s, len(plan.policy.activate_when)) == (3_600.0, 4)
    assert plan.people["p1"].addresses["phone"] == "+441632960001"
    assert plan.roles["incident_commander"].holders == ("p1", "p2")
    assert plan.roles["incident_commander"].acknowledge_within_s == 600.0
    assert plan.teams["engineering"].members == ("p2", "p4")
    assert plan.channels["incident"].fallback == ("staff",)
    assert plan.channels["staff"].params["from"] == "incident@example.com"
    assert plan.vantages["outside"].run[0] == "ssh"


def test_a_system_has_what_its_profile_and_its_plan_give_it() -> None:
    system = plan_of().systems[SYSTEM]
    assert system.settings["version"] == "2.4.0"
    assert system.settings["stack"] == "3.1.15"
    assert not system.settings["packages"]
    assert [item.rpo_s for item in system.state] == [300.0, 3_600.0, 3_600.0]
    assert [tier.name for tier in system.tiers] == ["enterprise", "everyone-else"]
    recovery, drill = system.targets["recovery"], system.targets["drill"]
    assert (recovery.public_name, drill.public_name) == ("app.example.com", "app.drill.example.com")
    assert (drill.place, drill.site, drill.address) == ("/srv/sites", "drill", "192.0.2.30")
    assert (drill.values["hub"], drill.values["account"]) == ("hub", "333333333333")
    assert system.watch is not None
    assert system.watch.params["url"] == "https://app.example.com/"
    assert (system.watch.every_s, system.watch.confirm_after) == (30.0, 3)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("blackstart: 1\n", "blackstart: 2\n", "'blackstart' cannot be '2' → use one of: 1"),
        ("blackstart: 1\n", "blackstart: true\n", "'blackstart' cannot be 'true'"),
        ("blackstart: 1\n", "blackstart: [1]\n", "'blackstart' cannot be a list"),
        ("organisation: F", "organization: F", "the key 'organization' is not known here → did"),
        ("organisation: FlowFuse", "organisation: ' '", "'organisation' is left empty → write"),
        ("organisation: FlowFuse", "organisation: ''", "'organisation' is left empty"),
        ("organisation: FlowFuse", "organisation:", "'organisation' is empty, not text"),
        ("organisation: FlowFuse", "organisation: 12", 'not text → put it in quotes: "12"'),
        ("organisation: FlowFuse", "organisation: [x]", "'organisation' is a list, not text"),
        ("owner: p1", "owner: p9", "there is no person 'p9' → use one of: p1, p2, p3, p4, p5, p6"),
        ("2023-07-01", "2023-02-30", "'effective' is text ('2023-02-30'), not a day → write it"),
        ("2023-07-01", "[]", "'effective' is a list, not a day"),
        ("rto: 24h", "rto: 24", "'rto' is a number ('24'), not a duration → write it like 5m"),
        ("rto: 24h", "rto: 0h", "'0h' is not a duration → write it like 5m, 24h, 1h30m"),
        ("rto: 24h", "rto: 24 hours", "'24 hours' is not a duration"),
        ("rto: 24h", "rot: 24h", "the key 'rot' is not known in 'policy.objectives' → did you me"),
        ("  cadence: 1h", "  cadence: { every: 1h }", "'cadence' is a mapping, not a duration"),
        ('"+441632960001"', "+441632960001", 'put it in quotes: "+441632960001"'),
        ("holders: [p3]", "holders: p3", "'holders' is text ('p3'), not a list → write [one, t"),
        ("holders: [p3]", "holders: []", "nobody holds 'ceo' → add one person"),
        ("holders: [p3]", "holders: [p3, [p1]]", "item 2 of 'holders' is a list, not a name"),
        ("  ceo: {", "  c e o: {", "'c e o' is not a name of letters, digits, '-' and '_'"),
        ("  support: [p6]", "  support: [p7]", "there is no person 'p7'"),
        ("  incident_commander: {", "  commander: {", "nobody is 'incident_commander'"),
        ("use: slack.post", "use: slack", "'slack' is not a verb of a provider"),
        ("fallback: [staff]", "fallback: [stuff]", "there is no channel 'stuff' → did you mean"),
        ("fallback: [staff]", "fallback: [incident]", "each other's fallback: incident → let o"),
        ("profile: flowfuse/local@1", "profile: flowfuse/local@2", "there is no profile 'flow"),
        ("profile: flowfuse/local@1", "profile: ../../etc", "'../../etc' is not a profile with"),
        ('version: "2.4.0"', "versoin: 2.4.0", "no setting 'versoin' → did you mean 'version'?"),
        ("      zone: example.com\n", "", "the setting 'zone' is missing → add 'zone': the zone"),
        ("zone: example.com", "zone:", "the setting 'zone' is missing"),
        ("zone: example.com", 'zone: "${target.zone}"', "'zone' holds a reference, and none is f"),
        ("secret:file/srv/pki/ca.key", "hunter2", "'ca_key' is a secret and must not stand in"),
        ("drill:   ", "drill:\n        hub: hub2\n    x:", "the key 'x' is not known in 'systems"),
        ("like: recovery", "like: recovery2", "there is no target 'recovery2' → did you mean"),
        ("like: recovery", "like: drill", "the target 'drill' is, in the end, like itself"),
        ("hub: hub", 'hub: "${settings.hub}"', "'hub' holds a reference, and none is followed"),
        ("        hub: hub\n", "", "the target 'drill' has no 'hub', which the steps refer to"),
        ("confirm_after: 3", "confirm_after: 0", "'confirm_after' is 0 → write a number from 1"),
        ("confirm_after: 3", "confirm_after: true", "'confirm_after' is true or false ('true')"),
        ("confirm_after: 3", "confirm_after: 2.5", "'confirm_after' is a number ('2.5'), not a"),
        ("confirm_after: 3", "confirm_after: 3\n      vantage: moon", "no vantage 'moon'"),
        ("{settings.public_name}", "{settings.pubic_name}", "there is no setting 'pubic_name' → d"),
        ("{settings.public_name}", "{settings.public_name", "opens a reference and does not"),
        ("name: everyone-else", "name: enterprise", "'enterprise' is there twice"),
        ("name: credential-secret", "name: database", "'database' is there twice"),
        (
            "backup: pgbackrest, restore: restore_data.database, check: pgbackrest",
            "restore: x, check: ver",
            "the state item 'database' has no 'backup', so it could be lost unnoticed → add",
        ),
        ("verify_platform:\n", "verify_platfrom:\n", "no step of the profile 'verify_platfrom'"),
        ("owner: customer_liaison", "owner: marketing", "there is no team, role or person 'mar"),
        ("owner: customer_liaison", "owner:", "'owner' is empty, not a name"),
        ("owner: customer_liaison", "blocking: no", "'blocking' is text ('no'), not true or fal"),
        ("owner: customer_liaison", "phase: recover", "'phase' cannot be 'recover' → did you me"),
        ("owner: customer_liaison", "after: [update_dsn]", "there is no step 'update_dsn' → did"),
        (
            "manual: docs/verify-by-hand.md",
            "limit: 5m",
            "'limit' of a step with 5 actions says too lit",
        ),
        ("owner: customer_liaison", "gate: the_cto", "there is no role 'the_cto'"),
        (
            "owner: customer_liaison",
            "notices: [{ kind: recovered, channel: pager, audience: everyone }]",
            "there is no channel 'pager' → add it under 'channels'",
        ),
        (
            "owner: customer_liaison",
            "notices: [{ kind: recovered, channel: status, audience: all }]",
            "there is no audience 'all' → use one of: affected",
        ),
    ],
)
def test_one_mistake_gives_one_problem_with_its_remedy(old: str, new: str, problem: str) -> None:
    found = problems_of(edited((old, new)))
    assert any(problem in line for line in found), found
    assert all(line.startswith(("plan.yaml:", "flowfuse-local-1.yaml:")) for line in found)


def test_a_problem_names_file_line_and_column() -> None:
    where = line_of("holders: [p3]")
    problem = only_problem_of(edited(("holders: [p3]", "holders: [p3, p8]")))
    column = GOOD.splitlines()[where - 1].index("holders") + 1
    assert problem.startswith(f"plan.yaml:{where}:{column}: there is no person 'p8' → ")


def test_every_problem_is_reported_at_once_in_the_order_of_the_file() -> None:
    changes = (
        ("rto: 24h", "rto: soon"),
        ("holders: [p3]", "holders: [p8]"),
        ("use: slack.post", "uses: slack.post"),
        ("relay_host:", "relay_hots:"),
        ("confirm_after: 3", "confirm_after: many"),
    )
    found = problems_of(edited(*changes))
    lines = [int(problem.split(":")[1]) for problem in found]
    assert lines == sorted(lines)
    words = ("soon", "p8", "'use' is missing", "relay_hots", "'relay_host' is missing")
    for word in (*words, "many"):
        assert sum(word in problem for problem in found) >= 1, word
    assert len(found) == 6


def test_nothing_is_concluded_from_what_could_not_be_read() -> None:
    assert "'owner' is a list" in only_problem_of(edited(("owner: p1", "owner: [p1]")))
    for name, wrong in (("channels", "5"), ("vantages", "[x]"), ("people", "x")):
        before, _, rest = GOOD.partition(f"\n{name}:")
        after = rest.partition("\n\n")[2]
        problem = only_problem_of(f"{before}\n{name}: {wrong}\n\n{after}")
        assert f"'{name}' is " in problem
        assert ", not a mapping → write 'key: value' on lines of its own" in problem


def test_a_file_of_another_shape_is_refused() -> None:
    assert "the file is a list, not a mapping" in only_problem_of("[1, 2]")
    assert "the file is text ('hello'), not a mapping" in only_problem_of("hello")


def test_a_list_cannot_stand_in_the_text_of_the_watch() -> None:
    found = problems_of(
        edited(("zone: example.com", "zone: [a]"), ("{settings.public_name}/", "{settings.zone}/"))
    )
    assert any("'${settings.zone}' is a list or a mapping" in line for line in found)
    assert "cannot be read" in only_problem_of("a: [b")


def test_a_plan_without_systems_or_targets_is_refused() -> None:
    head = GOOD.partition("systems:")[0]
    assert "the plan has no system → add one" in only_problem_of(head + "systems: {}")
    bare = head + "systems: { x: { profile: flowfuse/local@1, targets: {} } }"
    assert any("the system has no target → add 'recovery'" in line for line in problems_of(bare))


def test_conditions_may_be_written_as_any() -> None:
    text = GOOD.replace("  activate_when:                        #", "  activate_when:\n    any: #")
    text = text.replace("    - the est", "     - the est").replace("    - data", "     - data")
    text = text.replace("    - the cause", "     - the cause").replace(
        "    - the comm", "     - the comm"
    )
    assert plan_of(text).policy.activate_when == plan_of().policy.activate_when
    text = edited(("  cadence: 1h", "  cadence: 1h #")).replace("    - data is lost", "    - [x]")
    assert "item 2 of 'activate_when' is a list, not text" in only_problem_of(text)


def test_a_file_that_cannot_be_read_is_explained(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.yaml", Path("nul\0.yaml")):
        with pytest.raises(PlanRejected) as rejected:
            load_plan(path)
        assert len(rejected.value.problems) == 1


def test_the_error_counts_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(edited(("owner: p1", "owner: p9")))
    with pytest.raises(PlanRejected, match="has one problem"):
        load_located(path)
    path.write_text("a: 1\nb: 2")
    with pytest.raises(PlanRejected, match="has 10 problems"):
        load_located(path)
    path.write_text("k: v\n" * 1000)
    with pytest.raises(PlanRejected, match="has 200 or more problems"):
        load_located(path)
