# SPDX-License-Identifier: Apache-2.0
"""What the plan file may say of a verb. `bootstrap` makes these from the providers' classes.

One verb is of no provider: `manual.do` asks a person, so that a procedure can be whole before
anything is automated. Its outputs are named by each action, not by the verb.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from blackstart.model.runbook import MANUAL, ActionSpec, Param

Judge = Callable[[Param], str]  # value → "" when it fits, or what is wrong with it


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbShape:
    """A verb: its kind (action, check, channel or ask), its parameters, its declared outputs, what
    it does, in one sentence, and for each parameter what says whether a value fits it.
    """

    kind: str
    parameters: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    meaning: str = ""
    judges: Mapping[str, Judge] = field(default_factory=dict)


MANUAL_SHAPE = VerbShape(
    kind="ask", parameters=("text", "drill_text", "outputs", "evidence"), required=("text",)
)

OutputsOf = Mapping[str, frozenset[str]]  # verb → the outputs that it declares


def with_manual(verbs: Mapping[str, VerbShape]) -> dict[str, VerbShape]:
    """Return the verbs of the providers together with the one that is of no provider."""
    return {**verbs, MANUAL: MANUAL_SHAPE}


def outputs_declared(verbs: Mapping[str, VerbShape]) -> dict[str, frozenset[str]]:
    """Return the outputs that each verb declares."""
    return {name: frozenset(shape.outputs) for name, shape in verbs.items()}


def outputs_of(action: ActionSpec, declared: OutputsOf) -> frozenset[str]:
    """Return the names of what the action hands on: what its verb declares, or what a person
    is asked for.
    """
    if action.use != MANUAL:
        return declared.get(action.use, frozenset())
    asked = action.params.get("outputs")
    return (
        frozenset(name for name in asked if isinstance(name, str))
        if isinstance(asked, list)
        else frozenset()
    )
