# SPDX-License-Identifier: Apache-2.0
"""The end of a drill on the terminal: the verdict, the steps, the measures, the paths."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from blackstart.cli.palette import SOFT, STYLES, sign_of, soft, style_of, toned
from blackstart.model.words import NOTHING, say_duration
from blackstart.reports.phrases import Tone, plain, say_moment, sentence
from blackstart.reports.record import DrillRecord, Injection
from blackstart.reports.scorecard import MeasureScore, Scorecard, StepScore, score
from blackstart.reports.timeline import Known, measure_title
from blackstart.reports.verdict import Verdict, figure_rows, judge, say_loss, shortfalls


def print_result(console: Console, record: DrillRecord, paths: Mapping[str, str]) -> Verdict:
    """Print the result; `paths` names what was written (title → path). Returns the verdict."""
    card = score(record.facts, record.runbooks, record.objectives, record.item_goals)
    verdict = judge(record, card)
    console.print(draw_result(record, card, verdict, paths))
    return verdict


def draw_result(
    record: DrillRecord, card: Scorecard, verdict: Verdict, paths: Mapping[str, str]
) -> RenderableType:
    """Return everything that is printed at the end."""
    parts: list[RenderableType] = [Text(""), _verdict(verdict), Text("")]
    if record.injection:
        parts += [_injection(record.injection), Text("")]
    parts += [_steps(card, record), Text(""), _measures(card), Text("")]
    if record.loss:
        tone = Tone.GOOD if not (record.loss.lost or record.loss.surplus) else Tone.WARN
        rest = f" {record.loss.in_flight} in flight, {record.loss.surplus} surplus rows."
        parts += [Text.assemble(toned(say_loss(record.loss), tone), (rest, SOFT)), Text("")]
    short = shortfalls(record, card)
    if short and verdict.tone is not Tone.GOOD:
        lines = (Text(f"  - {line}") for line in short)
        parts += [Text("What fell short", style="bold"), *lines, Text("")]
    parts += [_figures(record, card), Text(""), _paths(paths)]
    return Group(*parts)


def _verdict(verdict: Verdict) -> RenderableType:
    style = STYLES[verdict.tone] if verdict.tone is Tone.BAD else f"bold {STYLES[verdict.tone]}"
    headline = f"{verdict.word.upper()}  {verdict.headline}"
    lines = [Text(headline, style=style), Text(verdict.meaning)]
    if verdict.remedy:
        lines.append(Text(f"What to do: {verdict.remedy}", style="bold"))
    return Group(*lines)


def _injection(injection: Injection) -> Text:
    caught = "caught where it should be" if injection.is_caught else "NOT caught where it should be"
    style = "bold" if injection.is_caught else "bold red"
    return Text.assemble(
        (f"Injected defect {injection.name}: {caught}. ", style),
        f"Expected: {injection.expected}; seen: {injection.seen}. {sentence(injection.meaning)}",
    )


def _steps(card: Scorecard, record: DrillRecord) -> RenderableType:
    known = Known(people=record.people)
    table = Table(box=None, padding=(0, 1, 0, 0), expand=True, header_style=SOFT)
    table.add_column("", width=1)
    table.add_column("", width=2, justify="right", style=SOFT)
    table.add_column("Step", min_width=36, no_wrap=True)
    table.add_column("Expected", justify="right", no_wrap=True)
    table.add_column("Took", justify="right", no_wrap=True)
    table.add_column("Outcome", no_wrap=True)
    table.add_column("Evidence", ratio=1, no_wrap=True)
    for step in card.steps:
        outcome = f"{step.outcome} by {known.name(step.by)}" if step.by else step.outcome
        table.add_row(
            sign_of(step.outcome),
            str(step.number or ""),
            Text(step.title),
            soft(say_duration(step.expected_s) if step.expected_s else NOTHING),
            _took(step),
            Text(outcome, style=style_of(step.outcome)),
            soft(_evidence(step)),
        )
    return table


def _took(step: StepScore) -> Text:
    took_s = step.took_s
    is_late = took_s is not None and 0 < step.expected_s < took_s
    return Text(say_duration(took_s), style="yellow" if is_late else "default")


def _evidence(step: StepScore) -> str:
    if not step.evidence:
        return "none kept" if step.started_at else ""
    more = f" +{len(step.evidence) - 1}" if len(step.evidence) > 1 else ""
    return f"{step.evidence[0][:8]}{more}"


def _measures(card: Scorecard) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=SOFT)
    table.add_column("Measure")
    table.add_column("Achieved", justify="right", no_wrap=True)
    table.add_column("Goal", justify="right", no_wrap=True)
    table.add_column("From and to", no_wrap=True)
    for measure in card.measures:
        bound = "≤ " if measure.is_bound else ""
        table.add_row(
            Text(measure_title(measure.name)),
            Text(bound + say_duration(measure.value_s), style=_style(measure)),
            soft(say_duration(measure.goal_s) if measure.goal_s else "none set"),
            soft(f"{say_moment(measure.start)}"),
        )
        table.add_row("", "", "", soft(say_moment(measure.end)))
    if not card.measures:
        return toned("First service, full service and RPO were not reached.", Tone.WARN)
    return table


def _style(measure: MeasureScore) -> str:
    return STYLES[Tone.GOOD if measure.is_met else Tone.BAD]


def _figures(record: DrillRecord, card: Scorecard) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value, goal, tone in figure_rows(record, card):
        table.add_row(Text(name), toned(value, tone), soft(f"goal {goal}"))
    return table


def _paths(paths: Mapping[str, str]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for title, path in paths.items():
        table.add_row(Text(title), Text(plain(path), style="bold", overflow="fold"))
    return table
