# SPDX-License-Identifier: Apache-2.0
"""Checks of `manual.do`: the question has words, somebody to go to, and names for its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from blackstart.model.plan import Plan
from blackstart.model.runbook import ActionSpec, Param, StepSpec
from blackstart.planfile.problems import Flaw, shown
from blackstart.planfile.rehearsal import DRILL_TEXT
from blackstart.planfile.tree import Path

_OUTPUT = re.compile(r"[a-z][a-z0-9_]{0,62}")


def flaws_of_manual(plan: Plan, step: StepSpec, action: ActionSpec, path: Path) -> Iterator[Flaw]:
    """Yield what is wrong with an action that a person is asked to do."""
    params = (*path, "params")
    for name in ("text", DRILL_TEXT):
        text = action.params.get(name)
        if text is not None and not (isinstance(text, str) and text.strip()):
            what = f"the '{name}' of '{action.name}' is not text, and nobody would know what to do"
            yield Flaw(path=(*params, name), what=what, instead="say in words what is to be done")
    if not isinstance(action.params.get("evidence", False), bool):
        what = f"'evidence' of '{action.name}' says neither yes nor no"
        yield Flaw(path=(*params, "evidence"), what=what, instead="write true or false")
    yield from _flaws_of_outputs(action.name, action.params.get("outputs", []), params)
    if step.owner not in {*plan.roles, *plan.teams}:
        what = f"nobody is asked to do '{action.name}': the step's owner is no role and no team"
        here = (*path[:-2], "owner")
        instead = "give the step an 'owner' that is a role or a team"
        yield Flaw(path=here, what=what, instead=instead)


def _flaws_of_outputs(name: str, outputs: Param, path: Path) -> Iterator[Flaw]:
    here = (*path, "outputs")
    if not isinstance(outputs, list):
        what = f"the 'outputs' of '{name}' are not a list"
        yield Flaw(path=here, what=what, instead="write the names in a list, such as [address]")
        return
    for index, output in enumerate(outputs):
        if not (isinstance(output, str) and _OUTPUT.fullmatch(output)):
            what = f"{shown(output)} cannot be the name of an output"
            instead = "use lower-case letters, digits and '_', such as new_address"
            yield Flaw(path=here, what=what, instead=instead)
        elif output in outputs[:index]:
            what = f"'{name}' has two outputs named {shown(output)}"
            yield Flaw(path=here, what=what, instead="give each a name of its own")
