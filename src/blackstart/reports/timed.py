# SPDX-License-Identifier: Apache-2.0
"""One plain sentence for every fact that time alone made happen."""

from __future__ import annotations

from blackstart.model.time_words import say_late, say_prolonged, say_share_spent, say_usual
from blackstart.model.timing import ActionDelayed, GoalShareSpent, OutageProlonged, Timing
from blackstart.model.words import say_duration
from blackstart.reports.phrases import Tone, plain


def say_timing(event: Timing) -> tuple[str, Tone]:
    """Return the sentence and how it is meant."""
    match event:
        case GoalShareSpent():
            tone = Tone.BAD if event.percent >= 100 else Tone.WARN
            return f"Goal: {say_share_spent(event)}.{_late(event.late_s)}", tone
        case OutageProlonged():
            told = f"Prolonged outage: {plain(say_prolonged(event))}."
            return f"{told}{_late(event.late_s)}", Tone.WARN
        case ActionDelayed():
            usual = say_usual(event.usual_s, event.of)
            told = f"Slow: {event.step}.{event.action} goes on for longer than usual ({usual})."
            return f"{told}{_late(event.late_s)}", Tone.WARN


def _late(late_s: float) -> str:
    late = say_late(late_s)
    return f" {late}" if late else ""


def mark_late(late_s: float) -> str:
    """Return the mark behind a sentence about something that came too late, "" when it did not."""
    return f" ({say_duration(late_s)} late)" if late_s else ""
