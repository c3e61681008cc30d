# SPDX-License-Identifier: Apache-2.0
"""The command `init`: asks about a dozen questions and writes a plan that is valid at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from blackstart.bootstrap import read_plan_bytes, shapes
from blackstart.cli.lines import fitted
from blackstart.cli.options import DEFAULT_PLAN, with_plan
from blackstart.model.errors import PlanRejected, Refused
from blackstart.planfile.answers import read_answers, split_answers
from blackstart.planfile.automation import automation_of
from blackstart.planfile.draft import BY_HAND, draft_plan, needs_of, questions_of
from blackstart.planfile.profiles import profile_names
from blackstart.planfile.questions import Question


@click.command()
@with_plan
@click.option("--profile", default=BY_HAND, show_default=True, help="The kind of platform.")
@click.option(
    "--answers",
    "answers_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Take the answers from this file (YAML, `key: answer`) and ask nothing.",
)
@click.option(
    "--answer", "given", multiple=True, metavar="KEY=ANSWER", help="One answer; ask less."
)
@click.option("--questions", "only_list", is_flag=True, help="List the questions, and stop.")
@click.option("--force", is_flag=True, help="Replace a plan that is already there.")
def init(
    plan_path: Path,
    profile: str,
    answers_path: Path | None,
    given: tuple[str, ...],
    only_list: bool,
    force: bool,
) -> None:
    """Ask about the organisation and one system, and write a plan that is valid at once."""
    if profile not in profile_names():
        known = ", ".join(profile_names())
        raise Refused(f"There is no profile '{profile}'.", f"Choose one of: {known}.")
    if only_list:
        _list_questions(profile)
        return
    if plan_path.exists() and not force:
        raise Refused(f"{plan_path} is already there.", "Name another --plan, or add --force.")
    answers = read_answers(answers_path) if answers_path else {}
    answers |= split_answers(given)
    is_asking = answers_path is None and sys.stdin.isatty()
    if not is_asking and not answers:
        what = "There is no terminal to ask at."
        hint = "Give --answers FILE; `blackstart init --questions` lists what it must hold."
        raise Refused(what, hint)
    needs = needs_of(profile, shapes())
    whole = _ask(profile, answers) if is_asking else _complete(profile, answers)
    text = draft_plan(profile, needs, whole, datetime.now(UTC).date())
    try:
        plan = read_plan_bytes(text.encode(), plan_path)  # nothing is written that is not valid
    except PlanRejected as rejected:
        raise _keeping_answers(rejected, whole, plan_path) from rejected
    with plan_path.open("w" if force else "x", encoding="utf-8") as file:
        file.write(text)
    steps = plan.systems[whole["system"]].steps
    _say_what_next(plan_path, whole["system"], str(automation_of(steps)))


def _keeping_answers(
    rejected: PlanRejected, answers: Mapping[str, str], path: Path
) -> PlanRejected:
    """Keep answers that are good one by one and not together, so that they are not typed again."""
    kept = path.with_name(f"{path.name}.answers")
    lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in answers.items())
    kept.write_text("".join(lines), encoding="utf-8")
    hint = f"Correct the answers in {kept}, then run `blackstart init --answers {kept}`."
    what = "The answers are good one by one, but not together."
    return PlanRejected(what, hint, rejected.problems)


def _list_questions(profile: str) -> None:
    for question in questions_of(needs_of(profile, shapes()), {}):
        default = f"  [{question.default}]" if question.default else ""
        click.echo(f"{question.key}: {question.text}{default}")


def _ask(profile: str, given: Mapping[str, str]) -> dict[str, str]:
    """Ask at the terminal, each question until its answer is good."""
    answers: dict[str, str] = {}
    needs = needs_of(profile, shapes())
    many = sum(1 for _ in questions_of(needs, {}))
    click.echo(
        f"{many} questions. Enter takes what stands in [brackets]; all can be changed later."
    )
    click.echo("Nothing is written before the last answer; all can be changed later.")
    for number, question in enumerate(questions_of(needs, answers), start=1):
        answer = given.get(question.key)
        while answer is None or (wrong := question.judge(answer)):
            if answer is not None:
                click.secho(f"  {wrong}", fg="yellow")
            answer = _prompt(f"{number}/{many} {question.text}", question.default)
        answers[question.key] = answer.strip()
    return answers


def _prompt(text: str, default: str | None) -> str:
    """Ask once; an empty answer to what has no default comes back empty, to be told why."""
    return str(click.prompt(text, default=default or "", show_default=bool(default)))


def _complete(profile: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return the answers with defaults put in. Raises PlanRejected with all that is wrong."""
    answers: dict[str, str] = {}
    problems, known = [], []
    for question in questions_of(needs_of(profile, shapes()), answers):
        known.append(question.key)
        answer = given.get(question.key, question.default)
        wrong = "an answer is needed" if answer is None else question.judge(answer)
        if wrong:
            problems.append(f"{question.key}: {wrong} → {_remedy(question)}")
        else:
            answers[question.key] = str(answer).strip()
    problems += _unknown(given, known)
    if problems:
        what = f"The answers have {len(problems)} problems."
        raise PlanRejected(what, "Correct them and run the command again.", tuple(problems))
    return answers


def _remedy(question: Question) -> str:
    return f"answer '{question.key}': {question.text}"


def _unknown(given: Iterable[str], known: list[str]) -> list[str]:
    return [
        f"{key}: no question is called so → one of: {', '.join(known)}"
        for key in given
        if key not in known
    ]


_NEXT = (
    "Walk through the texts with the people who are asked, then change them in the plan.",
    "Talk a recovery through at the table: docs/YOUR_OWN_APPLICATION.md says how.",
    "Prove the backup: restore it once, and look at what came back.",
    "Then let verbs do one step after the other: `blackstart verbs` lists what there is.",
)


def _say_what_next(path: Path, system: str, automated: str) -> None:
    click.secho(f"{path} is written and valid.", fg="green")
    click.secho(f"{automated}.", bold=True)
    click.echo("What to do next:")
    named = "" if path == DEFAULT_PLAN else f" --plan {path}"
    click.echo(f"  blackstart check{named}")
    click.echo(f"  blackstart show{named} {system}")
    for line in _NEXT:
        click.echo(fitted(f"  {line}", under=2))
