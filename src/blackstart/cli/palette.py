# SPDX-License-Identifier: Apache-2.0
"""Colours and signs of the terminal: one place, so that red always means the same.

Text from facts is put into `Text` values, never into mark-up, so that a square bracket in a
message cannot change a colour.
"""

from __future__ import annotations

from rich.text import Text

from blackstart.reports.phrases import SIGNS, Tone, plain, tone_of

STYLES = {Tone.GOOD: "green", Tone.WARN: "yellow", Tone.BAD: "bold red", Tone.CALM: "default"}
SOFT = "dim"
RUNNING = "bold cyan"
PERSON = "magenta"
STEP_STYLES = {"running": RUNNING, "started": RUNNING, "waiting": SOFT}


def style_of(outcome: str) -> str:
    """Return the style of a step or an action by how it stands."""
    return STEP_STYLES.get(outcome) or STYLES[tone_of(outcome)]


def sign_of(outcome: str) -> Text:
    """Return the sign of a step or an action in its colour."""
    return Text(SIGNS.get(outcome, "?"), style=style_of(outcome))


def toned(text: str, tone: Tone) -> Text:
    """Return text in the colour of its tone, on one line."""
    return Text(plain(text), style=STYLES[tone])


def soft(text: str) -> Text:
    """Return text that stands back, on one line."""
    return Text(plain(text), style=SOFT)
