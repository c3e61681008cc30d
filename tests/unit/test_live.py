# SPDX-License-Identifier: Apache-2.0
"""The terminal view fits its terminal, says what is wrong first, and degrades to plain lines."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from blackstart.cli.live import (
    LiveSnapshot,
    LiveView,
    ProgressRow,
    draw_live,
    plain_lines,
    show_ask,
)
from blackstart.cli.table import print_result
from blackstart.model.events import ActionEnded
from blackstart.reports.phrases import Tone
from blackstart.reports.record import DrillRecord
from blackstart.reports.spans import ask_spans
from tests.sample_facts import OUTAGE_START, half_done, stopped_drill
from tests.sample_records import sample_record, stopped_record


def snapshot(after_s: float, *progress: ProgressRow) -> LiveSnapshot:
    """Return the good drill as it was so many seconds after the outage."""
    return LiveSnapshot(
        record=replace(sample_record(), facts=half_done(after_s), loss=None),
        now=OUTAGE_START + timedelta(seconds=after_s),
        progress=progress,
        rates={row.subject: 20.0 * 1024 * 1024 for row in progress},
    )


def drawn(shown: LiveSnapshot, width: int = 100, height: int = 40) -> str:
    """Return the view as text."""
    console = Console(width=width, height=height, file=io.StringIO(), record=True)
    console.print(draw_live(shown, width, height))
    return console.export_text()


def ended(record: DrillRecord, width: int = 100) -> tuple[str, str, Tone]:
    """Return the result as text, the same with its colours, and the tone of the verdict."""
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    verdict = print_result(console, record, {"Report": "/tmp/report.html"})
    coloured = console.export_text(clear=False, styles=True)
    return console.export_text(), coloured, verdict.tone


@pytest.mark.parametrize(("width", "height"), [(100, 40), (80, 24), (80, 50)])
def test_the_view_fits_the_terminal_and_keeps_every_step(width: int, height: int) -> None:
    for after_s in (4.0, 14.3, 37.0, 44.0, 46.0):
        lines = drawn(snapshot(after_s), width, height).splitlines()
        assert max(len(line) for line in lines) <= width
        assert len(lines) <= height
        for title in ("Notify affected users again", "Verify logging, monitoring, alerting"):
            assert any(title in line for line in lines)


@pytest.mark.parametrize(("width", "height"), [(100, 40), (80, 24)])
def test_a_stop_fits_the_terminal_with_the_question_it_raises(width: int, height: int) -> None:
    shown = LiveSnapshot(record=stopped_record(), now=OUTAGE_START + timedelta(seconds=25))
    lines = drawn(shown, width, height).splitlines()
    assert len(lines) <= height
    assert any(line.startswith("? CTO (Ada Northcote) how to go on") for line in lines)


def test_steps_that_run_at_once_are_seen_at_once() -> None:
    lines = drawn(snapshot(14.3)).splitlines()
    running = [line for line in lines if line.startswith("●")]
    assert [line.split("  ")[1].strip() for line in running] == [
        "5 Deploy platform code",
        "6 Restore data backup",
    ]


def test_bytes_that_move_have_bar_rate_and_time_left() -> None:
    mib = 1024 * 1024
    row = ProgressRow(subject="restore_data.database", done=40 * mib, total=90 * mib, unit="bytes")
    wide = drawn(snapshot(14.3, row))
    assert "40/90 MiB 20/s 2 s left" in wide
    assert "━" in wide
    assert "40/90 MiB 2 s" in drawn(snapshot(14.3, row), width=80, height=24)
    assert "40/90" not in drawn(snapshot(30.0, row))  # the action has ended


def test_the_clock_runs_against_the_goal_and_stops_at_full_service() -> None:
    assert "Out for 00:00:14 of 24:00:00 allowed" in drawn(snapshot(14.3))
    assert "Back after 45.3 s of 24 h allowed" in drawn(snapshot(46.0))


def test_who_is_asked_and_who_was_told_is_shown() -> None:
    text = drawn(snapshot(41.0))
    assert "waits for CTO" in text
    assert "CTO (Ada Northcote) to say go" in text
    assert "users 4/4  status 1/1" in text


def test_a_stop_is_the_first_line() -> None:
    shown = LiveSnapshot(
        record=stopped_record(), now=OUTAGE_START + timedelta(seconds=25), stage=""
    )
    lines = drawn(shown).splitlines()
    assert lines[0].startswith("The recovery stopped at “Restore data backup”")
    assert any(line.startswith("What to do: Put the credential secret") for line in lines[:6])


def test_before_the_incident_the_stage_is_shown() -> None:
    waiting = LiveSnapshot(
        record=replace(sample_record(), facts=()), now=OUTAGE_START, stage="Waiting for the watch."
    )
    assert "Waiting for the watch." in drawn(waiting)


def test_elsewhere_each_fact_is_one_plain_line_printed_once() -> None:
    out = io.StringIO()
    moments = iter((snapshot(10.0), snapshot(10.0), snapshot(46.0), snapshot(46.0)))
    with LiveView(Console(file=out, width=80), lambda: next(moments)) as view:
        for _ in range(3):
            view.refresh()
    lines = out.getvalue().splitlines()
    assert len(lines) == len(set(lines))
    assert tuple(lines) == plain_lines(snapshot(46.0).record)
    assert "\x1b" not in out.getvalue()
    assert lines[0].startswith("XX +    3.2 s  Incident identified (drill)")


def test_on_a_terminal_the_view_gives_way_and_leaves_nothing_behind() -> None:
    out = io.StringIO()
    console = Console(file=out, width=100, height=40, force_terminal=True)
    with LiveView(console, lambda: snapshot(41.0)) as view:
        view.refresh()
        with view.pausing():
            asked = [span for span in ask_spans(half_done(41.0)) if span.asked.kind == "gate"]
            show_ask(console, asked[0], sample_record())
        view.refresh()
    assert "CTO (Ada Northcote)" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # the last line of the view was wiped


@pytest.mark.parametrize("width", [80, 100])
def test_the_result_of_a_good_drill(width: int) -> None:
    text, _, tone = ended(sample_record(), width)
    assert tone is Tone.GOOD
    assert text.strip().startswith("RECOVERED  flowfuse-cloud was lost, and back in full service")
    assert "2026-11-23 03:02:56.510 UTC" in text
    assert "0 of 605" in text
    assert "≤ 0.1 s" in text
    assert "/tmp/report.html" in text
    assert max(len(line) for line in text.splitlines()) <= width


def test_the_result_of_a_stopped_drill_is_red_and_says_what_to_do() -> None:
    text, coloured, tone = ended(stopped_record())
    assert tone is Tone.BAD
    first = coloured.strip().splitlines()[0]
    assert "31m" in first  # red
    assert "32m" not in first  # green
    assert text.strip().startswith("STOPPED  The recovery stopped at “Restore data backup”")
    assert "What to do: Put the credential secret" in text
    assert "caught where it should be" in text


def test_text_from_outside_is_not_mark_up() -> None:
    facts = tuple(
        replace(fact, event=replace(fact.event, summary="[red]loud[/red] \x1b[2J"))
        if isinstance(fact.event, ActionEnded)
        else fact
        for fact in stopped_drill()
    )
    shown = LiveSnapshot(
        record=replace(stopped_record(), facts=facts), now=OUTAGE_START + timedelta(seconds=25)
    )
    assert "[red]loud[/red] [2J" in drawn(shown)
