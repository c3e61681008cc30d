# SPDX-License-Identifier: Apache-2.0
"""What a driver works with, put together by `bootstrap`; and how verbs become values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

import msgspec

from blackstart.model.errors import PlanRejected
from blackstart.model.events import Fact
from blackstart.model.incident import Incident
from blackstart.model.plan import Plan
from blackstart.model.runbook import Param, Runbook
from blackstart.ports.clock import Clock
from blackstart.ports.crew import Crew
from blackstart.ports.journal import EvidenceStore, Journal
from blackstart.ports.secrets import SecretBox, SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One installation of Blackstart as the engine sees it, with the plan of one incident.

    `verbs` maps every verb to its class. `draft` writes the post-mortem from the facts. `redact`
    replaces secrets that were revealed by their references. `probe` is the argument list that
    runs `blackstart probe` where a vantage leads. `holder` names this process in claims.
    `replan` returns the same installation with the plan of another digest in force.
    """

    journal: Journal
    evidence: EvidenceStore
    secrets: SecretBox
    clock: Clock
    crew: Crew
    plan: Plan
    runbooks: Mapping[str, Runbook]
    verbs: Mapping[str, type[Any]]
    draft: Callable[[Incident, Iterable[Fact]], bytes]
    redact: Callable[[str], str]
    probe: tuple[str, ...]
    holder: str
    replan: Callable[[str], Installation]


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
