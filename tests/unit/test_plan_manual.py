# SPDX-License-Identifier: Apache-2.0
"""Steps done by people: sound as shipped, refused when nobody would know what to do or prove."""

import pytest

from blackstart.model.plan import Mode
from blackstart.model.runbook import MANUAL, POLICY_STEPS, Runbook
from blackstart.planfile.compile import compile_runbook
from tests.sample_manual import HEAD, SPEAKING
from tests.sample_plan import plan_of, problems_of

DO = '{ use: manual.do, params: { text: "Do it." } }'


def plan_with(*steps: str) -> str:
    """The manual plan with these overrides of steps."""
    return HEAD + ("    steps:\n" if steps else "") + "".join(f"      {s}\n" for s in steps)


def compiled(text: str) -> Runbook:
    return compile_runbook(plan_of(text), "shop", "recovery", Mode.RECOVERY, {})


def test_the_manual_profile_is_the_ten_steps_each_one_question() -> None:
    assert problems_of(plan_with(), SPEAKING) == ()
    runbook = compiled(plan_with())
    assert [step.name for step in runbook.steps] == list(POLICY_STEPS)
    for step in runbook.steps:
        assert [action.use for action in step.do] == [MANUAL]
        assert step.owner == "incident_commander"
        assert "${settings" not in str(step.do[0].params)
        assert step.do[0].expected_s >= 900


def test_what_a_person_hands_on_makes_others_wait() -> None:
    steps = {step.name: step for step in compiled(plan_with()).steps}
    assert "${create_environment.address}" in str(steps["update_dns"].do[0].params["text"])
    text = plan_with(
        "notify_users: { do: [x: { use: manual.do, params: { text: '${create_environment.address}'"
        " } }], owner: ops }"
    )
    told = next(step for step in compiled(text).steps if step.name == "notify_users")
    assert told.do[0].after == ("create_environment.create",)


def test_a_manual_action_has_times_of_people() -> None:
    step = compiled(plan_with(f"deploy_platform: {{ do: [x: {DO}] }}")).step("deploy_platform")
    assert (step.do[0].expected_s, step.do[0].limit_s) == (1_800.0, 86_400.0)


def with_params(params: str) -> str:
    return plan_with(f"deploy_platform: {{ do: [x: {{ use: manual.do, params: {params} }}] }}")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (with_params("{}"), "'manual.do' needs the parameter 'text' → add 'text'"),
        (with_params("{ text: '' }"), "the 'text' of 'x' is not text, and nobody would know"),
        (with_params("{ text: a, drill_text: 5 }"), "the 'drill_text' of 'x' is not text"),
        (with_params("{ text: 5 }"), "the 'text' of 'x' is not text"),
        (with_params("{ text: a, evidence: often }"), "'evidence' of 'x' says neither yes nor no"),
        (with_params("{ text: a, outputs: b }"), "the 'outputs' of 'x' are not a list → write"),
        (with_params("{ text: a, outputs: [B] }"), "'B' cannot be the name of an output → use l"),
        (with_params("{ text: a, outputs: [5] }"), "'5' cannot be the name of an output"),
        (with_params("{ text: a, outputs: [b, b] }"), "'x' has two outputs named 'b'"),
        (with_params("{ txt: a }"), "'manual.do' has no parameter 'txt' → did you mean 'text'?"),
        (with_params("{ text: '${assess_damage.x}' }"), "no output of 'assess_damage' named 'x'"),
        (plan_with("deploy_platform: { owner: ada }"), "the step's owner is no role and no team"),
        (plan_with("deploy_platform: { owner: oops }"), "there is no team, role or person 'oops'"),
        (
            plan_with("deploy_platform: { do: [x: { use: manual.doo }] }"),
            "there is no verb 'manual.doo' → did you mean 'manual.do'?",
        ),
        (
            plan_with(
                f"deploy_platform: {{ do: [x: {DO[:-2]}, vantage: out }}] }}".replace("} ,", "},")
            ),
            "'manual.do' is no check and does not look from anywhere",
        ),
    ],
)
def test_a_question_that_leads_nowhere_is_refused(text: str, problem: str) -> None:
    found = problems_of(text, SPEAKING)
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (f"create_environment: {{ do: [x: {DO}] }}", "the old site is not fenced before the new"),
        (f"update_dns: {{ do: [x: {DO}] }}", "nothing looks at the public name from outside"),
        (f"verify_observability: {{ do: [x: {DO}] }}", "nothing looks for open ports again when"),
        ("update_dns: { gate: '' }", "the gate of 'update_dns' cannot go"),
        ("restore_data: { do: [] }", "'restore_data' has no action left"),
        ("restore_data: { after: [assess_damage] }", "'restore_data' does not wait for 'secure_"),
        ("notify_users: { blocking: true }", "'notify_users' may not hold back the recovery"),
        (
            f"restore_data: {{ do: [x: {DO}, go: {{ use: app.start, after: [] }}] }}",
            "'go' starts the platform without waiting for x",
        ),
    ],
)
def test_the_hard_rules_hold_for_people_too(step: str, problem: str) -> None:
    found = problems_of(plan_with(step))
    assert any(problem in line for line in found), found


@pytest.mark.parametrize(
    ("step", "asked", "other"),
    [
        ("update_dns", "Look at it From  Outside.", "Look outside."),
        ("create_environment", "FENCE the old site.", "Mend the old site's defences."),
        ("verify_observability", "Look for OPEN  ports.", "Open the ports."),
        ("assess_damage", "The old site is fenced.", "It has no fencer."),
    ],
)
def test_a_person_counts_as_proof_only_when_he_is_asked_for_it(
    step: str, asked: str, other: str
) -> None:
    alone = step in {"update_dns", "verify_observability"}
    names = [step] if alone else ["create_environment", "assess_damage"]

    def text(words: str) -> str:
        dos = dict.fromkeys(names, "Do it.") | {step: words}
        outputs = {"create_environment": "address", "assess_damage": "restore_point"}
        return plan_with(
            *(
                f'{name}: {{ do: [x: {{ use: manual.do, params: {{ text: "{said}", '
                f"outputs: [{outputs.get(name, 'first_service_at')}] }} }}] }}"
                for name, said in dos.items()
            )
        )

    assert problems_of(text(asked), SPEAKING) == ()
    assert len(problems_of(text(other), SPEAKING)) == 1


DRILLED = HEAD.replace(
    "{ place: another region } }",
    "{ place: another region }, drill: { place: a third region, public_name: drill.x.example } }",
)


def drilled(text: str) -> Runbook:
    return compile_runbook(plan_of(text), "shop", "drill", Mode.DRILL, {})


def texts_of(runbook: Runbook) -> dict[str, str]:
    return {step.name: str(step.do[0].params["text"]) for step in runbook.steps}


def test_a_drill_by_hand_names_its_target_and_sends_nobody_to_production() -> None:
    asked = texts_of(drilled(DRILLED))
    assert "shop.example.com" not in str(asked)
    assert "drill.x.example" in asked["update_dns"]
    assert "In a drill: do not touch production; say how you would fence it" in str(asked)
    assert "Fence the old site first" not in str(asked)
    assert "Tell nobody outside" in asked["notify_users"]
    real = texts_of(compiled(DRILLED))
    assert "Tell everyone affected that shop.example.com is down" in real["notify_users"]
    assert "Fence the old site first" in real["create_environment"]
    assert all("drill_text" not in step.do[0].params for step in drilled(DRILLED).steps)


def test_own_words_without_words_for_a_drill_are_asked_with_a_warning() -> None:
    steps = (
        "    steps:\n      deploy_platform: { do: [x: { use: manual.do, params: { text: "
        "'Install ${settings.public_name}.' } }] }\n"
    )
    said = texts_of(drilled(DRILLED + steps))["deploy_platform"]
    assert said.startswith("In a drill: do not touch production")
    assert said.endswith("Install drill.x.example.")
    assert texts_of(compiled(DRILLED + steps))["deploy_platform"] == "Install shop.example.com."


def test_a_table_top_shows_no_placeholder() -> None:
    talked = compile_runbook(plan_of(plan_with()), "shop", "recovery", Mode.TABLETOP, {})
    asked = texts_of(talked)
    assert "what create_environment gives as address" in asked["update_dns"]
    assert "${" not in str(asked)
