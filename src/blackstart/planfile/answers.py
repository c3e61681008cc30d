# SPDX-License-Identifier: Apache-2.0
"""Answers for `init` without a terminal: a flat YAML file, or KEY=ANSWER on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from blackstart.model.errors import PlanRejected, Refused
from blackstart.planfile.parse import SIZE_BYTES_AT_MOST, parse_tree
from blackstart.planfile.problems import Problems, TooManyProblems, reject
from blackstart.planfile.tree import Block, Node, Scalar, kind_of


def read_answers(path: Path) -> dict[str, str]:
    """Return the answers in the file. Raises PlanRejected with every problem and its place."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_BYTES_AT_MOST + 1)
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise PlanRejected(what, "Give the path of a file with answers.") from error
    problems = Problems()
    answers: dict[str, str] = {}
    try:
        tree = parse_tree(content, str(path), problems)
        answers = _answers_in(tree, problems)
    except TooManyProblems:
        pass
    reject(str(path), problems.lines())
    return answers


def _answers_in(tree: Node | None, problems: Problems) -> dict[str, str]:
    if tree is not None and not isinstance(tree, Block):
        problems.add(tree.at, f"the file is {kind_of(tree)}", "write 'key: answer' on each line")
    if not isinstance(tree, Block):
        return {}
    answers = {}
    for entry in tree.entries:
        if isinstance(entry.node, Scalar):
            answers[entry.key] = entry.node.text
        else:
            what = f"the answer to '{entry.key}' is {kind_of(entry.node)}"
            problems.add(entry.node.at, what, "write it as text, several with commas")
    return answers


def split_answers(given: Iterable[str]) -> dict[str, str]:
    """Return the answers of KEY=ANSWER texts. Raises Refused for a text that is none."""
    answers = {}
    for text in given:
        key, sign, answer = text.partition("=")
        if not sign or not key.strip():
            raise Refused(f"'{text}' is no answer.", "Write --answer KEY=ANSWER.")
        answers[key.strip()] = answer
    return answers
