# SPDX-License-Identifier: Apache-2.0
"""What holds for every verb of every provider: its shape, its words, its kind."""

from __future__ import annotations

import dataclasses
import inspect
import tomllib
import typing
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import blackstart.providers
from blackstart.ports.secrets import SecretRef

KINDS: Mapping[str, frozenset[str]] = {
    "action": frozenset({"preview", "perform", "inspect"}),
    "check": frozenset({"check"}),
    "channel": frozenset({"send", "lookup"}),
}
_PLAIN = {str, int, float, bool, type(None), SecretRef}


def offered() -> dict[str, type[Any]]:
    """Return every verb of the modules that say what they provide."""
    found: dict[str, type[Any]] = {}
    (folder,) = (Path(place) for place in blackstart.providers.__path__)
    for path in sorted(folder.glob("*.py")):
        module = import_module(f"blackstart.providers.{path.stem}")
        for verb, kind in getattr(module, "PROVIDES", {}).items():
            found[f"{path.stem}.{verb}"] = kind
    return found


VERBS = offered()


def is_plain(kind: Any) -> bool:
    """Say whether the plan can give such a value."""
    parts = typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return all(is_plain(hints[field.name]) for field in dataclasses.fields(kind))
    if not parts:
        return kind in _PLAIN
    return all(part is Ellipsis or is_plain(part) for part in parts)


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_a_frozen_dataclass_of_plain_parameters(name: str) -> None:
    verb = VERBS[name]
    assert dataclasses.is_dataclass(verb)
    assert vars(verb)["__dataclass_params__"].frozen
    assert "__dict__" not in dir(verb)
    assert all(field.kw_only for field in dataclasses.fields(verb))
    hints = typing.get_type_hints(verb)
    strange = [f.name for f in dataclasses.fields(verb) if not is_plain(hints[f.name])]
    assert strange == []


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_of_exactly_one_kind(name: str) -> None:
    kinds = [
        kind for kind, methods in KINDS.items() if all(hasattr(VERBS[name], m) for m in methods)
    ]
    assert len(kinds) == 1


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_and_its_methods_are_explained(name: str) -> None:
    verb = VERBS[name]
    methods = [m for needed in KINDS.values() for m in needed if hasattr(verb, m)]
    assert inspect.getdoc(verb)
    assert not (inspect.getdoc(verb) or "").startswith(f"{verb.__name__}(")
    assert all(inspect.getdoc(getattr(verb, method)) for method in methods)


@pytest.mark.parametrize("name", VERBS)
def test_outputs_are_named_and_explained(name: str) -> None:
    outputs = getattr(VERBS[name], "outputs", {})
    assert all(key.isidentifier() and len(meaning) > 5 for key, meaning in outputs.items())
    if hasattr(VERBS[name], "send"):
        assert isinstance(VERBS[name].can_look_up, bool)
        assert isinstance(VERBS[name].address_kind, str)
    else:
        assert "outputs" in vars(VERBS[name])


def test_every_provider_has_its_line() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    lines = project["project"]["entry-points"]["blackstart.providers.v1"]
    known = {verb.partition(".")[0] for verb in VERBS}
    assert lines == {name: f"blackstart.providers.{name}" for name in known}
