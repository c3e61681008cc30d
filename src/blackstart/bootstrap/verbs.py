# SPDX-License-Identifier: Apache-2.0
"""What the plan file may say of what providers offer, and what plans compile to with it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from blackstart.engine.offered import load_verbs
from blackstart.model.plan import Mode, Plan
from blackstart.model.runbook import Param, Runbook
from blackstart.planfile.compile import compile_runbook
from blackstart.planfile.lists import fetch_beside
from blackstart.planfile.load import LocatedPlan, load_located, load_plan, read_located
from blackstart.planfile.problems import Flaw
from blackstart.planfile.verb_shape import Judge, VerbShape
from blackstart.planfile.warnings import secrets_of
from blackstart.ports.secrets import SecretRef


@cache
def shapes() -> Mapping[str, VerbShape]:
    """Return what the plan file may say of each verb."""
    return {name: _shape(provider) for name, provider in load_verbs().items()}


def _shape(provider: type[Any]) -> VerbShape:
    fields = dataclasses.fields(provider)
    missing = dataclasses.MISSING
    required = (f for f in fields if f.default is missing and f.default_factory is missing)
    kinds = {"perform": "action", "check": "check", "send": "channel"}
    return VerbShape(
        kind=next(kind for method, kind in kinds.items() if hasattr(provider, method)),
        parameters=tuple(f.name.rstrip("_") for f in fields),
        required=tuple(f.name.rstrip("_") for f in required),
        outputs=tuple(getattr(provider, "outputs", {})),
        judges=_judges(provider),
        meaning=(provider.__doc__ or "").strip().partition("\n")[0],
    )


def _judges(provider: type[Any]) -> Mapping[str, Judge]:
    """Return for each parameter what says whether a value fits its type."""
    hints = get_type_hints(provider)
    return {
        each.name.rstrip("_"): _judge_of(hints[each.name]) for each in dataclasses.fields(provider)
    }


@cache  # one for each type, so that the same question is asked once
def _judge_of(kind: Any) -> Judge:
    return partial(_misfit, kind)


def _misfit(kind: Any, value: Param) -> str:
    try:
        msgspec.convert(value, kind, strict=False, dec_hook=_as_reference)
    except (msgspec.ValidationError, ValueError) as error:
        return str(error)
    return ""


def _as_reference(kind: type[Any], value: Any) -> Any:
    if kind is SecretRef and isinstance(value, str):
        return SecretRef(value)
    raise ValueError(f"it cannot be a {type(value).__name__}")


def read_plan(path: Path) -> Plan:
    """Return the plan, checked against every verb. Raises PlanRejected with all problems."""
    return load_plan(path, shapes())


def read_located_plan(path: Path) -> LocatedPlan:
    """Return the plan with the places of its parts. Raises PlanRejected with all problems."""
    return load_located(path, shapes())


def absent_secrets(plan: Plan) -> Iterator[Flaw]:
    """Yield each secret of the plan that cannot be read from here, by this user."""
    for reference, path in secrets_of(plan).items():
        kind, _, name = reference.removeprefix("secret:").partition("/")
        if kind == "env" and not os.environ.get(name):
            what, instead = f"the variable {name} is not set here", f"set {name} where it runs"
        elif kind == "file" and not os.access(Path("/", name), os.R_OK):
            what, instead = (
                f"the file /{name.lstrip('/')} cannot be read here",
                "put the secret there",
            )
        else:
            continue
        yield Flaw(
            path=path, what=f"the secret {reference} is not to be had: {what}", instead=instead
        )


def read_plan_bytes(content: bytes, path: Path) -> Plan:
    """Return the plan in these bytes as if they stood in the file, checked against every verb."""
    return read_located(content, str(path), shapes(), fetch_beside(path)).plan


def compile_for(plan: Plan, system: str, target: str, mode: str) -> Runbook:
    """Return the runbook of one system, with the outputs that the verbs declare."""
    outputs = {name: frozenset(shape.outputs) for name, shape in shapes().items()}
    return compile_runbook(plan, system, target, Mode(mode), outputs)
