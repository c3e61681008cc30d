# SPDX-License-Identifier: Apache-2.0
"""The live view of a recovery: drawn on a terminal, or one plain line for each fact elsewhere.

It reads snapshots from a function; it decides nothing and writes nothing. Whoever drives the loop
calls `refresh`, and takes the view out of the way with `pausing` to ask a person at the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from blackstart.cli.palette import PERSON, SOFT
from blackstart.cli.panels import (
    LiveSnapshot,
    ProgressRow,
    draw_asks,
    draw_header,
    draw_phases,
    draw_steps,
    draw_timeline,
    draw_told,
    draw_trouble,
)
from blackstart.model.words import say_duration
from blackstart.reports.kinds import ASK_WORDS
from blackstart.reports.phrases import Tone, plain
from blackstart.reports.record import DrillRecord
from blackstart.reports.scorecard import Scorecard, score
from blackstart.reports.spans import AskSpan, ask_spans
from blackstart.reports.timeline import Known, timeline

__all__ = ["LiveSnapshot", "LiveView", "ProgressRow", "draw_live", "plain_lines", "show_ask"]

_PACE_OVER_S = 4.0
_ROOMY = 30  # lines of a terminal that can spare empty ones
_LINE_SIGNS = {Tone.GOOD: "ok ", Tone.WARN: "!  ", Tone.BAD: "XX ", Tone.CALM: "   "}


@dataclass(slots=True)
class _Pace:
    """How fast progress goes, over the last seconds."""

    seen: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)

    def rates(self, snapshot: LiveSnapshot) -> dict[str, float]:
        """Take note of a snapshot and return units per second by subject."""
        return {row.subject: self._rate(row, snapshot.now) for row in snapshot.progress}

    def _rate(self, row: ProgressRow, now: datetime) -> float:
        seen = self.seen.setdefault(row.subject, [])
        if seen and row.done < seen[-1][1]:
            seen.clear()  # a new attempt began at nothing
        seen.append((now, row.done))
        while len(seen) > 2 and (now - seen[0][0]).total_seconds() > _PACE_OVER_S:
            seen.pop(0)
        over_s = (now - seen[0][0]).total_seconds()
        return (row.done - seen[0][1]) / over_s if over_s > 0 else 0.0


class LiveView:
    """Shows the recovery while it runs; a context manager that leaves the terminal as it was."""

    def __init__(self, console: Console, snapshot: Callable[[], LiveSnapshot]) -> None:
        self._console = console
        self._snapshot = snapshot
        self._pace = _Pace()
        self._told_seq = 0
        self._stage = ""
        self._live = self._new()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        if not self._console.is_terminal and kind is None:
            self.refresh()

    def _new(self) -> Live:
        """Return what draws; one that was stopped would wipe as many lines as it drew last."""
        return Live(console=self._console, auto_refresh=False, transient=True)

    def refresh(self) -> None:
        """Read a snapshot and show it: redrawn on a terminal, only what is new elsewhere."""
        shown = self._snapshot()
        if self._console.is_terminal:
            shown = replace(shown, rates=self._pace.rates(shown))
            width, height = self._console.size
            self._live.update(draw_live(shown, width, height - 1), refresh=True)
        else:
            self._tell(shown)

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Take the view off the terminal, so that a person can be asked there."""
        self._live.stop()
        try:
            yield
        finally:
            if self._console.is_terminal:
                self._live = self._new()
                self._live.start()

    def _tell(self, shown: LiveSnapshot) -> None:
        if shown.stage not in {"", self._stage}:
            self._stage = shown.stage
            self._print(plain(shown.stage))
        for line in plain_lines(shown.record, after_seq=self._told_seq):
            self._print(line)
        if shown.record.facts:
            self._told_seq = shown.record.facts[-1].seq

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def plain_lines(record: DrillRecord, after_seq: int = 0) -> tuple[str, ...]:
    """Return one line for each fact worth telling, with the seconds since the outage began."""
    card = _score(record)
    start = card.outage_start or (record.facts[0].at if record.facts else None)
    return tuple(
        f"{_LINE_SIGNS[row.tone]}+{(row.at - start).total_seconds():7.1f} s  {row.sentence}"
        for row in timeline(record.facts, record.people)
        if row.seq > after_seq and not row.is_detail and start is not None
    )


def draw_live(snapshot: LiveSnapshot, width: int, height: int) -> RenderableType:
    """Return the whole view, fitted to the terminal: the steps stay, the rest gives way."""
    card = _score(snapshot.record)
    if not snapshot.record.facts:
        return draw_header(snapshot, card)
    trouble = draw_trouble(snapshot, card)
    gap = [Text("")] if height >= _ROOMY else []
    room = height - 6 - 2 * len(gap) - len(card.steps) - (6 if trouble else 0)
    open_asks = sum(span.is_open for span in ask_spans(snapshot.record.facts))
    asked = max(1, min(open_asks, room))
    asks = draw_asks(snapshot, asked)
    room -= asked + 2  # and a rule above each of the following parts
    told_lines = max(0, min(6, room - 5))
    tail = max(0, min(6, room - told_lines))
    parts: list[RenderableType] = [trouble, *gap] if trouble else []
    parts += [draw_header(snapshot, card), *gap]
    parts += [draw_phases(snapshot, card), Rule(style=SOFT), draw_steps(snapshot, card, width)]
    if asks:
        parts += [asks]
    if tail:
        parts += [Rule(style=SOFT), draw_timeline(snapshot, card, tail)]
    if told_lines:
        parts += [Rule(style=SOFT), draw_told(snapshot, told_lines)]
    return Group(*parts)


def show_ask(console: Console, ask: AskSpan, record: DrillRecord) -> None:
    """Print a question with its facts and its options, for the person at the terminal."""
    known = Known(people=record.people)
    title = record.roles.get(ask.asked.role, ask.asked.role)
    console.print()
    console.print(
        Text.assemble(
            (f"{plain(title)} ({known.names(ask.persons)})", f"bold {PERSON}"),
            f" is asked {ASK_WORDS.get(ask.asked.kind, ask.asked.kind)}: ",
            (plain(ask.asked.text), "bold"),
        )
    )
    for fact in ask.asked.facts:
        console.print(Text(f"  - {plain(fact)}"))
    for option in ask.asked.options:
        expected = f", {say_duration(option.expected_s)}" if option.expected_s is not None else ""
        meaning = f": {plain(option.meaning)}{expected}"
        console.print(Text.assemble((f"  {plain(option.name)}", "bold"), meaning))
    if ask.asked.due_at:
        due = f"  due {ask.asked.due_at:%H:%M:%S} UTC; then the next in line is asked too"
        console.print(Text(due, style=SOFT))


def _score(record: DrillRecord) -> Scorecard:
    return score(record.facts, record.runbooks, record.objectives, record.item_goals)
