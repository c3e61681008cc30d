# SPDX-License-Identifier: Apache-2.0
"""Verbs: which are installed, built-in or not, by one door (entry points); and one as a value.

It names no provider. A probe loads the one that it is asked about, so that it answers at once: a
recovery asks a dozen of them, one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from keyword import iskeyword
from typing import Any

import msgspec

from blackstart.model.errors import PlanRejected
from blackstart.model.runbook import Param
from blackstart.ports.secrets import SecretRef

PROVIDERS = "blackstart.providers.v1"


@cache
def load_verbs() -> Mapping[str, type[Any]]:
    """Return every verb that is installed."""
    return {
        name: verb
        for entry in entry_points(group=PROVIDERS)
        for name, verb in _verbs_of(entry).items()
    }


def load_verbs_beside(use: str) -> Mapping[str, type[Any]]:
    """Return the verbs of the provider that `use` names, loaded alone; none when there is none."""
    found = entry_points(group=PROVIDERS, name=use.partition(".")[0])
    return {name: verb for entry in found for name, verb in _verbs_of(entry).items()}


def _verbs_of(entry: EntryPoint) -> dict[str, type[Any]]:
    return {f"{entry.name}.{name}": verb for name, verb in entry.load().PROVIDES.items()}


def build(verbs: Mapping[str, type[Any]], use: str, params: Mapping[str, Param]) -> Any:
    """Return the provider's value for a verb with these parameters.

    A parameter whose name Python keeps for itself (`from`) is the field with a trailing `_`.

    Raises PlanRejected when there is no such verb or the parameters do not fit it.
    """
    if use not in verbs:
        raise PlanRejected(
            f"No provider offers '{use}'.", "`blackstart verbs` lists what there is."
        )
    named = {f"{name}_" if iskeyword(name) else name: value for name, value in params.items()}
    try:
        return msgspec.convert(named, verbs[use], strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError) as problem:
        raise PlanRejected(
            f"The parameters of '{use}' do not fit: {problem}.",
            f"See docs/reference for the parameters of {use}.",
        ) from problem


def _decode(kind: type[Any], value: Any) -> Any:
    if kind is SecretRef and isinstance(value, str):
        return SecretRef(value)
    raise NotImplementedError(f"a parameter cannot be of type {kind.__name__}")
