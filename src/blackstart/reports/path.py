# SPDX-License-Identifier: Apache-2.0
"""What decided how long the recovery took, by real times.

The critical path goes backwards from what ended last: before each piece stands the one that it
waited for and that ended last. What lies between two pieces is time in which nothing on the path
was done; it is shown, not hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from blackstart.model.events import Fact, RecoveryActivated, RunStarted
from blackstart.model.graph import action_id, waits_of
from blackstart.model.runbook import ActionSpec, Runbook, StepSpec
from blackstart.reports.spans import (
    HOLDS_BACK,
    ActionSpan,
    AskSpan,
    StepSpan,
    action_spans,
    ask_spans,
    of_kind,
    step_spans,
)

_SLACK = timedelta(milliseconds=2)  # facts are kept to the millisecond


@dataclass(frozen=True, slots=True, kw_only=True)
class PathPiece:
    """One piece of the critical path. `kind` is action, gate or step (one without actions)."""

    kind: str
    run: str
    step: str
    name: str
    started_at: datetime
    ended_at: datetime
    gap_s: float  # between the piece before it and this one

    @property
    def took_s(self) -> float:
        """Return how long the piece itself took."""
        return (self.ended_at - self.started_at).total_seconds()


def expected_of(step: StepSpec) -> float:
    """Return the expected time of a step: the longest chain of its actions, in seconds."""
    ends: dict[str, float] = {}
    waiting = list(step.do)
    while waiting:
        ready = [spec for spec in waiting if not _unmet(spec, step, waiting)] or waiting[:1]
        for spec in ready:
            before = max(
                (ends[name] for name in _siblings(spec, step) if name in ends), default=0.0
            )
            ends[spec.name] = before + spec.expected_s
        waiting = [spec for spec in waiting if spec.name not in ends]
    return max(ends.values(), default=0.0)


def _siblings(spec: ActionSpec, step: StepSpec) -> set[str]:
    return {ref.split(".", 1)[1] for ref in spec.after if ref.startswith(f"{step.name}.")}


def _unmet(spec: ActionSpec, step: StepSpec, waiting: list[ActionSpec]) -> bool:
    return bool(_siblings(spec, step) & {other.name for other in waiting})


def runbook_of(run: str, facts: tuple[Fact, ...], runbooks: tuple[Runbook, ...]) -> Runbook | None:
    """Return the runbook that the run follows, None when it is not among those given."""
    systems: Mapping[str, str] = {
        event.run: event.system for _, event in of_kind(facts, RunStarted)
    }
    for runbook in runbooks:
        if runbook.system == systems.get(run):
            return runbook
    return runbooks[0] if len(runbooks) == 1 else None


def critical_path(facts: tuple[Fact, ...], runbooks: tuple[Runbook, ...]) -> tuple[PathPiece, ...]:
    """Return the chain, first piece first, that led to the end of the recovery or to its stop."""
    activated_at = activation_of(facts)
    pieces = _pieces(facts)
    if activated_at is None:
        return ()
    pieces = tuple(piece for piece in pieces if piece.started_at >= activated_at - _SLACK)
    chain: list[PathPiece] = []
    stopped = {(span.run, span.step) for span in step_spans(facts) if span.outcome == "failed"}
    last = [each for each in pieces if (each.run, each.step) in stopped] or pieces
    piece = max(
        (each for each in last if each.kind != "gate"), key=lambda each: each.ended_at, default=None
    )
    while piece is not None:
        before = _before(piece, pieces, runbook_of(piece.run, facts, runbooks))
        since = before.ended_at if before else activated_at
        chain.append(_with_gap(piece, max(0.0, (piece.started_at - since).total_seconds())))
        piece = before
    return tuple(reversed(chain))


def activation_of(facts: tuple[Fact, ...]) -> datetime | None:
    """Return when the Recovery phase was activated, None when it was not."""
    return next((fact.at for fact, _ in of_kind(facts, RecoveryActivated)), None)


def last_step_end(facts: tuple[Fact, ...]) -> datetime | None:
    """Return when the last step ended, None when none did."""
    return max((span.ended_at for span in step_spans(facts) if span.ended_at), default=None)


def _with_gap(piece: PathPiece, gap_s: float) -> PathPiece:
    return PathPiece(
        kind=piece.kind,
        run=piece.run,
        step=piece.step,
        name=piece.name,
        started_at=piece.started_at,
        ended_at=piece.ended_at,
        gap_s=gap_s,
    )


def _pieces(facts: tuple[Fact, ...]) -> tuple[PathPiece, ...]:
    actions = [_of_action(span, span.ended_at) for span in action_spans(facts) if span.ended_at]
    acted = {(piece.run, piece.step) for piece in actions}
    gates = [
        _of_ask(span, span.ended_at)
        for span in ask_spans(facts)
        if _is_gate(span) and span.ended_at
    ]
    steps = [
        _of_step(span, span.started_at, span.ended_at)
        for span in step_spans(facts)
        if span.started_at and span.ended_at and (span.run, span.step) not in acted
    ]
    return (*actions, *gates, *steps)


def _is_gate(span: AskSpan) -> bool:
    return span.asked.kind in HOLDS_BACK and bool(span.asked.step)


def _of_action(span: ActionSpan, ended_at: datetime) -> PathPiece:
    return PathPiece(
        kind="action",
        run=span.run,
        step=span.step,
        name=span.action,
        started_at=span.started_at,
        ended_at=ended_at,
        gap_s=0.0,
    )


def _of_ask(span: AskSpan, ended_at: datetime) -> PathPiece:
    return PathPiece(
        kind="gate",
        run=span.asked.run,
        step=span.asked.step,
        name=span.asked.kind,
        started_at=span.opened_at,
        ended_at=ended_at,
        gap_s=0.0,
    )


def _of_step(span: StepSpan, started_at: datetime, ended_at: datetime) -> PathPiece:
    return PathPiece(
        kind="step",
        run=span.run,
        step=span.step,
        name=span.step,
        started_at=started_at,
        ended_at=ended_at,
        gap_s=0.0,
    )


def _before(
    piece: PathPiece, pieces: tuple[PathPiece, ...], runbook: Runbook | None
) -> PathPiece | None:
    earlier = [
        other
        for other in pieces
        if other is not piece
        and other.run == piece.run
        and other.ended_at <= piece.started_at + _SLACK
        and other.started_at < piece.started_at
        and _is_waited_for(other, piece, runbook)
    ]
    return max(earlier, key=lambda other: other.ended_at, default=None)


def _is_waited_for(other: PathPiece, piece: PathPiece, runbook: Runbook | None) -> bool:
    """Say whether `piece` could not start before `other` had ended."""
    if runbook is None:
        return True
    step = next((each for each in runbook.steps if each.name == piece.step), None)
    if step is None:
        return False
    if other.step == piece.step:
        return _is_waited_for_within(other, piece, runbook, step)
    if piece.kind == "action":
        waits = waits_of(runbook, step).get(action_id(piece.step, piece.name), frozenset())
        return action_id(other.step, other.name) in waits or other.step in step.after
    return other.step in step.after


def _is_waited_for_within(
    other: PathPiece, piece: PathPiece, runbook: Runbook, step: StepSpec
) -> bool:
    if piece.kind == "gate":
        return piece.name == "stopped"  # asked because an action of this step failed
    if other.kind == "gate" or other.name == piece.name:
        return True  # its gate, or an earlier attempt
    waits = waits_of(runbook, step).get(action_id(piece.step, piece.name), frozenset())
    return action_id(other.step, other.name) in waits
