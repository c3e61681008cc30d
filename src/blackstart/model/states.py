# SPDX-License-Identifier: Apache-2.0
"""Every legal move of every state, each with its reason. Nothing else may change a state.

Sub-sets such as "has ended" are derived from this table, never listed a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from blackstart.model.errors import IllegalMove


class IncidentState(StrEnum):
    """Where an incident stands."""

    REPORTED = "reported"
    ACKNOWLEDGED = "acknowledged"
    RECOVERING = "recovering"
    RESTORED = "restored"
    STOOD_DOWN = "stood_down"
    CLOSED = "closed"


class StepState(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    VERIFIED = "verified"
    DEGRADED = "degraded"
    FAILED = "failed"
    SKIPPED = "skipped"


class ActionState(StrEnum):
    """Where an action stands."""

    WAITING = "waiting"
    STARTED = "started"
    DONE = "done"
    FAILED = "failed"


class AskState(StrEnum):
    """Where a question to a person stands."""

    UNASKED = "unasked"
    OPEN = "open"
    ANSWERED = "answered"
    WITHDRAWN = "withdrawn"


class DeliveryState(StrEnum):
    """Where one message to one recipient stands."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


State = IncidentState | StepState | ActionState | AskState | DeliveryState

MOVES: tuple[tuple[State, State, str], ...] = (
    (IncidentState.REPORTED, IncidentState.ACKNOWLEDGED, "the commander, or a deputy, took it on"),
    (IncidentState.REPORTED, IncidentState.STOOD_DOWN, "it was no incident"),
    (IncidentState.ACKNOWLEDGED, IncidentState.RECOVERING, "the Recovery phase was activated"),
    (IncidentState.ACKNOWLEDGED, IncidentState.STOOD_DOWN, "no recovery is needed"),
    (IncidentState.RECOVERING, IncidentState.RESTORED, "every run reached its end"),
    (IncidentState.RECOVERING, IncidentState.STOOD_DOWN, "ended before users came back"),
    (IncidentState.RESTORED, IncidentState.CLOSED, "the post-mortem was signed off"),
    (IncidentState.STOOD_DOWN, IncidentState.CLOSED, "the post-mortem was signed off"),
    (StepState.WAITING, StepState.RUNNING, "all that it waits for has ended well"),
    (StepState.WAITING, StepState.SKIPPED, "the commander left it out"),
    (StepState.WAITING, StepState.VERIFIED, "a person did it by hand, with evidence"),
    (StepState.RUNNING, StepState.VERIFIED, "all its actions are done"),
    (StepState.RUNNING, StepState.DEGRADED, "not all of it is whole, and the rest goes on"),
    (StepState.RUNNING, StepState.FAILED, "an action failed"),
    (StepState.FAILED, StepState.RUNNING, "a person ordered another attempt"),
    (StepState.FAILED, StepState.VERIFIED, "a person finished it by hand, with evidence"),
    (StepState.FAILED, StepState.SKIPPED, "the commander left it out"),
    (StepState.RUNNING, StepState.WAITING, "what it had begun was taken back"),
    (StepState.FAILED, StepState.WAITING, "what it had done was taken back"),
    (StepState.VERIFIED, StepState.WAITING, "what it had done was taken back"),
    (StepState.DEGRADED, StepState.WAITING, "what it had done was taken back"),
    (StepState.SKIPPED, StepState.WAITING, "what it had done before was taken back"),
    (ActionState.WAITING, ActionState.STARTED, "its step runs and what it needs is done"),
    (ActionState.STARTED, ActionState.STARTED, "a new attempt follows one that was left half-way"),
    (ActionState.STARTED, ActionState.DONE, "the world shows what was wanted"),
    (ActionState.STARTED, ActionState.FAILED, "the world shows that it was not done"),
    (ActionState.FAILED, ActionState.STARTED, "another attempt was ordered or is allowed"),
    (ActionState.STARTED, ActionState.WAITING, "what it had begun was taken back"),
    (ActionState.DONE, ActionState.WAITING, "what it had done was taken back"),
    (ActionState.FAILED, ActionState.WAITING, "what it had done was taken back"),
    (AskState.UNASKED, AskState.OPEN, "a decision needs a person"),
    (AskState.OPEN, AskState.ANSWERED, "somebody with the role answered"),
    (AskState.OPEN, AskState.WITHDRAWN, "it no longer matters"),
    (DeliveryState.QUEUED, DeliveryState.SENDING, "its time has come"),
    (
        DeliveryState.SENDING,
        DeliveryState.QUEUED,
        "not now, or nobody could say: it is seen to later",
    ),
    (DeliveryState.SENDING, DeliveryState.ACCEPTED, "the channel took it"),
    (DeliveryState.SENDING, DeliveryState.REFUSED, "the channel will not take it"),
    (DeliveryState.SENDING, DeliveryState.UNCERTAIN, "the answer was lost"),
    (DeliveryState.QUEUED, DeliveryState.REFUSED, "there is no address to send it to"),
    (DeliveryState.UNCERTAIN, DeliveryState.ACCEPTED, "the channel was asked and has it"),
    (DeliveryState.UNCERTAIN, DeliveryState.QUEUED, "the channel was asked and does not have it"),
)

_REASONS: Mapping[tuple[StrEnum, StrEnum], str] = {(old, new): reason for old, new, reason in MOVES}
_LEFT: frozenset[StrEnum] = frozenset(old for old, _, _ in MOVES)


S = TypeVar("S", bound=StrEnum)


def move(old: S, new: S) -> S:
    """Return the new state. Raises IllegalMove when the table has no such row."""
    if (old, new) not in _REASONS:
        allowed = ", ".join(after for before, after, _ in MOVES if before is old) or "nothing"
        raise IllegalMove(
            f"{type(old).__name__}: '{old}' cannot become '{new}'.",
            f"From '{old}' only these can follow: {allowed}.",
        )
    return new


def reason_of(old: State, new: State) -> str:
    """Return why the move is legal. Raises KeyError for a move that is not in the table."""
    return _REASONS[(old, new)]


def is_final(state: State) -> bool:
    """Say whether nothing can follow the state."""
    return state not in _LEFT


def lets_others_go(state: StepState) -> bool:
    """Say whether a step in this state lets those start that wait for it."""
    return state in (StepState.VERIFIED, StepState.DEGRADED, StepState.SKIPPED)
