# SPDX-License-Identifier: Apache-2.0
"""The hard rules, each broken once: no plan can weaken them, neither loaded nor compiled."""

from dataclasses import replace

import pytest

from blackstart.model.errors import PlanRejected
from blackstart.model.plan import Mode, Plan
from blackstart.planfile.compile import compile_runbook
from tests.sample_plan import OUTPUTS_OF, SYSTEM, edited, plan_of, problems_of

LAST = "      announce_recovery:\n        owner: customer_liaison\n"
FENCE = """\
create_environment:
        do:
          - site: { use: site.create, params: { place: "${target.place}" } }
          - secrets: { use: secrets.generate }
"""

BROKEN = [
    ("update_dns: { gate: '' }", "the gate of 'update_dns' cannot go: a person decides"),
    ("restore_data: { after: [create_environment] }", "'restore_data' does not wait for 'secure_e"),
    ("restore_data: { after: [] }", "no data enters an environment that is not secured"),
    ("update_dns: { after: [verify_platform] }", "'update_dns' does not wait for 'verify_observab"),
    ("update_dns: { after: [verify_observability] }", "'update_dns' does not wait for 'verify_pl"),
    ("announce_recovery: { after: [verify_platform] }", "users are told only what was verified"),
    ("announce_recovery: { blocking: true }", "'announce_recovery' may not hold back the recovery"),
    ("notify_users: { blocking: true }", "'notify_users' may not hold back the recovery"),
    ("verify_platform: { blocking: false }", "'verify_platform' cannot be passed over when it f"),
    ("secure_environment: { blocking: false }", "'secure_environment' cannot be passed over"),
    ("assess_damage: { after: [notify_users] }", "'assess_damage' waits for 'notify_users', and"),
    (
        "deploy_platform: { do: [x: { use: http.expect, after: [notify_users.roster] }] }",
        "'deploy_platform' waits for 'notify_users'",
    ),
    ("verify_platform: { do: [] }", "'verify_platform' has no action left, and would be green"),
    ("secure_environment: { do: [] }", "'secure_environment' has no action left"),
    ("update_dns: { do: [dns.replace: { name: x }] }", "nothing looks at the public name from out"),
    (FENCE, "the old site is not fenced before the new one serves"),
    ("verify_platform: { do: [dns.replace: { name: x }] }", "'dns.replace' moves traffic and bel"),
    ("verify_platform: { do: [front.admit: {}] }", "behind the gate of 'update_dns' → move it to"),
    (
        "assess_damage: { do: [x: { use: pgbackrest.choose_point }, pgbackrest.restore: {}] }",
        "'pgbackrest.restore' brings data before 'secure_environment' has passed",
    ),
    (
        "restore_data: { do: [a.restore: {}, go: { use: x.start, after: [deploy_platform] }] }",
        "'go' starts the platform without waiting for restore → start it only on",
    ),
    (
        "deploy_platform: { do: [flowfuse.start: {}] }",
        "'start' starts the platform without waiting for restore_data → start it only on",
    ),
    (
        "verify_observability: { do: [http.expect: {}] }",
        "nothing looks for open ports again when the platform runs, before traffic moves",
    ),
    (
        "verify_observability: { do: [tcp.only: {}], after: [secure_environment] }",
        "nothing looks for open ports again",
    ),
    (
        "verify_observability: { do: [] }",
        "'verify_observability' has no action left, and would be green without proof",
    ),
    ("restore_data: { do: [] }", "'restore_data' has no action left"),
    ("update_dns: { do: [] }", "'update_dns' has no action left"),
    ("deploy_platform: { after: [announce_recovery] }", "waits for 'announce_recovery', and telli"),
    ("restore_data: { blocking: false }", "'restore_data' cannot be passed over when it fails"),
]


def with_step(override: str) -> str:
    """The good plan with another override of one step."""
    text = edited((LAST, f"      {override.rstrip()}\n"))
    name = override.partition(":")[0]
    own = "      verify_platform:\n        manual: docs/verify-by-hand.md\n"
    return text.replace(own, "") if name == "verify_platform" else text


@pytest.mark.parametrize(("override", "problem"), BROKEN)
def test_an_override_that_weakens_a_rule_is_refused(override: str, problem: str) -> None:
    found = problems_of(with_step(override))
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    "override",
    [
        "update_dns: { gate: ceo }",
        "restore_data: { after: [secure_environment, deploy_platform] }",
        "update_dns: { after: [verify_observability, verify_platform] }",
        "announce_recovery: { after: [update_dns], blocking: false }",
        "verify_platform: { blocking: true, manual: docs/by-hand.md }",
        "deploy_platform: { do: [expect: { use: http.expect, expected: 2m, limit: 1h }] }",
        "deploy_platform: { do: [http.expect: { url: x }], expected: 2m }",
        "deploy_platform: { do: [http.expect: { url: x }], limit: 1h }",
        "deploy_platform: { after: [secure_environment, create_environment] }",
        "verify_platform: { do: [flowfuse.start: {}] }",
        "verify_observability: { do: [site.listeners: {}] }",
    ],
)
def test_an_override_that_keeps_the_rules_is_taken(override: str) -> None:
    assert problems_of(with_step(override)) == ()


def test_the_times_of_a_step_are_those_of_its_only_action() -> None:
    text = "deploy_platform: { do: [http.expect: { url: x }], expected: 2m, limit: 1h30m }"
    step = next(s for s in plan_of(with_step(text)).systems[SYSTEM].steps if s.name[0] == "d")
    assert (step.do[0].expected_s, step.do[0].limit_s) == (120.0, 5_400.0)


def without_step(plan: Plan, name: str) -> Plan:
    system = plan.systems[SYSTEM]
    steps = tuple(step for step in system.steps if step.name != name)
    return replace(plan, systems={SYSTEM: replace(system, steps=steps)})


def test_a_plan_made_otherwise_than_by_loading_is_judged_when_it_is_compiled() -> None:
    plan = plan_of()
    system = plan.systems[SYSTEM]
    ungated = tuple(replace(step, gate="") for step in system.steps)
    weakened = replace(plan, systems={SYSTEM: replace(system, steps=ungated)})
    with pytest.raises(PlanRejected) as rejected:
        compile_runbook(weakened, SYSTEM, "drill", Mode.DRILL, OUTPUTS_OF)
    assert "the gate of 'update_dns' cannot go" in rejected.value.problems[0]


def test_rules_speak_only_of_steps_that_are_there() -> None:
    plan = plan_of()
    for name in ("announce_recovery", "update_dns", "restore_data"):
        plan = without_step(plan, name)
    system = plan.systems[SYSTEM]
    kept = tuple(step for step in system.steps if not step.name.startswith(("verify", "announce")))
    plan = replace(plan, systems={SYSTEM: replace(system, steps=kept)})
    runbook = compile_runbook(plan, SYSTEM, "recovery", Mode.RECOVERY, OUTPUTS_OF)
    assert [step.name for step in runbook.steps][-1] == "deploy_platform"
