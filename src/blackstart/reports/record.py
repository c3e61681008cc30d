# SPDX-License-Identifier: Apache-2.0
"""The record of one drill: the facts and everything that is shown beside them.

It holds names of people but no addresses, and references to secrets but no secrets. As JSON it
carries every fact in the journal's form with its digest and the digest of the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_type_hints

import msgspec

from blackstart.model.codec import decode_fact, encode_fact, to_bytes
from blackstart.model.events import (
    ActionEnded,
    Event,
    Fact,
    IncidentReported,
    NoticeQueued,
    NoticeSettled,
)
from blackstart.model.orders import StepFinishedByHand
from blackstart.model.plan import Mode, Objectives
from blackstart.model.runbook import Runbook
from blackstart.reports.spans import of_kind
from blackstart.reports.told import DeliveryCount

FORMAT = "blackstart.drill/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Writes, counted outside the lost platform: a set difference, not an estimate.

    `in_flight` were sent and never acknowledged; `surplus` are present and nobody wrote them.
    """

    acknowledged: int
    lost: int
    in_flight: int = 0
    surplus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A defect put in on purpose: the end that the recovery should come to, and the one it came to.

    Both are said in the same words, such as `stops at restore_data.credentials`. `false_news` says,
    one sentence each, where users were told that all is well although the recovery had to stop.
    """

    name: str
    meaning: str
    expected: str
    seen: str = ""
    false_news: tuple[str, ...] = ()

    @property
    def is_caught(self) -> bool:
        """Say whether the recovery ended exactly as it should, and nobody heard otherwise."""
        return bool(self.seen) and self.seen == self.expected and not self.false_news


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What Blackstart itself needed; None where it was not measured.

    `peak_memory_bytes` is the agent's alone, without the watch and the probes.
    """

    peak_memory_bytes: int | None = None
    start_up_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """One drill, complete. Names map ids to what people read; goals are in seconds."""

    facts: tuple[Fact, ...]
    runbooks: tuple[Runbook, ...]
    organisation: str
    plan_name: str
    objectives: Objectives
    version: str
    item_goals: Mapping[str, float] = field(default_factory=dict)  # state item → RPO
    people: Mapping[str, str] = field(default_factory=dict)  # person id → name
    roles: Mapping[str, str] = field(default_factory=dict)  # role → title
    deliveries: tuple[DeliveryCount, ...] = ()
    loss: Loss | None = None
    figures: Figures = Figures()
    injection: Injection | None = None
    machine: Mapping[str, str] = field(default_factory=dict)  # "Processor" → "…"
    evidence_names: Mapping[str, str] = field(default_factory=dict)  # digest → name kept under
    journal_faults: tuple[str, ...] | None = None  # what `Journal.verify` found; None: not asked


def artefacts_of(facts: tuple[Fact, ...]) -> tuple[str, ...]:
    """Return the hash of every artefact that the facts name, in their order: what is evidence.

    The plan is one; so are receipts of messages, and what people gave with a step done by hand.
    """
    named = (digest for fact in facts for digest in _artefacts_of(fact.event))
    return tuple(dict.fromkeys(digest for digest in named if digest))


def _artefacts_of(event: Event) -> tuple[str, ...]:
    match event:
        case IncidentReported():
            return (event.plan, *(seen.evidence for seen in event.sightings))
        case ActionEnded():
            return (*event.evidence, *(seen.evidence for seen in event.sightings))
        case NoticeSettled():
            return (event.receipt,)
        case StepFinishedByHand():
            return event.evidence
        case _:
            return ()


def path_of_artefact(digest: str, name: str) -> str:
    """Return where an artefact lies, seen from the report; the hash keeps two of one name apart."""
    return f"evidence/{digest[:12]}-{name.replace('/', '-')}"


def is_talk(facts: tuple[Fact, ...]) -> bool:
    """Say whether it is a table-top exercise: nothing was done, nobody was told."""
    found = incident_of(facts)
    return found is not None and found[1].mode == Mode.TABLETOP


def incident_of(facts: tuple[Fact, ...]) -> tuple[Fact, IncidentReported] | None:
    """Return the report that opened the incident, None when the facts do not begin with one."""
    return next(of_kind(facts, IncidentReported), None)


def users_told_of_recovery(facts: tuple[Fact, ...]) -> bool:
    """Say whether anybody was told that the platform is back."""
    return any(
        event.kind == "recovered" and event.recipients for _, event in of_kind(facts, NoticeQueued)
    )


def chain_faults(record: DrillRecord) -> tuple[str, ...]:
    """Return what is wrong with the chain, one sentence each; empty when nothing was found.

    That every fact is what its hash says is for the journal to check, which has the stored bytes;
    here only the links are followed, and what the journal found is repeated.
    """
    links = zip(record.facts, record.facts[1:], strict=False)
    broken = (
        f"Fact {after.seq} does not follow fact {before.seq}."
        for before, after in links
        if after.previous != before.digest
    )
    return (*broken, *(record.journal_faults or ()))


def _stored(fact: Fact) -> bytes:
    return encode_fact(fact.chain, fact.seq, fact.at, fact.actor, fact.event, fact.previous)


def record_to_json(record: DrillRecord, result: Mapping[str, object]) -> bytes:
    """Return the record as canonical JSON; `result` holds what was derived from it."""
    shown: dict[str, object] = {
        each.name: getattr(record, each.name) for each in fields(record) if each.name != "facts"
    }
    shown["facts"] = [
        {"digest": fact.digest, "stored": msgspec.Raw(_stored(fact))} for fact in record.facts
    ]
    return to_bytes({"format": FORMAT, "record": shown, "result": dict(result)}) + b"\n"


class _StoredFact(msgspec.Struct, frozen=True):
    digest: str
    stored: msgspec.Raw


class _Envelope(msgspec.Struct, frozen=True):
    format: str
    record: dict[str, Any]


class _Facts(msgspec.Struct, frozen=True):
    facts: list[_StoredFact]


class _FactsEnvelope(msgspec.Struct, frozen=True):
    record: _Facts


def record_from_json(content: bytes) -> DrillRecord:
    """Return the record in these bytes. Raises ValueError when they are none of our format."""
    envelope = msgspec.json.decode(content, type=_Envelope)
    if envelope.format != FORMAT:
        raise ValueError(f"This is '{envelope.format}', not a drill record ('{FORMAT}').")
    stored = msgspec.json.decode(content, type=_FactsEnvelope).record.facts
    facts = tuple(decode_fact(bytes(each.stored)) for each in stored)
    types = get_type_hints(DrillRecord)
    rest = {
        each.name: msgspec.convert(envelope.record[each.name], types[each.name])
        for each in fields(DrillRecord)
        if each.name != "facts" and each.name in envelope.record
    }
    return DrillRecord(facts=facts, **rest)
