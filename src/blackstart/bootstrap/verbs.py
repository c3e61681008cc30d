# SPDX-License-Identifier: Apache-2.0
"""What providers offer, by one door, and what plans compile to with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from blackstart.model.plan import Mode, Plan
from blackstart.model.runbook import Runbook
from blackstart.planfile.compile import compile_runbook
from blackstart.planfile.load import load_plan
from blackstart.planfile.verb_shape import VerbShape

PROVIDERS = "blackstart.providers.v1"


@cache
def load_verbs() -> Mapping[str, type[Any]]:
    """Return every verb that is installed, built-in or not, by one door: the entry points."""
    verbs: dict[str, type[Any]] = {}
    for entry in entry_points(group=PROVIDERS):
        for name, provider in entry.load().PROVIDES.items():
            verbs[f"{entry.name}.{name}"] = provider
    return verbs


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
    )


def read_plan(path: Path) -> Plan:
    """Return the plan, checked against every verb. Raises PlanRejected with all problems."""
    return load_plan(path, shapes())


def compile_for(plan: Plan, system: str, target: str, mode: str) -> Runbook:
    """Return the runbook of one system, with the outputs that the verbs declare."""
    outputs = {name: frozenset(shape.outputs) for name, shape in shapes().items()}
    return compile_runbook(plan, system, target, Mode(mode), outputs)
