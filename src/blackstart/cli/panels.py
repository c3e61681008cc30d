# SPDX-License-Identifier: Apache-2.0
"""The parts of the live view: a snapshot of the incident in, something to draw out.

Every part is a function of the snapshot alone, so that each can be drawn in a test. The parts give
way on a small terminal: the steps stay whole, the timeline and the notices shrink.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from blackstart.cli.palette import PERSON, RUNNING, SOFT, STYLES, sign_of, soft, style_of, toned
from blackstart.model.events import IncidentClosed, RecoveryActivated, RunEnded
from blackstart.model.words import say_bytes, say_duration
from blackstart.reports.kinds import ASK_WORDS, notice_title
from blackstart.reports.phrases import Tone, plain, say_clock_face, say_list, say_time
from blackstart.reports.record import DrillRecord, incident_of
from blackstart.reports.scorecard import Scorecard, StepScore
from blackstart.reports.spans import AskSpan, ask_spans, of_kind
from blackstart.reports.timeline import Known, timeline
from blackstart.reports.told import ToldGroup, told, told_groups
from blackstart.reports.verdict import judge

_WIDE = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressRow:
    """The newest progress of a subject (`step.action`), as the journal keeps it."""

    subject: str
    done: float
    total: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSnapshot:
    """What the live view shows at one moment. `stage` says what goes on before the incident."""

    record: DrillRecord
    now: datetime
    progress: tuple[ProgressRow, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)  # subject → units per second
    stage: str = ""


def draw_header(snapshot: LiveSnapshot, card: Scorecard) -> RenderableType:
    """Return what is lost, the running clock and the goal."""
    found = incident_of(snapshot.record.facts)
    lines = Table.grid(expand=True, padding=(0, 1))
    lines.add_column(ratio=1)
    lines.add_column(justify="right")
    if found is None:
        lines.add_row(Text(f"Blackstart  {plain(snapshot.stage)}", style="bold"), "")
        return lines
    report = found[1]
    systems = say_list(report.systems)
    title = Text.assemble(("Blackstart", "bold"), f"  {report.mode} of ", (systems, "bold"))
    lines.add_row(title, soft(snapshot.record.facts[0].chain))
    lines.add_row(_clock(snapshot, card), _estimate(card))
    happened = soft(f"{report.summary}, since {say_time(report.outage_start)} UTC")
    happened.no_wrap, happened.overflow = True, "ellipsis"
    return Group(lines, happened)


def _clock(snapshot: LiveSnapshot, card: Scorecard) -> Text:
    goal_s = snapshot.record.objectives.rto_s
    full = card.full_service
    if full is not None:
        style = STYLES[Tone.GOOD if full.is_met else Tone.BAD]
        return Text.assemble(
            (f"Back after {say_duration(full.value_s)}", f"bold {style}"),
            (f" of {say_duration(goal_s)} allowed", SOFT),
        )
    start = card.outage_start or snapshot.now
    out_s = (snapshot.now - start).total_seconds()
    used = f" of {say_clock_face(goal_s)} allowed ({out_s / goal_s:.2%})"
    return Text.assemble((f"Out for {say_clock_face(out_s)}", "bold red"), (used, SOFT))


def _estimate(card: Scorecard) -> Text:
    if card.estimate is None:
        return soft("recovery time not estimated yet")
    return soft(f"estimated recovery {say_duration(card.estimate.expected_s)}")


def draw_phases(snapshot: LiveSnapshot, card: Scorecard) -> Text:
    """Return the three phases with their times on one line."""
    facts = snapshot.record.facts
    activated = next((fact.at for fact, _ in of_kind(facts, RecoveryActivated)), None)
    restored = max((fact.at for fact, _ in of_kind(facts, RunEnded)), default=None)
    closed = next((fact.at for fact, _ in of_kind(facts, IncidentClosed)), None)
    is_stopped = any(step.outcome == "failed" for step in card.steps)
    spans = (
        ("1 Notification", card.outage_start, activated, False),
        ("2 Recovery", activated, restored, is_stopped),
        ("3 Resolution", restored, closed, False),
    )
    return Text("     ").join(_phase(*span, snapshot.now) for span in spans)


def _phase(
    name: str, start: datetime | None, end: datetime | None, is_stopped: bool, now: datetime
) -> Text:
    if start is None:
        return Text.assemble(sign_of("waiting"), (f" {name}", SOFT))
    state = "failed" if is_stopped else "done" if end else "running"
    took = say_duration(((end or now) - start).total_seconds())
    return Text.assemble(sign_of(state), (f" {name} {took}", "" if end else style_of(state)))


def draw_steps(snapshot: LiveSnapshot, card: Scorecard, width: int) -> RenderableType:
    """Return the steps in the policy's order with what each is at."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=1)
    table.add_column(width=2, justify="right", style=SOFT)
    table.add_column(width=36, no_wrap=True)
    table.add_column(min_width=6, justify="right", no_wrap=True)
    table.add_column(min_width=8, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True)
    asks = ask_spans(snapshot.record.facts)
    for step in card.steps:
        title = Text(step.title, style=style_of(step.outcome) if step.outcome != "verified" else "")
        gate = next((ask for ask in asks if _waits_at(ask, step)), None)
        table.add_row(
            Text("?", style=PERSON) if gate and not step.ended_at else sign_of(step.outcome),
            str(step.number or ""),
            title,
            _took(step, snapshot.now),
            soft(f"of {say_duration(step.expected_s)}" if step.expected_s else ""),
            _at_work(step, snapshot, gate, width),
        )
    return table


def _waits_at(ask: AskSpan, step: StepScore) -> bool:
    return ask.is_open and (ask.asked.run, ask.asked.step) == (step.run, step.name)


def _took(step: StepScore, now: datetime) -> Text:
    if step.started_at is None:
        return Text("")
    took_s = ((step.ended_at or now) - step.started_at).total_seconds()
    is_late = step.expected_s > 0 and took_s > step.expected_s
    style = "yellow" if is_late else RUNNING if step.outcome == "running" else "default"
    return Text(say_duration(took_s), style=style)


def _at_work(
    step: StepScore, snapshot: LiveSnapshot, gate: AskSpan | None, width: int
) -> RenderableType:
    if gate is not None and step.outcome != "failed":
        return Text(f"waits for {_role(gate, snapshot.record)}", style=PERSON)
    if step.outcome == "running":
        running = [span for span in step.actions if span.ended_at is None]
        for row in snapshot.progress:
            if row.subject in {span.reference for span in running} and row.total > 0:
                return _bar(row, snapshot.rates.get(row.subject, 0.0), width)
        names = tuple(span.action.replace("_", " ") for span in running)
        return Text(say_list(names), style=RUNNING)
    if step.failure is not None:
        return toned(step.failure.summary, Tone.BAD if step.outcome == "failed" else Tone.WARN)
    if step.reason:
        return soft(step.reason)
    ended = [(span.ended_at, span.summary) for span in step.actions if span.ended_at]
    return soft(max(ended)[1] if ended else "")


def _bar(row: ProgressRow, rate: float, width: int) -> RenderableType:
    is_narrow = width < _WIDE
    bar_width = 6 if is_narrow else 10
    parts = Table.grid(padding=(0, 1))
    parts.add_column(width=bar_width)
    parts.add_column(no_wrap=True)
    bar = ProgressBar(
        total=row.total,
        completed=min(row.done, row.total),
        width=bar_width,
        complete_style="cyan",
        finished_style="cyan",
    )
    parts.add_row(bar, Text(_pace(row, rate, is_narrow=is_narrow), style=RUNNING))
    return parts


def _pace(row: ProgressRow, rate: float, *, is_narrow: bool) -> str:
    """Return what has been moved, how fast it goes and how long it will take."""
    if row.unit in {"bytes", "B"}:
        amount, unit = say_bytes(row.total).split()
        scale = row.total / float(amount) if float(amount) else 1.0
    else:
        unit, scale = row.unit, 1.0
    said = f"{row.done / scale:.0f}/{row.total / scale:.0f} {unit}"
    if rate <= 0 or row.done >= row.total:
        return said
    left = say_duration(round((row.total - row.done) / rate))
    return f"{said} {left}" if is_narrow else f"{said} {rate / scale:.0f}/s {left} left"


def _role(ask: AskSpan, record: DrillRecord) -> str:
    role = ask.asked.role
    return plain(record.roles.get(role, role.replace("_", " ").replace(":", " ")))


def draw_trouble(snapshot: LiveSnapshot, card: Scorecard) -> RenderableType | None:
    """Return what stopped the recovery, what it means and what to do; None while nothing did."""
    if not any(step.outcome == "failed" for step in card.steps):
        return None
    verdict = judge(snapshot.record, card)
    return Group(
        toned(verdict.headline, verdict.tone),
        Text(verdict.meaning),
        Text(f"What to do: {verdict.remedy}", style="bold"),
    )


def draw_timeline(snapshot: LiveSnapshot, card: Scorecard, count: int) -> RenderableType:
    """Return the last lines of the main thread of the timeline."""
    every = timeline(snapshot.record.facts, snapshot.record.people)
    rows = [row for row in every if not row.is_detail]
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=10, justify="right", style=SOFT, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True)
    for row in rows[-count:] if count > 0 else []:
        since = (row.at - card.outage_start).total_seconds() if card.outage_start else 0.0
        table.add_row(f"+{since:.1f} s", toned(row.sentence, row.tone))
    return table


def draw_told(snapshot: LiveSnapshot, count: int) -> RenderableType:
    """Return who was told what: for each kind of notice how many messages the channels took."""
    groups = told_groups(told(snapshot.record.facts, snapshot.record.deliveries))
    kinds: dict[str, list[ToldGroup]] = {}
    for group in groups:
        kinds.setdefault(group.kind, []).append(group)
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=36, no_wrap=True)
    table.add_column(ratio=1, no_wrap=True)
    for kind, members in list(kinds.items())[-count:] if count > 0 else []:
        line = Text()
        for group in members:
            counts = f"{group.count('accepted')}/{group.count('recipients')}"
            line.append(f"{group.channel} {counts}  ", style=STYLES[group.tone])
        table.add_row(Text(notice_title(kind).capitalize()), line)
    return table


def _urgency(ask: AskSpan) -> bool:
    return ask.asked.kind == "question"  # what the work waits for comes first


def draw_asks(snapshot: LiveSnapshot, count: int) -> RenderableType | None:
    """Return the most urgent open questions with the role that is asked; None for none."""
    known = Known(people=snapshot.record.people)
    lines = [
        Text.assemble(
            ("? ", PERSON),
            (f"{_role(ask, snapshot.record)}", f"bold {PERSON}"),
            f" ({known.names(ask.persons)}) {ASK_WORDS.get(ask.asked.kind, ask.asked.kind)}: ",
            plain(ask.asked.text),
            overflow="ellipsis",
            no_wrap=True,
        )
        for ask in sorted(ask_spans(snapshot.record.facts), key=_urgency)
        if ask.is_open
    ]
    return Group(*lines[:count]) if lines else None
