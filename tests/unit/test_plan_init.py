# SPDX-License-Identifier: Apache-2.0
"""`init`: from answers to a plan that is valid at once; every wrong answer is said."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from blackstart.bootstrap import compile_for, read_plan, shapes
from blackstart.cli.init import init
from blackstart.model.errors import PlanRejected, Refused
from blackstart.model.runbook import MANUAL
from blackstart.planfile.draft import BY_HAND, needs_of, questions_of
from blackstart.planfile.profiles import profile_names
from blackstart.planfile.questions import shaped

ANSWERS = {
    "organisation": 'Small: "Co" #1',
    "system": "shop",
    "public_name": "shop.example.com",
    "commander": "Ada Example <ada@example.com>",
    "deputy": "Ben Example <ben@example.com>",
    "ceo": "Ada Élan <ada.elan@example.com>",
    "mail_server": "smtp.example.net",
    "slack": "#incidents",
    "database": "pg_dump: on the NAS",
    "files": "not_protected: made anew",
    "target.place": "another region",
}


def run(folder: Path, answers: dict[str, str], *more: str) -> Result:
    given = [f"--answer={key}={value}" for key, value in answers.items()]
    return CliRunner().invoke(init, ["--plan", str(folder / "b.yaml"), *given, *more])


def test_the_plan_is_valid_and_says_that_nothing_is_automated(tmp_path: Path) -> None:
    result = run(tmp_path, ANSWERS)
    assert result.exit_code == 0, result
    assert "0 % automated: all ten steps are done by hand." in result.output
    plan = read_plan(tmp_path / "b.yaml")
    assert plan.organisation == 'Small: "Co" #1'
    assert plan.roles["incident_commander"].holders == ("ada", "ben")
    assert plan.roles["ceo"].holders == ("ada2",)
    assert plan.teams["devops"].members == ("ada", "ben")
    assert plan.channels["incident"].fallback == ("staff",)
    shop = plan.systems["shop"]
    assert [(item.name, item.backup, item.not_protected) for item in shop.state] == [
        ("database", "pg_dump: on the NAS", ""),
        ("files", "", "made anew"),
    ]
    runbook = compile_for(plan, "shop", "recovery", "recovery")
    assert {action.use for step in runbook.steps for action in step.do} == {MANUAL}
    assert {step.owner for step in runbook.steps} == {"incident_commander", "devops", "engineering"}


@pytest.mark.parametrize("profile", profile_names())
def test_every_profile_can_be_started_from(tmp_path: Path, profile: str) -> None:
    answers = dict(ANSWERS)
    for question in questions_of(needs_of(profile, shapes()), {}):
        if question.key not in answers and question.default is None:
            is_secret = not question.judge("secret:file/srv/key") and question.judge("plain")
            answers[question.key] = "secret:file/srv/key" if is_secret else question.key
            if question.judge(answers[question.key]):
                answers[question.key] = "{/page: some text}"
            assert not question.judge(answers[question.key]), question.key
    result = run(tmp_path, answers, "--profile", profile)
    assert result.exit_code == 0, (result.output, result.exception)
    assert f"profile: {profile}" in (tmp_path / "b.yaml").read_text()
    assert ("0 % automated: all ten" in result.output) == (profile == BY_HAND)


def test_answers_that_do_not_fit_together_are_kept(tmp_path: Path) -> None:
    profile = ("--profile", "flowfuse/local@1")
    answers = dict(ANSWERS)
    for question in questions_of(needs_of("flowfuse/local@1", shapes()), {}):
        if question.default is None:
            answers.setdefault(
                question.key, "secret:env/X" if "secret:" in question.text else "same"
            )
    result = run(tmp_path, answers, *profile)
    assert isinstance(result.exception, PlanRejected)
    assert "has the site 'same', which is production's" in result.exception.problems[0]
    assert not (tmp_path / "b.yaml").exists()
    kept = str(tmp_path / "b.yaml.answers")
    assert run(tmp_path, {"target.site": "new"}, "--answers", kept, *profile).exit_code == 0


def test_a_plan_is_never_replaced_without_force(tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text("mine")
    result = run(tmp_path, ANSWERS)
    assert isinstance(result.exception, Refused)
    assert path.read_text() == "mine"
    assert run(tmp_path, ANSWERS, "--force").exit_code == 0
    assert path.read_text() != "mine"


def test_without_terminal_and_answers_nothing_is_asked(tmp_path: Path) -> None:
    result = run(tmp_path, {})
    assert isinstance(result.exception, Refused)
    assert "no terminal" in result.exception.what
    assert not (tmp_path / "b.yaml").exists()


@pytest.mark.parametrize(
    ("key", "answer", "problem"),
    [
        ("organisation", " ", "organisation: an answer is needed → answer 'organisation'"),
        ("organisation", "${x}", "organisation: write the value itself, without '${' and '}'"),
        ("organisation", "a\x1bb", "organisation: write it on one line"),
        ("organisation", "a" * 3_000, "organisation: write it on one line"),
        ("system", "my shop", "system: use letters, digits, '-' and '_', such as shop"),
        ("public_name", "http://x", "public_name: write a host name such as app.example.com"),
        ("commander", "Ada", "commander: write it like Ada Example <ada@example.com>"),
        ("commander", "A <a@b.c>, B <b@b.c>", "commander: write it like Ada Example"),
        ("engineering", "A <a@b.c>, B", "engineering: write them like Ada Example"),
        ("slack", "incidents", "slack: write a channel such as #incidents, or none"),
        ("mail_server", "smtp", "mail_server: write a host name such as app.example.com"),
        ("rto", "a day", "rto: write a duration such as 24h, 1h30m or 5m"),
        ("files", "not_protected:", "files: say why: not_protected: it is made anew"),
        ("colour", "red", "colour: no question is called so → one of: organisation, system"),
    ],
)
def test_a_wrong_answer_is_refused_with_its_remedy(
    tmp_path: Path, key: str, answer: str, problem: str
) -> None:
    result = run(tmp_path, ANSWERS | {key: answer})
    assert isinstance(result.exception, PlanRejected)
    assert [line for line in result.exception.problems if line.startswith(problem)]
    assert len(result.exception.problems) == 1
    assert not (tmp_path / "b.yaml").exists()


def test_every_missing_answer_is_named_at_once(tmp_path: Path) -> None:
    result = run(tmp_path, {"system": "x y"})
    assert isinstance(result.exception, PlanRejected)
    named = [line.partition(":")[0] for line in result.exception.problems]
    assert {"organisation", "system", "commander", "ceo", "database", "target.place"} <= set(named)


def test_an_answer_is_written_key_and_value(tmp_path: Path) -> None:
    result = CliRunner().invoke(init, ["--plan", str(tmp_path / "b.yaml"), "--answer", "x"])
    assert isinstance(result.exception, Refused)
    result = CliRunner().invoke(init, ["--plan", str(tmp_path / "b"), "--profile", "a/b@1"])
    assert isinstance(result.exception, Refused)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", ":1:1: the file is a list → write 'key: answer' on each line"),
        ("system: [a]", ":1:9: the answer to 'system' is a list → write it as text"),
        ("system: a\nsystem: b", ":2:1: the key 'system' is already on line 1"),
        ("system: 'a", ":1:9: the YAML cannot be read"),
        ("", ":1:1: the file is empty"),
    ],
)
def test_a_file_of_answers_is_judged_like_a_plan(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    result = run(tmp_path, {}, "--answers", str(path))
    assert isinstance(result.exception, PlanRejected)
    assert result.exception.problems[0].startswith(f"{path}{problem}")
    result = run(tmp_path, {}, "--answers", str(tmp_path / "absent"))
    assert isinstance(result.exception, PlanRejected)


def test_answers_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text("".join(f"{key}: '{value}'\n" for key, value in ANSWERS.items()))
    assert run(tmp_path, {"system": "other"}, "--answers", str(path)).exit_code == 0
    assert list(read_plan(tmp_path / "b.yaml").systems) == ["other"]


def test_a_command_and_a_mapping_are_taken_as_what_they_are() -> None:
    needs = needs_of("webapp/local@1", shapes())
    assert shaped("/bin/install 'a b' c", needs.judges["install"]) == ["/bin/install", "a b", "c"]
    assert shaped("[sh, -c, x]", needs.judges["install"]) == ["sh", "-c", "x"]
    assert shaped("{/: hello}", needs.judges["pages"]) == {"/": "hello"}
    for answer in ("text", "{/: [", "'"):
        with pytest.raises(ValueError, match="Expected"):
            shaped(answer, needs.judges["pages"])
    question = next(q for q in questions_of(needs, {}) if q.key == "settings.pages")
    assert "a mapping {a: b}" in question.judge("text")


def test_the_questions_are_listed(tmp_path: Path) -> None:
    result = CliRunner().invoke(init, ["--questions"])
    keys = re.findall(r"^([a-z_.]+): ", result.output, re.MULTILINE)
    assert keys[0] == "organisation"
    assert len(keys) in range(12, 18)


class Terminal:
    """The near end of a terminal, at which a program is talked to."""

    def __init__(self, near: int) -> None:
        self.near, self.seen = near, ""

    def read_until(self, words: str) -> None:
        """Read on until these words were shown; what stands behind them is kept."""
        ends = time.monotonic() + 60
        while words not in self.seen:
            left_s = max(0.0, ends - time.monotonic())
            assert select.select([self.near], [], [], left_s)[0], self.seen
            self.seen += os.read(self.near, 4096).decode(errors="replace")
        self.seen = self.seen.partition(words)[2]

    def type(self, text: str) -> None:
        os.write(self.near, f"{text}\n".encode())


def test_at_a_terminal_a_wrong_answer_is_asked_for_again(tmp_path: Path) -> None:
    near, far = pty.openpty()
    program = [sys.executable, "-m", "blackstart", "init", "--plan", str(tmp_path / "b.yaml")]
    started = subprocess.Popen(program, stdin=far, stdout=far, stderr=far)
    os.close(far)
    terminal = Terminal(near)
    try:
        for question in questions_of(needs_of(BY_HAND, shapes()), {}):
            terminal.read_until(question.text[:40])
            if question.key == "public_name":
                terminal.type("not a host")
                terminal.read_until("write a host name")
                terminal.read_until(question.text)
            terminal.type(ANSWERS.get(question.key, ""))
        terminal.read_until("What to do next:")
        assert started.wait(timeout=60) == 0
    finally:
        started.kill()
        started.wait()
        os.close(near)
    assert list(read_plan(tmp_path / "b.yaml").systems) == ["shop"]
