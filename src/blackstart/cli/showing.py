# SPDX-License-Identifier: Apache-2.0
"""Shows a drill while it runs, lets the person at the terminal decide, and shows how it ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from blackstart.cli.follow import END, Followed
from blackstart.cli.live import LiveSnapshot, LiveView, ProgressRow, show_ask
from blackstart.cli.outcome import empty_record, frame_of
from blackstart.cli.table import print_result
from blackstart.cli.typed import TypedLines
from blackstart.model.incident import AskView
from blackstart.reports.record import DrillRecord
from blackstart.reports.spans import ask_spans

PLAIN_WIDTH = 120  # where nobody can say how wide the terminal is, lines are not cut at 80


def make_console() -> Console:
    """Return the console that everything of a drill is shown on."""
    console = Console()
    return console if console.is_terminal else Console(width=PLAIN_WIDTH)


def make_view(console: Console, followed: Followed, disaster: str) -> LiveView:
    """Return the live view of what `followed` reads from the record."""
    frame: list[DrillRecord] = [empty_record()]

    def snapshot() -> LiveSnapshot:
        if followed.facts and not frame[0].runbooks:
            frame[0] = frame_of(followed)
        rows = followed.home.journal.progress(followed.id) if followed.id else ()
        return LiveSnapshot(
            record=replace(frame[0], facts=followed.facts),
            now=followed.home.clock.now(),
            progress=tuple(
                ProgressRow(subject=subject, done=done, total=total, unit=unit)
                for subject, done, total, unit in rows
            ),
            stage=f"The {disaster} is gone. The watch outside has not confirmed it yet.",
        )

    return LiveView(console, snapshot)


def prompt_at_terminal(
    console: Console, view: LiveView, followed: Followed, ask: AskView, typed: TypedLines
) -> tuple[str, str]:
    """Ask the person at the terminal; return the answer and the reason."""
    with view.pausing():
        span = next(s for s in ask_spans(followed.facts) if s.asked.ask == ask.opened.ask)
        show_ask(console, span, frame_of(followed))
        choices = [option.name for option in ask.opened.options]
        if ask.opened.kind == "stopped":
            console.print(f"  [bold]{END}[/]: end the drill here; the report says what stopped it")
            choices.append(END)
        typed.forget()
        text = typed.ask("Your answer", choices)
        why = "" if text == END else typed.ask("Why, for the record (may stay empty)")
    return text, why


def show_end(console: Console, record: DrillRecord, paths: dict[str, Path]) -> None:
    """Show the table, the measures and where the reports are."""
    print_result(console, record, {title: str(path) for title, path in paths.items()})
