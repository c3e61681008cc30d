# SPDX-License-Identifier: Apache-2.0
"""Facts: what the journal holds. Each is something that happened, written once, never changed.

A fact names people by id, never by address, and secrets by reference. A class here is a format:
once released its fields keep their names and meaning; a new field needs a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from blackstart.model.orders import Order
from blackstart.model.runbook import Param
from blackstart.model.timing import Timing, UsualTime

INSTALLATION = "installation"  # the chain of facts that belong to no incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a probe saw at one moment: the subject, its condition, and the evidence."""

    subject: str
    condition: str  # intact, degraded, lost, unknown
    seen: str
    evidence: str = ""  # digest of an artefact


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to go on that the commander may choose."""

    name: str
    meaning: str
    expected_s: float | None = None
    data_lost: str = ""
    reversible: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentReported:
    """An incident was identified; the outage starts at the first failed check or as reported."""

    systems: tuple[str, ...]
    mode: str
    target: str
    summary: str
    outage_start: datetime
    plan: str  # digest of the plan pinned for this incident
    last_good: datetime | None = None
    sightings: tuple[Sighting, ...] = ()
    usual: tuple[UsualTime, ...] = ()  # what the record of earlier runs knew


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOpened:
    """A person is asked. `persons` are those asked now, first holder first; `role` may answer."""

    ask: str
    kind: str  # one of those in `asks.ANSWERS`
    text: str
    role: str
    persons: tuple[str, ...]
    due_at: datetime | None = None
    facts: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    run: str = ""
    step: str = ""
    action: str = ""
    outputs: tuple[str, ...] = ()  # that the answer has to give
    needs_evidence: bool = False
    customer: str = ""  # who has something left to do, for a question of kind customer


@dataclass(frozen=True, slots=True, kw_only=True)
class AskEscalated:
    """Nobody answered in time; the next in the chain is asked as well."""

    ask: str
    person: str
    was_due_at: datetime
    due_at: datetime | None = None
    late_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAnswered:
    """A person answered. `how` says by what means: terminal, command, chat, automatic."""

    ask: str
    answer: str
    by: str
    why: str = ""
    how: str = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskWithdrawn:
    """The question no longer matters."""

    ask: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeQueued:
    """A message was put in the outbox, in the same transaction as this fact."""

    notice: str
    kind: str
    channel: str
    audience: str
    recipients: int
    subject: str
    body: str  # digest of the text
    run: str = ""
    step: str = ""
    reason: str = ""  # why nobody could be addressed, when recipients is 0
    late_s: float = 0.0  # by so much it comes after it was due


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSettled:
    """Every delivery of the notice reached its end. `receipt` is the digest of the receipts."""

    notice: str
    accepted: int
    refused: int
    uncertain: int
    receipt: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactAssessed:
    """A person told what is lost, degraded or intact, in one sentence and by subject."""

    by: str
    summary: str
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateMade:
    """The expected recovery time in seconds, the goal, and what the figure rests on."""

    run: str
    expected_s: float
    goal_s: float
    basis: str
    critical_path: tuple[str, ...]
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryActivated:
    """The commander activated the Recovery phase: who, why, which option, on which facts."""

    by: str
    option: str
    why: str
    facts: tuple[str, ...]
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoodDown:
    """The commander decided that no recovery is needed, or ended it before users came back."""

    by: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """One execution of the procedure for one system began."""

    run: str
    system: str
    target: str
    mode: str
    marker: str
    runbook: str  # digest of the compiled runbook


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """All that the step waits for has ended well (and its gate, if any, was opened)."""

    run: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """The step ended: verified, degraded (went on, loudly), failed or skipped."""

    run: str
    step: str
    outcome: str
    reason: str = ""
    by: str = ""
    outputs: Mapping[str, Param] = field(default_factory=dict)  # given by hand, for a skipped one


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionStarted:
    """About to act. Written before the first effect; `key` is left in the world by the action.

    `ends_at_limit`: it only looks, so it fails by itself when it has used its time up.
    """

    run: str
    step: str
    action: str
    attempt: int
    key: str
    ends_at_limit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInspected:
    """The driver lost sight of an action and looked at the world: what it found, what follows."""

    run: str
    step: str
    action: str
    key: str
    finding: str  # done, running, partial, not_done, unknown
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEnded:
    """The action ended: done or failed, with its outputs and evidence.

    `degraded`: it is done, and this is less than it should be.

    `in_doubt`: it counts as failed because nobody could see how it ended; nothing may be
    performed again before somebody has looked. `held`: how it ended is known, and it may not be
    tried again before a person orders it.
    """

    run: str
    step: str
    action: str
    key: str
    outcome: str  # done, failed
    outputs: Mapping[str, Param] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    summary: str = ""
    hint: str = ""
    in_doubt: bool = False
    degraded: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTaken:
    """A measure with its two timestamps: first_service, full_service, rpo:<state item>."""

    name: str
    start: datetime
    end: datetime
    system: str
    label: str = ""
    is_bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run reached its end: recovered, recovered_degraded, stood_down."""

    run: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemDrafted:
    """The draft of the post-mortem was written. `document` is its digest."""

    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentClosed:
    """The post-mortem was signed off and nothing is left to do."""

    by: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePointVerified:
    """A restore point was restored and queried; only this makes it `verified`."""

    system: str
    item: str
    point: str
    taken_at: datetime
    checked: tuple[str, ...]
    took_s: float
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePointRejected:
    """A restore point was tried and is not good."""

    system: str
    item: str
    point: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRestored:
    """The record was brought back from a mirror, as of a moment; what came after it may be gone.

    The mirror held everything at `whole_at`. `missing` are artefacts that did not come back.
    """

    generation: int
    mirror: str
    whole_at: datetime
    facts: int  # of this chain, that came back
    missing: tuple[str, ...] = ()


Event: TypeAlias = (
    IncidentReported
    | AskOpened
    | AskEscalated
    | AskAnswered
    | AskWithdrawn
    | NoticeQueued
    | NoticeSettled
    | ImpactAssessed
    | EstimateMade
    | RecoveryActivated
    | StoodDown
    | RunStarted
    | StepStarted
    | StepEnded
    | ActionStarted
    | ActionInspected
    | ActionEnded
    | MeasureTaken
    | RunEnded
    | PostmortemDrafted
    | IncidentClosed
    | RestorePointVerified
    | RestorePointRejected
    | RecordRestored
    | Order
    | Timing
)

EVENTS: Mapping[str, type[Event]] = {kind.__name__: kind for kind in Event.__args__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An event in its place: chain, number, time, who caused it, and the hash of its bytes."""

    chain: str
    seq: int
    at: datetime
    actor: str
    event: Event
    digest: str
    previous: str
