# SPDX-License-Identifier: Apache-2.0
"""A table-top run of the shipped plan: every step is a question, nothing is done."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from blackstart.bootstrap import compile_for, open_home, read_plan
from blackstart.cli import group
from blackstart.model.incident import fold
from blackstart.model.plan import Mode
from blackstart.model.runbook import MANUAL
from blackstart.planfile.tabletop import talked_through

EXAMPLE = Path(__file__).parents[2] / "examples" / "flowfuse" / "blackstart.yaml"
SYSTEM = "flowfuse-cloud"


def test_every_step_becomes_one_question_that_says_what_would_be_done() -> None:
    plan = read_plan(EXAMPLE)
    real = compile_for(plan, SYSTEM, "recovery", Mode.RECOVERY)
    talked = compile_for(plan, SYSTEM, "recovery", Mode.TABLETOP)
    assert [step.name for step in talked.steps] == [step.name for step in real.steps]
    assert [step.gate for step in talked.steps] == [step.gate for step in real.steps]
    assert [step.owner for step in talked.steps] == [step.owner for step in real.steps]
    assert {action.use for step in talked.steps for action in step.do} == {MANUAL}
    assert not any(step.notices for step in talked.steps)
    restore = talked.step("restore_data").do[0]
    for action in real.step("restore_data").do:
        assert f"- {action.name}: {action.use}" in str(restore.params["text"])
    told = str(talked.step("notify_users").do[0].params["text"])
    assert "tell affected over users (outage); not sent now" in told


def test_what_is_done_by_hand_keeps_its_text() -> None:
    plan = read_plan(EXAMPLE)
    step = compile_for(plan, SYSTEM, "recovery", Mode.RECOVERY).steps[0]
    by_hand = replace(
        step, do=(replace(step.do[0], use=MANUAL, params={"text": "Ring the landlord."}),)
    )
    assert "- by hand: Ring the landlord." in str(talked_through(by_hand).do[0].params["text"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_table_top_run_goes_to_its_end_by_command_and_changes_nothing(home: Path) -> None:
    runner = CliRunner()
    at = ["--home", str(home)]
    words = ["report", SYSTEM, "--summary", "We pretend.", "--as", "p1", "--mode", "tabletop"]
    said = runner.invoke(group, [*words, *at, "--plan", str(EXAMPLE)])
    assert said.exit_code == 0, said.output
    opened = open_home(home)
    name = opened.journal.chains()[-1]
    answers = {"acknowledge": "acknowledged", "decision": "rebuild", "gate": "go", "manual": "done"}
    asked: list[str] = []
    while True:
        runner.invoke(group, ["recover", ".", *at])
        state = fold(opened.journal.read(name))
        waiting = [ask for ask in state.open_asks() if ask.opened.kind in answers]
        if not waiting:
            break
        for ask in waiting:
            words = ["answer", ".", ask.opened.ask, answers[ask.opened.kind]]
            said = runner.invoke(
                group, [*words, "--as", ask.persons[0], "--why", "as planned", *at]
            )
            assert said.exit_code == 0, said.output
            asked.append(ask.opened.step or ask.opened.ask)
    assert state.state == "restored", state.open_asks()
    assert "restore_data" in asked
    assert len(set(asked)) >= 12
    assert not state.notices
    assert opened.journal.deliveries(name) == ()
    assert opened.journal.verify() == ()
