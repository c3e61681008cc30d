# SPDX-License-Identifier: Apache-2.0
"""The drill report: one HTML file that can be mailed, printed and kept, and the record as JSON.

The page loads nothing from anywhere and runs no script. Everything in it is derived from the
facts by the same functions that the terminal uses; the template only places it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from jinja2 import Environment, PackageLoader, StrictUndefined

from blackstart.model.events import (
    ActionEnded,
    Fact,
    IncidentReported,
    RecoveryActivated,
    Sighting,
)
from blackstart.model.orders import StepFinishedByHand
from blackstart.model.words import NOTHING, say_count, say_duration
from blackstart.reports.compliance import Row, against_policy, against_standards
from blackstart.reports.gantt import Chart, draw_chart, path_label
from blackstart.reports.kinds import ASK_WORDS, notice_title
from blackstart.reports.moves import Move, moves_of
from blackstart.reports.phrases import (
    SIGNS,
    Tone,
    plain,
    say_end,
    say_moment,
    say_share,
    say_step,
    say_time,
    sentence,
    tone_of,
)
from blackstart.reports.record import (
    DrillRecord,
    Figures,
    Injection,
    Loss,
    artefacts_of,
    chain_faults,
    incident_of,
    path_of_artefact,
    record_from_json,
    record_to_json,
)
from blackstart.reports.scorecard import MeasureScore, Scorecard, score
from blackstart.reports.spans import AskSpan, action_spans, ask_spans, of_kind
from blackstart.reports.timeline import (
    NO_PERSON,
    Known,
    TimelineRow,
    measure_title,
    say_audience,
    timeline,
)
from blackstart.reports.told import ToldGroup, told, told_groups
from blackstart.reports.verdict import Verdict, figure_rows, judge, say_loss, shortfalls

__all__ = [
    "DrillRecord",
    "Figures",
    "Injection",
    "Loss",
    "record_from_json",
    "render_html",
    "render_json",
]


_FIGURE = re.compile(r"(\d) (s|min|h|d)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure of the summary: what it is, the figure, what to compare it with."""

    title: str
    figure: str
    against: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRow:
    """An artefact: its hash, the name it was kept under, and the action that kept it."""

    digest: str
    name: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the template shows."""

    record: DrillRecord
    card: Scorecard
    verdict: Verdict
    tiles: tuple[Tile, ...]
    chart: Chart
    rows: tuple[TimelineRow, ...]
    told: tuple[ToldGroup, ...]
    moves: tuple[Move, ...]
    asks: tuple[AskSpan, ...]
    activations: tuple[RecoveryActivated, ...]
    sightings: tuple[Sighting, ...]
    evidence: tuple[EvidenceRow, ...]
    policy: tuple[Row, ...]
    standards: tuple[Row, ...]
    fell_short: tuple[str, ...]
    figures: tuple[tuple[str, str, str, Tone], ...]
    reported: IncidentReported | None
    incident: str
    chain: str


def render_json(record: DrillRecord) -> bytes:
    """Return the record with its result as canonical JSON; `record_from_json` reads it again."""
    card = _score(record)
    verdict = judge(record, card)
    result: Mapping[str, object] = {
        "verdict": verdict.word,
        "headline": verdict.headline,
        "meaning": verdict.meaning,
        "remedy": verdict.remedy,
        "fell_short": shortfalls(record, card),
        "idle_share": round(card.idle, 4),
        "steps": [
            {
                "run": step.run,
                "step": step.name,
                "expected_s": step.expected_s,
                "took_s": step.took_s,
                "outcome": step.outcome,
                "evidence": step.evidence,
            }
            for step in card.steps
        ],
        "measures": [_measure_result(measure) for measure in card.measures],
        "critical_path": [
            {"place": f"{piece.step}.{piece.name}", "took_s": piece.took_s, "gap_s": piece.gap_s}
            for piece in card.path
        ],
    }
    return record_to_json(record, result)


def _measure_result(measure: MeasureScore) -> Mapping[str, object]:
    return {
        "name": measure.name,
        "system": measure.system,
        "start": measure.start,
        "end": measure.end,
        "value_s": measure.value_s,
        "goal_s": measure.goal_s,
        "is_met": measure.is_met,
        "is_bound": measure.is_bound,
        "label": measure.label,
    }


def render_html(record: DrillRecord) -> str:
    """Return the report as one self-contained HTML page."""
    return _environment(record).get_template("drill.html.j2").render(page=_page(record))


def _score(record: DrillRecord) -> Scorecard:
    return score(record.facts, record.runbooks, record.objectives, record.item_goals)


def _page(record: DrillRecord) -> Page:
    card = _score(record)
    verdict = judge(record, card)
    found = incident_of(record.facts)
    return Page(
        record=record,
        card=card,
        verdict=verdict,
        tiles=_tiles(record, card, verdict),
        chart=draw_chart(record.facts, card),
        rows=timeline(record.facts, record.people),
        told=told_groups(told(record.facts, record.deliveries)),
        moves=moves_of(record.facts),
        asks=ask_spans(record.facts),
        activations=tuple(event for _, event in of_kind(record.facts, RecoveryActivated)),
        sightings=_sightings(record),
        evidence=_evidence(record),
        policy=against_policy(record, card),
        standards=against_standards(record, card),
        fell_short=shortfalls(record, card),
        figures=figure_rows(record, card),
        reported=found[1] if found else None,
        incident=record.facts[0].chain if record.facts else "",
        chain=_say_chain(record),
    )


def _tiles(record: DrillRecord, card: Scorecard, verdict: Verdict) -> tuple[Tile, ...]:
    full, first, rpo = card.full_service, card.first_service, card.worst("rpo")
    tiles = (
        _measure_tile("Full service", full, "not reached"),
        _measure_tile("First service", first, "not reached"),
        _loss_tile(record.loss),
        _measure_tile(f"Data loss window{_item_of(rpo)}", rpo, "not measured"),
        _estimate_tile(card),
        _told_tile(record),
    )
    if verdict.tone is not Tone.BAD:
        return tiles
    # beside a recovery that stopped nothing looks like a success
    return tuple(
        replace(tile, tone=Tone.CALM) if tile.tone is Tone.GOOD else tile for tile in tiles
    )


def _item_of(measure: MeasureScore | None) -> str:
    return f", {plain(measure.name.partition(':')[2])}" if measure else ""


def _measure_tile(title: str, measure: MeasureScore | None, missing: str) -> Tile:
    if measure is None:
        return Tile(title=title, figure=NOTHING, against=missing, tone=Tone.WARN)
    bound = "≤ " if measure.is_bound else ""
    against = (
        f"goal {say_duration(measure.goal_s)}" if measure.goal_s else "from the first failed check"
    )
    tone = Tone.GOOD if measure.is_met else Tone.BAD
    return Tile(
        title=title, figure=bound + say_duration(measure.value_s), against=against, tone=tone
    )


def _loss_tile(loss: Loss | None) -> Tile:
    if loss is None:
        return Tile(title="Writes lost", figure=NOTHING, against="not counted", tone=Tone.WARN)
    against = f"of {loss.acknowledged:,} acknowledged"
    tone = Tone.WARN if loss.lost else Tone.GOOD
    return Tile(title="Writes lost", figure=f"{loss.lost:,}", against=against, tone=tone)


def _estimate_tile(card: Scorecard) -> Tile:
    if card.estimate is None:
        return Tile(title="Estimate", figure=NOTHING, against="none was made", tone=Tone.CALM)
    figure = say_duration(card.estimate.expected_s)
    return Tile(
        title="Estimated at activation",
        figure=figure,
        against="along the critical path",
        tone=Tone.CALM,
    )


def _told_tile(record: DrillRecord) -> Tile:
    rows = told(record.facts, record.deliveries)
    accepted, sent = sum(row.accepted for row in rows), sum(row.recipients for row in rows)
    tone = Tone.GOOD if sent and accepted == sent else Tone.WARN
    return Tile(title="Messages taken", figure=f"{accepted}", against=f"of {sent} sent", tone=tone)


def _sightings(record: DrillRecord) -> tuple[Sighting, ...]:
    """Return what was found lost or intact, the newest look at each subject."""
    newest = {
        sighting.subject: sighting
        for _, event in of_kind(record.facts, ActionEnded)
        for sighting in event.sightings
    }
    graveness = ("lost", "degraded", "unknown", "intact")
    return tuple(sorted(newest.values(), key=lambda seen: _place_in(graveness, seen.condition)))


def _place_in(order: tuple[str, ...], condition: str) -> int:
    return order.index(condition) if condition in order else len(order)


def _evidence(record: DrillRecord) -> tuple[EvidenceRow, ...]:
    sources: dict[str, str] = {}
    for digest, source in _sources(record.facts):
        sources.setdefault(digest, source)
    return tuple(
        EvidenceRow(
            digest=digest,
            name=plain(record.evidence_names.get(digest, "")),
            source=plain(sources.get(digest, "")),
        )
        for digest in artefacts_of(record.facts)
    )


def _sources(facts: tuple[Fact, ...]) -> Iterator[tuple[str, str]]:
    """Yield each artefact with who or what kept it."""
    for span in action_spans(facts):
        for digest in (*span.evidence, *(each.evidence for each in span.sightings)):
            yield digest, span.reference
    for row in told(facts):
        yield row.receipt, f"receipts: {notice_title(row.kind)}, {row.channel}"
    for _, by_hand in of_kind(facts, StepFinishedByHand):
        for digest in by_hand.evidence:
            yield digest, f"{by_hand.step}, done by hand"
    for _, reported in of_kind(facts, IncidentReported):
        yield reported.plan, "the plan of this incident"
        for each in reported.sightings:
            yield each.evidence, "the watch that saw the outage"


def _say_chain(record: DrillRecord) -> str:
    faults = chain_faults(record)
    if faults:
        return f"{say_count(len(faults), 'fault')} in the chain of {len(record.facts)} facts."
    checked = (
        "verified by the journal, fact by fact"
        if record.journal_faults is not None
        else "its links are unbroken; the journal was not asked to verify the hashes"
    )
    return f"{len(record.facts)} facts in one chain, {checked}."


def _environment(record: DrillRecord) -> Environment:
    environment = Environment(
        loader=PackageLoader("blackstart.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known = Known(people=record.people)
    environment.filters.update(
        duration=say_duration,
        moment=say_moment,
        clock=say_time,
        share=say_share,
        plain=plain,
        sentence=sentence,
        name=known.name,
        names=known.names,
        role=lambda role: plain(record.roles.get(role, role.replace("_", " ").replace(":", " "))),
        audience=lambda audience: say_audience(audience, known),
        step=say_step,
        end=say_end,
        href=lambda digest: _href(record, digest),
        notice=notice_title,
        measure=measure_title,
        asked=lambda kind: ASK_WORDS.get(kind, kind),
        path=path_label,
        tone=tone_of,
        glue=_glue,
    )
    environment.globals.update(signs=SIGNS, no_person=NO_PERSON, loss=say_loss)
    return environment


def _href(record: DrillRecord, digest: str) -> str:
    """Return where an artefact lies beside the report, "" when it does not lie there."""
    name = record.evidence_names.get(digest)
    return path_of_artefact(digest, name) if name else ""


def _glue(text: str) -> str:
    """Return the text with figures held to their units, so that no line breaks between them."""
    return _FIGURE.sub("\\1\N{NO-BREAK SPACE}\\2", text)
