# SPDX-License-Identifier: Apache-2.0
"""What a driver works with, put together by `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blackstart.model.errors import BlackstartError
from blackstart.model.events import Fact
from blackstart.model.incident import Incident
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.ports.clock import Clock
from blackstart.ports.crew import Crew
from blackstart.ports.journal import EvidenceStore, Journal
from blackstart.ports.secrets import SecretBox


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One installation of Blackstart as the engine sees it, with the plan of one incident.

    `verbs` maps every verb to its class. `draft` writes the post-mortem from the facts. `redact`
    replaces secrets that were revealed by their references. `probe` is the argument list that
    runs `blackstart probe` where a vantage leads. `holder` names this process in claims;
    `is_gone` says whether the process that holds one is dead for certain.
    `replan` returns the same installation with the plan of another digest in force. `trouble` is
    told of what holds the driver up while it waits for it to pass; the same may come again.
    `say_mirrors` says in one line which mirrors of the record fail, "" when none does.
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
    is_gone: Callable[[str], bool] = lambda _holder: False
    trouble: Callable[[BlackstartError], None] = lambda _: None
    say_mirrors: Callable[[], str] = lambda: ""
