# SPDX-License-Identifier: Apache-2.0
"""The runbook: values filled in, and every action waiting for what it needs."""

from dataclasses import replace

import pytest

from blackstart.model.errors import PlanRejected
from blackstart.model.plan import Mode, Plan, System, Target
from blackstart.model.references import names_in
from blackstart.model.runbook import POLICY_STEPS, ActionSpec, Phase, Runbook, StepSpec
from blackstart.planfile.compile import compile_runbook
from tests.sample_plan import OUTPUTS_OF, SYSTEM, edited, plan_of


def compiled(target: str = "recovery") -> Runbook:
    mode = Mode.DRILL if target == "drill" else Mode.RECOVERY
    return compile_runbook(plan_of(), SYSTEM, target, mode, OUTPUTS_OF)


def action_of(runbook: Runbook, step: str, name: str) -> ActionSpec:
    return next(action for action in runbook.step(step).do if action.name == name)


def test_the_runbook_has_the_policy_steps_in_the_policy_order() -> None:
    runbook = compiled()
    assert [step.name for step in runbook.steps] == ["assess_impact", *POLICY_STEPS]
    assert [step.phase for step in runbook.steps][:2] == [Phase.NOTIFICATION, Phase.RECOVERY]
    assert (runbook.system, runbook.target) == (SYSTEM, "recovery")
    assert runbook.step("verify_platform").manual == "docs/verify-by-hand.md"
    assert runbook.step("announce_recovery").owner == "customer_liaison"
    assert runbook.step("update_dns").gate == "incident_commander"


def test_settings_targets_and_tiers_are_filled_in() -> None:
    runbook, drill = compiled(), compiled("drill")
    assert action_of(runbook, "create_environment", "site").params["site"] == "recovery"
    assert action_of(drill, "create_environment", "site").params["address"] == "192.0.2.30"
    assert action_of(drill, "update_dns", "record").params["name"] == "app.drill.example.com"
    assert action_of(drill, "assess_damage", "outside").params["public_name"] == "app.example.com"
    firewall = action_of(runbook, "secure_environment", "firewall").params
    assert isinstance(firewall["trusted"], dict)
    assert list(firewall["trusted"]) == ["192.0.2.53"]
    held = action_of(drill, "secure_environment", "held").params
    assert (held["url"], held["status"]) == ("https://app.drill.example.com/", 503)
    waves = action_of(runbook, "restore_data", "instances").params["waves"]
    assert waves == [
        {"name": "enterprise", "teams": ["alpha", "beta"]},
        {"name": "everyone-else", "teams": []},
    ]


def test_a_whole_parameter_keeps_the_type_of_its_value() -> None:
    text = edited(("      zone: example.com\n", "      zone: example.com\n      stable_for_s: 7\n"))
    runbook = compile_runbook(plan_of(text), SYSTEM, "drill", Mode.DRILL, OUTPUTS_OF)
    assert action_of(runbook, "verify_platform", "stable").params["for_s"] == 7


def test_only_outputs_of_steps_are_left_for_later() -> None:
    left = {
        name
        for step in compiled().steps
        for action in step.do
        for name in names_in(dict(action.params))
    }
    assert {name.partition(".")[0] for name in left} <= set(POLICY_STEPS)
    assert "create_environment.database_password" in left


def test_an_action_follows_the_one_before_it_unless_it_says_otherwise() -> None:
    runbook = compiled()
    assert action_of(runbook, "assess_damage", "outside").after == ()
    assert action_of(runbook, "assess_damage", "site").after == ()
    assert action_of(runbook, "restore_data", "promote").after == ("restore_data.database",)
    release = action_of(runbook, "restore_data", "release").after
    assert release == ("restore_data.rotate", "deploy_platform")
    assert action_of(runbook, "verify_platform", "backup").after == ("restore_data",)


def test_an_action_waits_for_the_outputs_that_it_refers_to() -> None:
    runbook = compiled()
    certificate = action_of(runbook, "create_environment", "certificate")
    assert certificate.after == ("create_environment.secrets", "create_environment.site")
    # create_environment has ended before secure_environment starts: nothing to add.
    assert action_of(runbook, "secure_environment", "hold").after == (
        "secure_environment.firewall",
    )


def system_of(*steps: StepSpec) -> Plan:
    target = Target(name="t", place="p", site="s", address="a", public_name="n")
    system = System(name="x", profile="", targets={"t": target}, steps=steps)
    return replace(plan_of(), systems={"x": system})


def step(name: str, *do: ActionSpec, after: tuple[str, ...] = ()) -> StepSpec:
    return StepSpec(name=name, title=name, do=do, after=after)


def act(name: str, use: str = "a.make", needs: str = "", after: tuple[str, ...] = ()) -> ActionSpec:
    params = {"needs": "${" + needs + "}"} if needs else {}
    return ActionSpec(name=name, use=use, params=dict(params), after=after)


def small(*steps: StepSpec, outputs_of: dict[str, frozenset[str]] | None = None) -> Runbook:
    made = {"a.make": frozenset({"thing"})} if outputs_of is None else outputs_of
    return compile_runbook(system_of(*steps), "x", "t", Mode.RECOVERY, made)


def test_references_between_steps_without_an_order_make_one() -> None:
    first = step("first", act("one", "b.look"), act("two"))
    runbook = small(first, step("second", act("three", needs="first.thing")))
    assert action_of(runbook, "second", "three").after == ("first.two",)
    whole = small(first, step("second", act("three", needs="first.thing")), outputs_of={})
    assert action_of(whole, "second", "three").after == ("first",)
    twice = step("second", act("three", needs="first.thing", after=("first.two",)))
    assert action_of(small(first, twice), "second", "three").after == ("first.two",)


def test_references_within_a_step_wait_for_who_makes_it_or_for_all_before() -> None:
    within = step("s", act("one", "b.look"), act("two"), act("three", "b.look", needs="s.thing"))
    assert action_of(small(within), "s", "three").after == ("s.two",)
    unknown = small(within, outputs_of={})
    assert action_of(unknown, "s", "three").after == ("s.one", "s.two")
    own = step("s", act("one", "b.look"), act("two", needs="s.thing"))
    assert action_of(small(own), "s", "two").after == ("s.one",)


@pytest.mark.parametrize(
    ("steps", "circle"),
    [
        ((step("a", after=("b",)), step("b", after=("a",))), "a, b"),
        ((step("a", after=("a",)),), "a"),
        ((step("a", act("x", needs="b.thing")), step("b", act("y"), after=("a",))), "b"),
        ((step("a", act("x", after=("a.y",)), act("y", after=("a.x",))),), "a.x"),
        ((step("a", act("x", after=("a",))),), "a.x"),
    ],
)
def test_what_waits_for_itself_is_refused(steps: tuple[StepSpec, ...], circle: str) -> None:
    with pytest.raises(PlanRejected) as rejected:
        small(*steps)
    assert "these wait for each other: " in rejected.value.problems[0]
    assert circle in rejected.value.problems[0]


@pytest.mark.parametrize(
    ("system", "target", "problem"),
    [
        ("flowfuse-clod", "drill", "there is no system 'flowfuse-clod' → did you mean"),
        (SYSTEM, "recovry", "there is no target 'recovry' → did you mean 'recovery'?"),
    ],
)
def test_a_choice_that_is_not_there_is_refused(system: str, target: str, problem: str) -> None:
    with pytest.raises(PlanRejected) as rejected:
        compile_runbook(plan_of(), system, target, Mode.RECOVERY, OUTPUTS_OF)
    assert problem in rejected.value.problems[0]


def test_a_reference_that_leads_nowhere_is_refused_even_in_a_plan_that_was_not_loaded() -> None:
    with pytest.raises(PlanRejected) as rejected:
        small(step("a", act("x", needs="target.hub")))
    assert "the target 't' has no 'hub'" in rejected.value.problems[0]
