# SPDX-License-Identifier: Apache-2.0
"""The report says first what happened, is never green without proof, and loads nothing."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from blackstart.model.events import ActionEnded, IncidentReported, NoticeSettled, StepEnded
from blackstart.reports.drill import record_from_json, render_html, render_json
from blackstart.reports.gantt import draw_chart
from blackstart.reports.phrases import Tone
from blackstart.reports.record import (
    DrillRecord,
    Figures,
    Injection,
    Loss,
    chain_faults,
    path_of_artefact,
)
from blackstart.reports.scorecard import score
from blackstart.reports.verdict import Verdict, figure_rows, judge, shortfalls
from tests.sample_facts import half_done
from tests.sample_records import sample_record, stopped_record

GOOD = sample_record()


class Page(HTMLParser):
    """Collects tags, attributes that could load something, and whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag != "a":
            self.loads += [str(value) for name, value in attrs if name == "href"]
        self.loads += [str(value) for name, value in attrs if name in {"src", "srcset", "action"}]
        if tag not in {"meta", "br", "rect", "line"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in {"rect", "line"}:
            assert self.open.pop() == tag


def judged(record: DrillRecord) -> Verdict:
    """Return the verdict over a record."""
    return judge(record, score(record.facts, record.runbooks, record.objectives, record.item_goals))


def fell_short(record: DrillRecord) -> str:
    """Return every shortfall of a record."""
    card = score(record.facts, record.runbooks, record.objectives, record.item_goals)
    return " ".join(shortfalls(record, card))


def test_a_proven_recovery_is_good() -> None:
    verdict = judged(sample_record())
    assert verdict.tone is Tone.GOOD
    assert "back in full service after 45.3 s. The goal is 24 h." in verdict.headline
    assert "No acknowledged write was lost (0 of 605)." in verdict.meaning
    assert fell_short(sample_record()) == ""


def test_a_stopped_recovery_says_what_it_means_and_what_to_do() -> None:
    verdict = judged(stopped_record())
    assert verdict.tone is Tone.BAD
    assert verdict.headline.startswith("The recovery stopped at “Restore data backup”")
    assert "No user was told that all is well." in verdict.meaning
    assert verdict.remedy.startswith("Put the credential secret")


def test_a_stopped_recovery_never_looks_green_at_the_top() -> None:
    top = render_html(stopped_record()).split("</header>")[0]
    body = top.split("</style>")[1]
    assert 'class="verdict bad"' in body
    assert 'class="good"' not in body
    assert 'class="good"' in render_html(sample_record()).split("</header>")[0]


@pytest.mark.parametrize(
    ("record", "words", "tone"),
    [
        (replace(GOOD, loss=Loss(acknowledged=605, lost=3)), "3 of 605 acknowledged", Tone.WARN),
        (replace(GOOD, loss=Loss(acknowledged=605, lost=0, surplus=2)), "Surplus", Tone.BAD),
        (replace(GOOD, item_goals={"database": 0.01}), "the goal is < 0.1 s", Tone.BAD),
        (replace(GOOD, journal_faults=("Fact 7 was altered.",)), "Fact 7 was altered.", Tone.BAD),
    ],
    ids=["lost", "surplus", "rpo", "chain"],
)
def test_what_falls_short_is_not_good(record: DrillRecord, words: str, tone: Tone) -> None:
    assert judged(record).tone is tone
    assert words in fell_short(record)
    assert words in render_html(record).replace("&lt;", "<")


def test_a_degraded_step_and_a_refused_message_are_not_good() -> None:
    record = sample_record()
    facts = list(record.facts)
    for number, fact in enumerate(facts):
        event = fact.event
        if isinstance(event, StepEnded) and event.step == "announce_recovery":
            worse = replace(event, outcome="degraded", reason="the relay refused")
            facts[number] = replace(fact, event=worse)
        if isinstance(event, NoticeSettled) and event.notice.startswith("recovered"):
            facts[number] = replace(fact, event=replace(event, accepted=0, refused=1))
    record = replace(record, facts=tuple(facts))
    assert judged(record).tone is Tone.WARN
    assert "degraded. the relay refused." in fell_short(record)
    assert "1 of 4 refused" in fell_short(record)


def test_an_unfinished_recovery_proves_nothing() -> None:
    verdict = judged(replace(sample_record(), facts=half_done(30.0)))
    assert verdict.tone is Tone.CALM
    assert "nothing is proven yet" in verdict.headline


@pytest.mark.parametrize("seen", ["recovers, announced as healthy", "stops at update_dns.record"])
def test_a_defect_that_is_not_caught_is_bad(seen: str) -> None:
    injection = Injection(
        name="stale-path", meaning="A path.", expected="stops at restore_data.relocated", seen=seen
    )
    verdict = judged(replace(sample_record(), injection=injection))
    assert verdict.tone is Tone.BAD
    assert "was not caught" in verdict.headline


def test_a_caught_defect_is_said_and_stays_red() -> None:
    page = render_html(stopped_record())
    assert "The defect was caught where it should be." in page
    assert judged(stopped_record()).tone is Tone.BAD


@pytest.mark.parametrize("record", [sample_record(), stopped_record()], ids=["good", "stopped"])
def test_the_page_loads_nothing_and_runs_nothing(record: DrillRecord) -> None:
    page = Page()
    text = render_html(record)
    page.feed(text)
    assert page.open == []
    assert page.loads == []
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.findall(r"url\(|@import|javascript:", text)


def test_the_page_holds_what_an_auditor_asks_for() -> None:
    record = sample_record()
    text = render_html(record)
    for digest in record.evidence_names:
        assert digest in text
    assert "Answered automatically, as this drill allows; no person decided." in text
    assert record.facts[-1].digest in text
    assert "2026-11-23 03:02:11.180 UTC" in text
    assert f"{len(record.facts)} facts in one chain, verified by the journal" in text


def test_each_artefact_is_linked_where_it_lies_beside_the_report() -> None:
    record = sample_record()
    text = render_html(record)
    for digest, name in record.evidence_names.items():
        assert f'href="{path_of_artefact(digest, name)}"' in text
    links = set(re.findall(r'href="([^"]*)"', text))
    assert len(links) == len(record.evidence_names)
    assert not any(link.startswith(("/", "file:", "http")) for link in links)


def test_an_artefact_that_is_not_beside_the_report_is_named_and_not_linked() -> None:
    text = render_html(replace(sample_record(), evidence_names={}))
    assert "not beside this report" in text
    assert "href=" not in text


def test_an_artefact_of_any_name_is_a_file_of_one_folder() -> None:
    digest = "ab" * 32
    assert path_of_artefact(digest, "a/../b c.txt") == "evidence/abababababab-a-..-b c.txt"
    assert 'href="evidence/abababababab-a%20b.txt"' in render_html(
        replace(with_plan(sample_record(), digest), evidence_names={digest: "a b.txt"})
    )


def with_plan(record: DrillRecord, digest: str) -> DrillRecord:
    """Return the record with another plan pinned."""
    first = record.facts[0]
    assert isinstance(first.event, IncidentReported)
    pinned = replace(first, event=replace(first.event, plan=digest))
    return replace(record, facts=(pinned, *record.facts[1:]))


def test_what_never_began_is_not_said_to_wait_in_a_report() -> None:
    text = render_html(stopped_record())
    assert "did not start" in text
    assert not re.search(r'class="(took|sign[^"]*)">[^<]*(waiting|running)', text)


def test_text_from_outside_is_text() -> None:
    record = sample_record()
    facts = tuple(
        replace(fact, event=replace(fact.event, summary="<script>alert(1)</script>"))
        if isinstance(fact.event, ActionEnded)
        else fact
        for fact in record.facts
    )
    text = render_html(replace(record, facts=facts))
    assert "&lt;script&gt;" in text
    assert "<script>" not in text


def test_the_json_record_comes_back_the_same() -> None:
    for record in (sample_record(), stopped_record()):
        content = render_json(record)
        assert record_from_json(content) == record
        assert render_json(record_from_json(content)) == content


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="not a drill record"):
        record_from_json(b'{"format": "other/1", "record": {}}')


def test_a_broken_link_is_found() -> None:
    record = sample_record()
    assert chain_faults(record) == ()
    without = replace(record, facts=(*record.facts[:5], *record.facts[6:]))
    assert chain_faults(without) == ("Fact 7 does not follow fact 5.",)


def test_figures_over_their_goal_are_marked() -> None:
    record = replace(
        sample_record(), figures=Figures(peak_memory_bytes=130 * 1024 * 1024, start_up_s=0.1)
    )
    card = score(record.facts, record.runbooks, record.objectives)
    tones = {name: tone for name, _, _, tone in figure_rows(record, card)}
    assert tones["Peak memory of the agent"] is Tone.WARN
    assert tones["blackstart --help"] is Tone.GOOD


def test_every_bar_of_the_chart_lies_within_it() -> None:
    for record in (sample_record(), stopped_record()):
        card = score(record.facts, record.runbooks, record.objectives)
        chart = draw_chart(record.facts, card)
        bars = [bar for row in chart.rows for bar in row.bars]
        assert len(bars) > 20
        assert all(0.0 <= bar.left <= 100.0 and bar.right <= 100.5 for bar in bars)
        critical = sum(bar.is_critical for bar in bars)
        assert critical == sum(piece.kind != "step" for piece in card.path)


def test_an_empty_record_can_be_shown() -> None:
    text = render_html(replace(sample_record(), facts=(), loss=None))
    assert "nothing is proven yet" in text
    assert "Nobody was told anything." in text
