# SPDX-License-Identifier: Apache-2.0
"""The chart of the recovery: where each bar lies, in per cent of the whole time.

Only the layout is computed here; the template draws it as SVG. Per cent keep it sharp and legible
from a telephone to paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from blackstart.model.events import Fact
from blackstart.model.words import say_duration
from blackstart.reports.path import PathPiece
from blackstart.reports.phrases import SIGNS, Tone, say_end, tone_of
from blackstart.reports.scorecard import Scorecard, StepScore
from blackstart.reports.spans import AskSpan, ask_spans, notice_spans

_STEPS_S = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    14_400,
    21_600,
    43_200,
    86_400,
)
_LABEL_LEFT_OF = 62.0  # per cent; bars that end further right have their label on the left
LANE_PX = 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: place in per cent, what it is, how it ended, whether it decided the duration."""

    left: float
    width: float
    label: str
    took: str
    look: str  # good, bad, warn, calm, person, notice
    is_critical: bool

    @property
    def right(self) -> float:
        """Return where the bar ends, in per cent."""
        return self.left + self.width

    @property
    def is_labelled_left(self) -> bool:
        """Say whether the label stands before the bar, because there is no room behind it."""
        return self.right > _LABEL_LEFT_OF and self.left > 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRow:
    """One step with its bars, each in a lane of its own."""

    number: int
    title: str
    took: str
    sign: str
    outcome: str
    tone: Tone
    left: float
    width: float
    bars: tuple[Bar, ...]

    @property
    def height_px(self) -> int:
        """Return the height of the row's drawing."""
        return max(1, len(self.bars)) * LANE_PX + 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment on the time axis. `is_minor` ones are left out where there is little room."""

    left: float
    label: str
    is_minor: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The whole chart."""

    rows: tuple[ChartRow, ...]
    ticks: tuple[Mark, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime

    def left(self, at: datetime) -> float:
        whole = (self.end - self.start).total_seconds() or 1.0
        return round(100 * min(1.0, max(0.0, (at - self.start).total_seconds() / whole)), 3)

    def width(self, started_at: datetime, ended_at: datetime | None) -> float:
        return max(0.4, round(self.left(ended_at or self.end) - self.left(started_at), 3))


def draw_chart(facts: tuple[Fact, ...], card: Scorecard) -> Chart:
    """Return the chart from the beginning of the outage to the last thing that ended."""
    if not facts:
        return Chart(rows=(), ticks=(), marks=())
    start = card.outage_start or facts[0].at
    scale = _Scale(start, _end_of(facts, card))
    critical = {
        (piece.kind, piece.run, piece.step, piece.name, piece.started_at) for piece in card.path
    }
    rows = [_notification_row(facts, scale)]
    rows += [_step_row(step, facts, scale, critical) for step in card.steps]
    return Chart(
        rows=tuple(row for row in rows if row.bars or row.outcome != "asked"),
        ticks=_ticks((scale.end - start).total_seconds()),
        marks=tuple(
            Mark(left=scale.left(each.at), label=each.name)
            for each in card.milestones
            if each.name in {"Recovery activated", "Full service"}
        ),
    )


def _end_of(facts: tuple[Fact, ...], card: Scorecard) -> datetime:
    ends = [step.ended_at for step in card.steps if step.ended_at]
    ends += [
        each.settled_at for each in notice_spans(facts) if each.settled_at and each.queued.step
    ]
    running = any(step.outcome == "running" for step in card.steps)
    return max(ends) if ends and not running else facts[-1].at


def _notification_row(facts: tuple[Fact, ...], scale: _Scale) -> ChartRow:
    asked = [
        each
        for each in ask_spans(facts)
        if not each.asked.step and each.asked.kind in {"acknowledge", "decision"}
    ]
    bars = [
        Bar(
            left=0.0,
            width=scale.width(scale.start, facts[0].at),
            label="confirm the outage",
            took=say_duration((facts[0].at - scale.start).total_seconds()),
            look="calm",
            is_critical=False,
        )
    ]
    bars += [_ask_bar(each, scale, is_critical=False) for each in asked]
    return ChartRow(
        number=0,
        title="Notification",
        took="",
        sign="",
        outcome="asked",
        tone=Tone.CALM,
        left=bars[0].left,
        width=max(bar.right for bar in bars),
        bars=tuple(bars),
    )


def _ask_bar(span: AskSpan, scale: _Scale, *, is_critical: bool) -> Bar:
    words = {
        "acknowledge": "acknowledge",
        "decision": "decide",
        "gate": "wait for go",
        "stopped": "wait for a person",
    }
    ended_at = span.ended_at or scale.end
    return Bar(
        left=scale.left(span.opened_at),
        width=scale.width(span.opened_at, span.ended_at),
        label=words.get(span.asked.kind, span.asked.kind)
        + (" (automatic)" if span.is_automatic else ""),
        took=say_duration((ended_at - span.opened_at).total_seconds()),
        look="person",
        is_critical=is_critical,
    )


def _step_row(
    step: StepScore,
    facts: tuple[Fact, ...],
    scale: _Scale,
    critical: set[tuple[str, str, str, str, datetime]],
) -> ChartRow:
    asks = [
        (
            span.opened_at,
            _ask_bar(
                span,
                scale,
                is_critical=("gate", step.run, step.name, span.asked.kind, span.opened_at)
                in critical,
            ),
        )
        for span in ask_spans(facts)
        if (span.asked.run, span.asked.step) == (step.run, step.name)
    ]
    lanes = asks + _action_bars(step, scale, critical) + _notice_bars(step, facts, scale)
    begun = step.started_at or (min(at for at, _ in lanes) if lanes else scale.end)
    return ChartRow(
        number=step.number,
        title=step.title,
        took=say_duration(step.took_s) if step.took_s is not None else say_end(step.outcome),
        sign=SIGNS.get(step.outcome, ""),
        outcome=step.outcome,
        tone=tone_of(step.outcome),
        left=scale.left(begun),
        width=scale.width(begun, step.ended_at) if lanes or step.started_at else 0.0,
        bars=tuple(bar for _, bar in sorted(lanes, key=lambda lane: lane[0])),
    )


def _action_bars(
    step: StepScore, scale: _Scale, critical: set[tuple[str, str, str, str, datetime]]
) -> list[tuple[datetime, Bar]]:
    looks = {"done": "good", "failed": "bad"}
    return [
        (
            span.started_at,
            Bar(
                left=scale.left(span.started_at),
                width=scale.width(span.started_at, span.ended_at),
                label=span.action.replace("_", " ")
                + (f" (attempt {span.attempt})" if span.attempt > 1 else ""),
                took=say_duration(((span.ended_at or scale.end) - span.started_at).total_seconds()),
                look=looks.get(span.outcome, "calm"),
                is_critical=("action", span.run, span.step, span.action, span.started_at)
                in critical,
            ),
        )
        for span in step.actions
    ]


def _notice_bars(
    step: StepScore, facts: tuple[Fact, ...], scale: _Scale
) -> list[tuple[datetime, Bar]]:
    return [
        (
            span.queued_at,
            Bar(
                left=scale.left(span.queued_at),
                width=scale.width(span.queued_at, span.settled_at),
                label=f"{span.queued.channel}: {span.queued.recipients} told",
                took=say_duration((span.settled_at - span.queued_at).total_seconds())
                if span.settled_at
                else "",
                look="notice",
                is_critical=False,
            ),
        )
        for span in notice_spans(facts)
        if (span.queued.run, span.queued.step) == (step.run, step.name)
    ]


def _ticks(whole_s: float) -> tuple[Mark, ...]:
    every = next((step for step in _STEPS_S if whole_s / step <= 8), _STEPS_S[-1])
    count = int(whole_s // every)
    return tuple(
        Mark(
            left=round(100 * number * every / whole_s, 3),
            label=say_duration(number * every),
            is_minor=number % 2 == 1,
        )
        for number in range(count + 1)
        if whole_s > 0
    )


def path_label(piece: PathPiece) -> str:
    """Return what a piece of the critical path is called."""
    names = {"gate": "waiting for a person", "step": "the step itself"}
    return names.get(piece.kind, piece.name.replace("_", " "))
