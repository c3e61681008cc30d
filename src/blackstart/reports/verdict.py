# SPDX-License-Identifier: Apache-2.0
"""The verdict: the first lines of every report. Never green without proof.

Good means: every step verified, the goals met, no acknowledged write lost. Anything less says in
its first line what happened, then what it means and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.model.events import NoticeQueued, RunEnded, StoodDown
from blackstart.model.words import say_bytes, say_count, say_duration
from blackstart.reports.kinds import notice_title
from blackstart.reports.moves import WAITS, moves_of
from blackstart.reports.phrases import Tone, plain, say_list, say_share, sentence
from blackstart.reports.record import (
    DrillRecord,
    Injection,
    Loss,
    chain_faults,
    incident_of,
    is_talk,
    users_told_of_recovery,
)
from blackstart.reports.scorecard import MeasureScore, Scorecard, StepScore
from blackstart.reports.spans import ask_spans, of_kind
from blackstart.reports.timeline import measure_title
from blackstart.reports.told import told

IDLE_GOAL = 0.03
MEMORY_GOAL_BYTES = 120 * 1024 * 1024
START_UP_GOAL_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What happened, what it means, what to do (empty when nothing is to be done)."""

    tone: Tone
    word: str
    headline: str
    meaning: str
    remedy: str = ""


def judge(record: DrillRecord, card: Scorecard) -> Verdict:
    """Return the verdict over the incident as far as it has come."""
    injection = record.injection
    if injection and not injection.is_caught and injection.seen:
        return _judge_missed(injection)
    failed = [step for step in card.steps if step.outcome == "failed"]
    if is_talk(record.facts) and _has_ended(record):
        return _judge_talked(record, failed)
    if failed:
        return _judge_stopped(record, card, failed)
    if any(True for _ in of_kind(record.facts, StoodDown)):
        return _judge_stood_down(record)
    if not _has_ended(record):
        return Verdict(
            tone=Tone.CALM,
            word="Under way",
            headline="The recovery is under way; nothing is proven yet.",
            meaning=_progress(card),
        )
    return _judge_recovered(record, card)


def _judge_talked(record: DrillRecord, failed: list[StepScore]) -> Verdict:
    asked = [span for span in ask_spans(record.facts) if span.asked.kind == "manual"]
    answered = [span for span in asked if span.answered]
    spent = record.facts[-1].at - record.facts[0].at
    names = say_list(tuple(f"“{step.title}”" for step in failed))
    return Verdict(
        tone=Tone.WARN if failed else Tone.CALM,
        word="Talked through",
        headline=f"The procedure was talked through in {say_duration(spent.total_seconds())}: "
        f"{len(answered)} of {say_count(len(asked), 'question')} answered.",
        meaning="Nothing was lost, nothing was done, and nobody was told; nothing is proven."
        + (f" Said not to work: {names}." if failed else ""),
        remedy="Put right what was said to be missing." if failed else "",
    )


def _has_ended(record: DrillRecord) -> bool:
    found = incident_of(record.facts)
    ended = {event.run for _, event in of_kind(record.facts, RunEnded)}
    return found is not None and len(ended) >= len(found[1].systems)


def _judge_missed(injection: Injection) -> Verdict:
    if injection.false_news:
        return Verdict(
            tone=Tone.BAD,
            word="False news",
            headline=f"The recovery {injection.seen or 'has no end'}, and users were "
            "told that all is well.",
            meaning=f"{sentence('; '.join(injection.false_news))} {sentence(injection.meaning)}",
            remedy="Tell users what is true; find out how that could be sent, then drill again.",
        )
    return Verdict(
        tone=Tone.BAD,
        word="Not caught",
        headline=f"The injected defect “{injection.name}” was not caught: {injection.seen}.",
        meaning=f"Expected was: {injection.expected}. {sentence(injection.meaning)}",
        remedy="Repair the check that should have caught it, then drill again.",
    )


def _judge_stopped(record: DrillRecord, card: Scorecard, failed: list[StepScore]) -> Verdict:
    step = failed[0]
    failure = step.failure
    said = (failure.summary if failure else "") or step.reason or "no reason was given"
    hint = failure.hint if failure else ""
    return Verdict(
        tone=Tone.BAD,
        word="Stopped",
        headline=f"The recovery stopped at “{step.title}”: {sentence(said)}",
        meaning=_meaning_of_stop(record, card, failed),
        remedy=sentence(hint) or "Read the log of the failed action, repair, then resume.",
    )


def _meaning_of_stop(record: DrillRecord, card: Scorecard, failed: list[StepScore]) -> str:
    steps = {step.name: step for step in card.steps}
    moved = "update_dns" in steps and steps["update_dns"].outcome == "verified"
    parts = [
        "The public name leads to the new environment, which is not proven good."
        if moved
        else "No user reaches the new environment: the public name was not moved to it."
    ]
    if users_told_of_recovery(record.facts):
        parts.append("Users were told that the platform is back; tell them what is true.")
    else:
        parts.append("No user was told that all is well.")
    if len(failed) > 1:
        others = say_list(tuple(f"“{step.title}”" for step in failed[1:]))
        parts.append(f"Also failed: {others}.")
    waiting = sum(step.outcome == "waiting" for step in card.steps)
    parts.append(f"{say_count(waiting, 'step')} did not start." if waiting else "")
    return " ".join(part for part in parts if part)


def _judge_stood_down(record: DrillRecord) -> Verdict:
    event = next(event for _, event in of_kind(record.facts, StoodDown))
    name = record.people.get(event.by, event.by)
    return Verdict(
        tone=Tone.WARN,
        word="Stood down",
        headline=f"The incident was stood down by {plain(name)}: {sentence(event.why)}",
        meaning="No recovery was completed, so nothing was proven.",
    )


def _progress(card: Scorecard) -> str:
    ended = sum(step.outcome not in {"waiting", "running"} for step in card.steps)
    return f"{ended} of {say_count(len(card.steps), 'step')} have ended."


def _judge_recovered(record: DrillRecord, card: Scorecard) -> Verdict:
    fell_short = shortfalls(record, card)
    full = card.full_service
    systems = say_list(tuple(dict.fromkeys(step.system for step in card.steps)))
    took = f"back in full service after {say_duration(full.value_s)}" if full else "recovered"
    goal = f" The goal is {say_duration(full.goal_s)}." if full and full.goal_s else ""
    headline = f"{systems or 'The system'} was lost, and {took}.{goal}"
    if fell_short:
        meaning = f"Not everything is proven good: {fell_short[0]}"
        if len(fell_short) > 1:
            meaning += f" {say_count(len(fell_short) - 1, 'more shortfall')} below."
        return Verdict(
            tone=Tone.BAD if _is_grave(record, card) else Tone.WARN,
            word="Fell short",
            headline=headline,
            meaning=meaning,
            remedy="Read what fell short, decide on each, and drill again.",
        )
    return Verdict(
        tone=Tone.GOOD,
        word="Recovered",
        headline=headline,
        meaning=f"Every step was verified. {say_loss(record.loss)}{_say_waiting(record)}",
    )


def _say_waiting(record: DrillRecord) -> str:
    waiting = {move.whose for move in moves_of(record.facts) if move.state.startswith(WAITS)}
    if not waiting:
        return ""
    return f" Something is left to do for {say_list(tuple(sorted(waiting)))}; it is open."


def _is_grave(record: DrillRecord, card: Scorecard) -> bool:
    missed = any(not measure.is_met for measure in card.measures)
    return missed or bool(record.loss and record.loss.surplus) or bool(chain_faults(record))


def say_loss(loss: Loss | None) -> str:
    """Return what became of the acknowledged writes, as one sentence."""
    if loss is None:
        return "Lost writes were not counted."
    if not loss.lost:
        return f"No acknowledged write was lost (0 of {loss.acknowledged:,})."
    verb = "was" if loss.lost == 1 else "were"
    return f"{loss.lost:,} of {loss.acknowledged:,} acknowledged writes {verb} lost."


def shortfalls(record: DrillRecord, card: Scorecard) -> tuple[str, ...]:
    """Return everything that was promised and not achieved or not proven, gravest first."""
    return (
        *_missed_goals(record, card),
        *(_say_step(step) for step in card.steps if step.outcome != "verified"),
        *_loss_shortfalls(record.loss),
        *_message_shortfalls(record),
        *chain_faults(record),
    )


def _missed_goals(record: DrillRecord, card: Scorecard) -> tuple[str, ...]:
    missed = [_say_missed(measure) for measure in card.measures if not measure.is_met]
    has_ended = _has_ended(record)
    if has_ended and card.full_service is None:
        missed.append("Full service was not measured.")
    if has_ended and card.worst("rpo") is None:
        missed.append("The data loss window (RPO) was not measured.")
    return tuple(missed)


def _say_missed(measure: MeasureScore) -> str:
    return (
        f"{measure_title(measure.name)} took {say_duration(measure.value_s)}; "
        f"the goal is {say_duration(measure.goal_s)}."
    )


def _say_step(step: StepScore) -> str:
    outcome = {"waiting": "did not start", "running": "did not end"}.get(step.outcome, step.outcome)
    return f"“{step.title}”: {outcome}. {sentence(step.reason)}".rstrip()


def _loss_shortfalls(loss: Loss | None) -> tuple[str, ...]:
    if loss is None:
        return ()
    surplus = f"Surplus in the restored data, written by nobody: {say_count(loss.surplus, 'row')}."
    return (*(say_loss(loss),) * bool(loss.lost), *(surplus,) * bool(loss.surplus))


def _message_shortfalls(record: DrillRecord) -> tuple[str, ...]:
    found = [
        f"{notice_title(each.kind).capitalize()} over {plain(each.channel)}: {each.refused} of "
        f"{each.recipients} refused, {each.uncertain} uncertain. {sentence(each.reason)}".rstrip()
        for each in told(record.facts, record.deliveries)
        if each.refused or each.uncertain
    ]
    found += [
        f"{notice_title(event.kind).capitalize()} reached nobody. {sentence(event.reason)}".rstrip()
        for _, event in of_kind(record.facts, NoticeQueued)
        if not event.recipients
    ]
    return tuple(found)


def figure_rows(record: DrillRecord, card: Scorecard) -> tuple[tuple[str, str, str, Tone], ...]:
    """Return what Blackstart itself needed: figure, measured, goal, and whether it was met.

    The memory is that of the agent, which drives; the watch and the probes are not in it.
    """
    memory, start_up = record.figures.peak_memory_bytes, record.figures.start_up_s
    rows = [
        (
            "Idle share of the recovery",
            say_share(card.idle),
            f"≤ {say_share(IDLE_GOAL)}",
            card.idle <= IDLE_GOAL,
        )
    ]
    if memory is not None:
        goal = f"≤ {say_bytes(MEMORY_GOAL_BYTES)}"
        rows.append(
            ("Peak memory of the agent", say_bytes(memory), goal, memory <= MEMORY_GOAL_BYTES)
        )
    if start_up is not None:
        goal = f"≤ {START_UP_GOAL_S} s"
        rows.append(("blackstart --help", f"{start_up:.2f} s", goal, start_up <= START_UP_GOAL_S))
    return tuple((*row[:3], Tone.GOOD if row[3] else Tone.WARN) for row in rows)
