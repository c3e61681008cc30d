# SPDX-License-Identifier: Apache-2.0
"""The plan against the verbs that there are, and every reference against what it refers to."""

import dataclasses

import pytest

from blackstart.model.errors import PlanRejected
from blackstart.planfile.check import check_plan
from blackstart.planfile.load import load_located
from blackstart.planfile.verb_shape import VerbShape
from tests.sample_plan import (
    EXAMPLE,
    GOOD,
    SYSTEM,
    edited,
    only_problem_of,
    plan_of,
    problems_of,
    verbs_of,
)

VERBS = verbs_of(plan_of())
STEP = "      verify_platform:\n        manual: docs/verify-by-hand.md\n"


def with_actions(*actions: str) -> str:
    """The good plan with other actions in verify_platform."""
    items = "".join(f"          - {action}\n" for action in actions)
    return edited((STEP, f"      verify_platform:\n        do:\n{items}"))


def test_a_plan_that_uses_its_verbs_as_they_are_made_passes() -> None:
    assert problems_of(edited(), VERBS) == ()
    check_plan(plan_of(), VERBS)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("use: slack.post", "use: slack.pots", "no verb 'slack.pots' → did you mean 'slack.post'?"),
        ("use: slack.post", "use: slak.post", "there is no provider 'slak' → did you mean 'slack'"),
        ("use: slack.post", "use: site.create", "'site.create' is of kind action and cannot be"),
        ("token: secret", "tokne: secret", "'slack.post' has no parameter 'tokne' → did you mean"),
        ("token: secret", "tokne: secret", "'slack.post' needs the parameter 'token' → add 'tok"),
        ("use: http.expect", "use: dns.replace", "'dns.replace' is of kind action and cannot be"),
        ("timeout_s: 2", "time_s: 2", "'http.expect' has no parameter 'time_s' → did you mean"),
        (
            "restore: restore_data.database, check: restore",
            "restore: restore_dat.database, check: restore",
            "there is no verb, step or action 'restore_dat.database' → did you mean",
        ),
        ("check: pgbackrest.verify_point", "check: nothing", "no verb, step or action 'nothing'"),
    ],
)
def test_a_verb_used_otherwise_is_refused(old: str, new: str, problem: str) -> None:
    found = problems_of(edited((old, new)), VERBS)
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        ("x", "an action is one name with its verb → write '- name: { use: verb, params"),
        ("{ a: {}, b: {} }", "an action is one name with its verb"),
        ("a: {}", "'use' is missing in"),
        ("a b: { use: http.expect }", "'a b' cannot be the name of an action"),
        ("Http.Expect: {}", "'Http.Expect' is not a verb → write the verb like"),
        ("a: { use: http.expect, after: [b] }", "there is no step or action 'b'"),
        (
            "a: { use: http.expect, after: [restore_data.bd] }",
            "no step or action 'restore_data.bd'",
        ),
        ("a: { use: http.expect, vantage: moon }", "there is no vantage 'moon' → add it under"),
        ("a: { use: http.expect, expected: 2h }", "'a' is expected to take longer than its limit"),
        ("a: { use: http.expect, after: [a] }", "these wait for each other: verify_platform.a"),
        ("a: { use: http.expect, after: [update_dns] }", "these wait for each other: "),
        ("a: { use: http.expect, attempts: 0 }", "'attempts' is 0 → write a number from 1 to 100"),
        (
            "a: { use: http.expect, params: { url: '${settings.nme}' } }",
            "there is no setting 'nme'",
        ),
        ("a: { use: http.expect, params: { url: '${target.x}' } }", "target 'recovery' has no 'x'"),
        ("a: { use: http.expect, params: { url: ['${nothing.x}'] } }", "'${nothing.x}' leads nowh"),
        ("a: { use: http.expect, params: { url: '${x' } }", "'${x' opens a reference and does not"),
        (
            "a: { use: http.expect, params: { url: 'a ${tiers}' } }",
            "is a list or a mapping and sta",
        ),
        ("a: { use: http.expect, params: { url: '${secret:file/x}' } }", "without braces → write"),
        ("http.expect: { url: '${restore_data.database.x}' }", "no output of 'restore_data' named"),
        ("http.expect: { url: '${update_dns.x}' }", "there is no output of 'update_dns' named 'x'"),
        ("http.expect: [url]", "'params' is a list, not a mapping"),
        ("http.expect: { link: x }", "'http.expect' has no parameter 'link'"),
        ("site.create: {}", "'site.create' needs the parameter 'address' → add 'address'"),
        ("a: { use: email.smtp }", "'email.smtp' is of kind channel and cannot be used here"),
        (
            "a: { use: dns.replace, vantage: outside }",
            "'dns.replace' is no check and does not look",
        ),
    ],
)
def test_a_wrong_action_is_refused(action: str, problem: str) -> None:
    found = problems_of(with_actions(action), VERBS)
    assert any(problem in line for line in found), found


def test_two_actions_of_one_name_are_refused() -> None:
    action = "http.expect: { url: x, timeout_s: 2 }"
    assert "two actions named 'expect'" in "".join(problems_of(with_actions(action, action), VERBS))


def test_the_short_form_of_an_action_is_the_long_one() -> None:
    short = plan_of(with_actions("http.expect: { url: x }", "http.only: {}"))
    long = plan_of(
        with_actions("expect: { use: http.expect, params: { url: x } }", "only: { use: http.only }")
    )
    assert short.systems[SYSTEM].steps == long.systems[SYSTEM].steps


def test_outputs_are_judged_only_when_every_verb_of_the_step_is_known() -> None:
    text = with_actions("http.expect: { url: '${create_environment.x}' }")
    known = {name: shape for name, shape in VERBS.items() if name != "site.create"}
    found = problems_of(text, known)
    assert any("there is no verb 'site.create'" in line for line in found)
    assert not any("named 'x'" in line for line in found)
    assert problems_of(text) == ()


def test_a_missing_value_of_a_target_is_reported_once_however_often_it_is_used() -> None:
    problem = only_problem_of(edited(("        site: recovery\n", "")))
    assert "the target 'recovery' has no 'site', which the steps refer to → " in problem


@pytest.mark.parametrize("name", ["incident", "staff"])
def test_a_channel_over_which_people_are_asked_and_told_is_missed_before_the_night(
    name: str,
) -> None:
    text = GOOD.replace(f"  {name}: {{ use:", f"  other_{name}: {{ use:").replace(
        f"  {name}:\n", f"  other_{name}:\n"
    )
    assert f"there is no channel '{name}'" not in "".join(problems_of(GOOD))
    found = [line for line in problems_of(text) if f"there is no channel '{name}', over" in line]
    line_of_channels = text[: text.index("\nchannels:")].count("\n") + 2
    assert len(found) == 1
    assert found[0].startswith(f"plan.yaml:{line_of_channels}:")
    assert f"→ add '{name}' under 'channels'" in found[0]


def test_problems_without_places_say_the_path_instead() -> None:
    wrong = {**VERBS, "slack.post": VerbShape(kind="channel")}
    with pytest.raises(PlanRejected) as rejected:
        check_plan(plan_of(), wrong)
    assert all(line.startswith("channels.incident.params.") for line in rejected.value.problems)
    located = load_located(EXAMPLE)
    with pytest.raises(PlanRejected) as rejected:
        check_plan(located.plan, wrong, located.places)
    assert all(line.startswith(f"{EXAMPLE}:") for line in rejected.value.problems)


def test_a_watch_is_not_needed() -> None:
    plan = plan_of()
    system = dataclasses.replace(plan.systems[SYSTEM], watch=None)
    check_plan(dataclasses.replace(plan, systems={SYSTEM: system}), VERBS)
    assert system.watch is None
