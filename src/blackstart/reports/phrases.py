# SPDX-License-Identifier: Apache-2.0
"""How figures, times and names are said, the same way in every report and on the terminal.

Text that came from outside (a summary, a host's answer) passes through `plain`, so that it can
neither move the cursor of a terminal nor break a line of a document.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from enum import StrEnum

from blackstart.model.runbook import ASSESS_IMPACT, POLICY_STEPS
from blackstart.model.words import NOTHING

_MINUTE_S, _HOUR_S = 60, 3_600


class Tone(StrEnum):
    """How a line is meant, for colours and signs; never shown by colour alone."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    CALM = "calm"


SIGNS = {
    "verified": "✓",
    "done": "✓",
    "running": "●",
    "started": "●",
    "waiting": "·",
    "degraded": "!",
    "failed": "✗",
    "skipped": NOTHING,
}
TONES = {
    "verified": Tone.GOOD,
    "done": Tone.GOOD,
    "degraded": Tone.WARN,
    "skipped": Tone.WARN,
    "failed": Tone.BAD,
}


ENDS = {"waiting": "did not start", "running": "did not end"}  # of what is over


def say_end(outcome: str) -> str:
    """Return the outcome of a step in a report, which is written when nothing goes on any more."""
    return ENDS.get(outcome, outcome)


def tone_of(outcome: str) -> Tone:
    """Return how the outcome of a step or an action is meant."""
    return TONES.get(outcome, Tone.CALM)


def say_clock_face(duration_s: float) -> str:
    """Return a running clock: 00:00:48."""
    whole = max(0, int(duration_s))
    return f"{whole // _HOUR_S:02d}:{whole % _HOUR_S // _MINUTE_S:02d}:{whole % _MINUTE_S:02d}"


def say_moment(at: datetime | None) -> str:
    """Return a moment in full, in UTC, to the millisecond."""
    if at is None:
        return NOTHING
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{_milliseconds(at)} UTC"


def say_time(at: datetime | None) -> str:
    """Return the time of day in UTC, to the millisecond."""
    return f"{at.astimezone(UTC):%H:%M:%S}.{_milliseconds(at)}" if at else NOTHING


def _milliseconds(at: datetime) -> str:
    return f"{at.microsecond // 1000:03d}"


def say_share(share: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{share * 100:.1f} %"


def say_list(things: tuple[str, ...]) -> str:
    """Return names as a reader says them: a, b and c."""
    if len(things) < 2:
        return "".join(things)
    return f"{', '.join(things[:-1])} and {things[-1]}"


def say_step(name: str) -> str:
    """Return the title of a step in the policy's words."""
    if name == ASSESS_IMPACT:
        return "Assess impact"
    return POLICY_STEPS.get(name, name.replace("_", " ").capitalize())


def step_number(name: str) -> int:
    """Return the number of the step in the policy, 0 for a step that the policy does not number."""
    return 1 + list(POLICY_STEPS).index(name) if name in POLICY_STEPS else 0


def plain(text: str) -> str:
    """Return the text on one line without control characters."""
    shown = (" " if unicodedata.category(letter)[0] in {"C", "Z"} else letter for letter in text)
    return " ".join("".join(shown).split())


def sentence(text: str) -> str:
    """Return the text as one line that ends like a sentence."""
    line = plain(text)
    return line if not line or line[-1] in ".!?" else f"{line}."


def shorten(text: str, length: int) -> str:
    """Return the text on one line, cut with an ellipsis when it is longer than `length` letters."""
    line = plain(text)
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
