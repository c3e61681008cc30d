# SPDX-License-Identifier: Apache-2.0
"""Loading the plan file: bytes in, a Plan out, or all problems with their places and remedies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from blackstart.model.codec import digest_of
from blackstart.model.errors import PlanRejected
from blackstart.model.plan import Plan
from blackstart.planfile.check import flaws_of_plan
from blackstart.planfile.fit import Reading
from blackstart.planfile.lists import Fetch, Lists, fetch_beside, fetch_nothing, put_in
from blackstart.planfile.parse import SIZE_BYTES_AT_MOST, parse_tree
from blackstart.planfile.problems import Places, Problems, TooManyProblems, reject
from blackstart.planfile.read import read_plan
from blackstart.planfile.tree import Location
from blackstart.planfile.verb_shape import VerbShape


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedPlan:
    """A plan, and where in which file each part of it was written.

    `content` is the plan as an incident keeps it: the bytes of the file, lists put in.
    """

    plan: Plan
    places: Places
    content: bytes


def load_plan(path: Path, verbs: Mapping[str, VerbShape] | None = None) -> Plan:
    """Return the plan in the file; with `verbs`, checked against them as well.

    Raises PlanRejected, whose `problems` are lines such as
    `blackstart.yaml:12:3: there is no person 'p9' → did you mean 'p6'?`, in the order of the file.
    """
    return load_located(path, verbs).plan


def load_located(path: Path, verbs: Mapping[str, VerbShape] | None = None) -> LocatedPlan:
    """Return the plan in the file together with the places of its parts. Raises PlanRejected."""
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_BYTES_AT_MOST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        what = f"The plan file {path} cannot be read: {reason}."
        raise PlanRejected(what, "Give the path of a plan file.", (f"{path}: {reason}",)) from error
    return read_located(content, str(path), verbs, fetch_beside(path))


def read_located(
    content: bytes,
    file: str,
    verbs: Mapping[str, VerbShape] | None = None,
    fetch: Fetch = fetch_nothing,
) -> LocatedPlan:
    """Return the plan in these bytes; `file` is what problems call it, `fetch` reads its lists.

    Raises PlanRejected.
    """
    problems, places = Problems(), Places()
    lists = Lists(fetch)
    plan, whole = None, content
    try:
        tree = parse_tree(content, file, problems)
        if tree is not None:
            places.note((), Location(file=file, line=1, column=1))
            plan = read_plan(tree, Reading(problems, places, lists))
            whole = put_in(content, lists, problems)
            problems.take(flaws_of_plan(plan, verbs), places)
    except TooManyProblems:
        pass
    reject(file, problems.lines())
    assert plan is not None
    plan = replace(plan, digest=digest_of(whole))
    return LocatedPlan(plan=plan, places=places, content=whole)
