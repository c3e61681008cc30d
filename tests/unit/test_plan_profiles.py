# SPDX-License-Identifier: Apache-2.0
"""The shipped profiles are whole, and a broken one is explained like a broken plan."""

import pytest

from blackstart.model.plan import Mode
from blackstart.model.references import names_in
from blackstart.model.runbook import ASSESS_IMPACT, MANUAL, POLICY_STEPS
from blackstart.planfile.problems import Problems
from blackstart.planfile.procedure import usual_steps
from blackstart.planfile.profiles import load_profile, profile_names, read_profile
from blackstart.planfile.rehearsal import by_hand_in


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_has_every_step_of_the_policy_in_its_order(name: str) -> None:
    problems = Problems()
    profile = load_profile(name, problems)
    assert problems.lines() == ()
    assert profile.entry.profile == name
    names = [step.name for step in profile.entry.steps]
    assert [name for name in names if name != ASSESS_IMPACT] == list(POLICY_STEPS)
    titles = {step.name: step.title for step in profile.entry.steps}
    assert all(POLICY_STEPS[step] in str(titles[step]) for step in ("notify_users", "update_dns"))
    assert all(step.owner for step in profile.entry.steps)


@pytest.mark.parametrize("name", profile_names())
def test_no_words_of_a_drill_name_production(name: str) -> None:
    steps = usual_steps(load_profile(name, Problems()))
    by_hand = [by_hand_in(Mode.DRILL, action) for step in steps for action in step.do]
    texts = [action.params["text"] for action in by_hand if action.use == MANUAL]
    texts += [step.manual for step in steps]
    assert not any("settings.public_name" in names_in(text) for text in texts)


def test_there_is_a_profile_for_flowfuse() -> None:
    assert "flowfuse/local@1" in profile_names()


def test_an_unknown_profile_is_not_there() -> None:
    with pytest.raises(KeyError):
        load_profile("flowfuse/moon@1", Problems())


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"profile: x/y@1\n", "p.yaml:1:1: 'description' is missing here"),
        (b"a: [", "p.yaml:2:1: the YAML cannot be read"),
        (
            b"profile: x/y@1\ndescription: d\nsettings: {}\nsteps: [{ title: t }]",
            "p.yaml:4:9: 'name' is missing in 'steps.0' → add 'name'",
        ),
    ],
)
def test_a_broken_profile_is_explained(content: bytes, problem: str) -> None:
    problems = read_profile("p.yaml", content).problems
    assert any(problem in line for line in problems.lines()), problems.lines()
