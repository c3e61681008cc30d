# SPDX-License-Identifier: Apache-2.0
"""One plain sentence for every fact by which people steer an incident."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from blackstart.model.orders import (
    IncidentPaused,
    IncidentResumed,
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
    say_time,
    sentence,
)

Name: TypeAlias = Callable[[str], str]
Stepping: TypeAlias = StepFinishedByHand | UndoOrdered | StepUndone | UndoFailed


def say_order(event: Order, name: Name) -> tuple[str, Tone]:
    """Return the sentence and how it is meant; `name` turns a person's id into a name."""
    if isinstance(event, Stepping):
        return _say_stepping(event, name)
    if isinstance(event, RuleWaived | ShiftHandedOver | PlanAmended | OutageCorrected):
        return _say_ruling(event, name), Tone.WARN
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


def _say_option(event: OptionEstimated, name: Name) -> str:
    lost = f"; data lost: {plain(event.data_lost)}" if event.data_lost else ""
    until = f"; reversible {plain(event.reversible)}" if event.reversible else ""
    took = say_duration(event.expected_s)
    return f"{name(event.by)} expects {took} for “{plain(event.option)}”{lost}{until}."


def _say_ruling(
    event: RuleWaived | ShiftHandedOver | PlanAmended | OutageCorrected, name: Name
) -> str:
    match event:
        case RuleWaived():
            return (
                f"Hard rule “{plain(event.rule)}” set aside by {name(event.by)} with "
                f"{name(event.second)} until {say_time(event.until)}: {sentence(event.why)}"
            )
        case ShiftHandedOver():
            role = plain(event.role.replace("_", " "))
            return f"{name(event.giver)} handed {role} over to {name(event.taker)}."
        case PlanAmended():
            changed = say_list(tuple(plain(one) for one in event.changed))
            return f"Plan amended by {name(event.by)} ({changed}): {sentence(event.why)}"
        case OutageCorrected():
            start = say_time(event.outage_start)
            return f"Start of the outage corrected to {start} by {name(event.by)}: " + sentence(
                event.why
            )


def _say_stepping(event: Stepping, name: Name) -> tuple[str, Tone]:
    step = say_step(event.step)
    match event:
        case StepFinishedByHand():
            shown = f" Evidence: {say_list(tuple(e[:8] for e in event.evidence))}."
            by = name(event.by)
            return f"{step}: done by hand by {by}. {sentence(event.why)}{shown}", Tone.GOOD
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
