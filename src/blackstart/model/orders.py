# SPDX-License-Identifier: Apache-2.0
"""Facts by which people steer an incident by hand. Their format is fixed like that of `events`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class SituationTold:
    """A person told how things stand; it goes out to the audience over the channel named."""

    number: int
    text: str
    by: str
    channel: str
    audience: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageCorrected:
    """The commander corrected when the outage began; what was reported stays in the record."""

    outage_start: datetime
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionEstimated:
    """A person said what one option would take: seconds, data lost, until when reversible."""

    option: str
    expected_s: float
    by: str
    data_lost: str = ""
    reversible: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPaused:
    """No new action begins until somebody resumes; what is under way goes on to its end."""

    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentResumed:
    """Actions may begin again."""

    by: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinishedByHand:
    """A person did what the step is for, gives its outputs, and names the evidence."""

    run: str
    step: str
    by: str
    why: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrdered:
    """An action that is under way is to be ended, with all that it started.

    `by_hand`: so that a person finishes the step.
    """

    run: str
    step: str
    action: str
    key: str
    by: str
    why: str = ""
    by_hand: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitExtended:
    """An action may go on beyond its limit; people are asked again when this moment comes."""

    run: str
    step: str
    action: str
    key: str
    until: datetime
    by: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoOrdered:
    """What a step did is to be taken back, as far as its verbs can."""

    run: str
    step: str
    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUndone:
    """What the step did was taken back; `kept` names actions whose verbs cannot."""

    run: str
    step: str
    undone: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoFailed:
    """Taking back did not work; it is tried again when a person says so."""

    run: str
    step: str
    action: str
    summary: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleWaived:
    """The commander set a hard rule aside, with a second person, until a moment."""

    rule: str
    by: str
    second: str
    why: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftHandedOver:
    """A role passed to another person for this incident. `card` is the digest of what was said."""

    role: str
    giver: str
    taker: str
    card: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAmended:
    """The commander changed the plan in mid-incident; only steps not yet started may differ.

    `runbooks` holds the digest of each system's compiled procedure.
    """

    plan: str
    by: str
    why: str
    changed: tuple[str, ...]
    runbooks: Mapping[str, str] = field(default_factory=dict)


Order: TypeAlias = (
    SituationTold
    | OutageCorrected
    | OptionEstimated
    | IncidentPaused
    | IncidentResumed
    | StepFinishedByHand
    | CancelOrdered
    | LimitExtended
    | UndoOrdered
    | StepUndone
    | UndoFailed
    | RuleWaived
    | ShiftHandedOver
    | PlanAmended
)
