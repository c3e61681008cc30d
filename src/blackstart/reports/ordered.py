# SPDX-License-Identifier: Apache-2.0
"""One plain sentence for every fact by which people steer an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeAlias, assert_never

from blackstart.model.orders import (
    CancelOrdered,
    IncidentPaused,
    IncidentResumed,
    LimitExtended,
    OptionEstimated,
    Order,
    OutageCorrected,
    PlanAmended,
    RuleWaived,
    ShiftHandedOver,
    SituationTold,
    StepFinishedByHand,
    StepUndone,
    UndoFailed,
    UndoOrdered,
)
from blackstart.model.words import say_duration
from blackstart.reports.phrases import (
    Tone,
    plain,
    say_list,
    say_step,
    sentence,
)

Stepping: TypeAlias = (
    CancelOrdered | LimitExtended | StepFinishedByHand | UndoOrdered | StepUndone | UndoFailed
)


class Naming(Protocol):
    """What a sentence needs besides its own event."""

    def name(self, person: str) -> str:
        """Return the name of a person."""

    def of(self, run: str) -> str:
        """Return which system a run is for, where there are several."""

    def when(self, at: datetime | None) -> str:
        """Return a moment with its zone."""


def say_order(event: Order, known: Naming) -> tuple[str, Tone]:
    """Return the sentence and how it is meant."""
    name = known.name
    if isinstance(event, Stepping):
        return _say_stepping(event, known)
    if isinstance(event, RuleWaived | ShiftHandedOver | PlanAmended | OutageCorrected):
        return _say_ruling(event, known), Tone.WARN
    match event:
        case SituationTold():
            whom = plain(event.audience.replace("_", " "))
            return f"{name(event.by)} announced to {whom}: {sentence(event.text)}", Tone.CALM
        case OptionEstimated():
            return _say_option(event, name), Tone.CALM
        case IncidentPaused():
            return f"Paused by {name(event.by)}: {sentence(event.why)}", Tone.WARN
        case IncidentResumed():
            return f"Resumed by {name(event.by)}. {sentence(event.why)}".rstrip(), Tone.CALM
        case _:
            assert_never(event)


def _say_option(event: OptionEstimated, name: Callable[[str], str]) -> str:
    lost = f"; data lost: {plain(event.data_lost)}" if event.data_lost else ""
    until = f"; reversible {plain(event.reversible)}" if event.reversible else ""
    took = say_duration(event.expected_s)
    return f"{name(event.by)} expects {took} for “{plain(event.option)}”{lost}{until}."


def _say_ruling(
    event: RuleWaived | ShiftHandedOver | PlanAmended | OutageCorrected, known: Naming
) -> str:
    name = known.name
    match event:
        case RuleWaived():
            return (
                f"Hard rule “{plain(event.rule)}” set aside by {name(event.by)} with "
                f"{name(event.second)} until {known.when(event.until)}: {sentence(event.why)}"
            )
        case ShiftHandedOver():
            role = plain(event.role.replace("_", " "))
            return f"{name(event.giver)} handed {role} over to {name(event.taker)}."
        case PlanAmended():
            changed = say_list(tuple(plain(one) for one in event.changed))
            return f"Plan amended by {name(event.by)} ({changed}): {sentence(event.why)}"
        case OutageCorrected():
            start = known.when(event.outage_start)
            return f"Start of the outage corrected to {start} by {name(event.by)}: " + sentence(
                event.why
            )


def _say_stepping(event: Stepping, known: Naming) -> tuple[str, Tone]:
    name = known.name
    step = f"{say_step(event.step)}{known.of(event.run)}"
    match event:
        case StepFinishedByHand():
            shown = f" Evidence: {say_list(tuple(e[:8] for e in event.evidence))}."
            by = name(event.by)
            why = f" {sentence(event.why)}" if event.why else ""
            return f"{step}: done by hand by {by}.{why}{shown}", Tone.GOOD
        case CancelOrdered():
            what = f"{event.step}.{event.action}{known.of(event.run)}"
            then = ", and finished by hand" if event.by_hand else ""
            return (
                f"{what}: to be ended{then} ({name(event.by)}). {sentence(event.why)}".rstrip(),
                Tone.WARN,
            )
        case LimitExtended():
            until = known.when(event.until)
            told = f"{step}: {event.action} may go on until {until} ({name(event.by)})."
            return f"{told} {sentence(event.why)}".rstrip(), Tone.CALM
        case UndoOrdered():
            return f"{step}: to be taken back ({name(event.by)}: {plain(event.why)}).", Tone.WARN
        case StepUndone():
            done = say_list(event.undone) or "nothing had to be"
            kept = f"; left as it is: {say_list(event.kept)}" if event.kept else ""
            return f"{step}: taken back ({done}{kept}).", Tone.CALM
        case UndoFailed():
            return (
                f"{step}: {event.action} could not be taken back: {sentence(event.summary)} "
                f"What to do: {sentence(event.hint)}"
            ), Tone.BAD
