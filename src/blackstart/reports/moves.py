# SPDX-License-Identifier: Apache-2.0
"""Which records moved to the new environment, and which wait for somebody: from the facts alone."""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.model.events import ActionEnded, Fact
from blackstart.model.orders import StepUndone
from blackstart.model.runbook import Param
from blackstart.reports.phrases import Tone, plain, sentence
from blackstart.reports.spans import AskSpan, ask_spans

WAITS = "waits"
_CHANGED, _SWAPPED, _BY_HAND = "changed", "old_ttl_s", "by_hand"  # outputs that tell of records


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One record or one thing to do: what, whose it is, how it stands."""

    what: str
    whose: str
    state: str
    tone: Tone


def moves_of(facts: tuple[Fact, ...]) -> tuple[Move, ...]:
    """Return every record that the procedure moved, then what is left to customers and people."""
    last = _standing(facts)
    moved = [_moved(what) for event in last.values() for what in _named(event)]
    asked = [span for span in ask_spans(facts) if span.asked.kind == "customer"]
    theirs = [_theirs(span, what) for span in asked if not span.withdrawn for what in _to_do(span)]
    by_hand = dict.fromkeys(
        plain(str(what))
        for event in last.values()
        if "verified" in event.outputs
        for what in _list(event.outputs.get(_BY_HAND))
    )
    unseen = [
        Move(what=what, whose="a person", state="seen by nobody yet", tone=Tone.WARN)
        for what in by_hand
    ]
    return (*moved, *theirs, *unseen)


def _standing(facts: tuple[Fact, ...]) -> dict[tuple[str, str, str], ActionEnded]:
    """Return the last end of each action that was done and not taken back since."""
    last: dict[tuple[str, str, str], ActionEnded] = {}
    for fact in facts:
        event = fact.event
        if isinstance(event, StepUndone):
            undone = (event.run, event.step)
            last = {key: ended for key, ended in last.items() if key[:2] != undone}
        elif isinstance(event, ActionEnded) and event.outcome == "done":
            last[event.run, event.step, event.action] = event
    return last


def _named(event: ActionEnded) -> tuple[str, ...]:
    if _SWAPPED in event.outputs:  # the public name itself
        return (event.summary.rstrip("."),)
    return tuple(map(str, _list(event.outputs.get(_CHANGED))))


def _moved(what: str) -> Move:
    return Move(what=plain(what), whose="us", state="moved", tone=Tone.GOOD)


def _list(value: Param) -> list[Param]:
    return value if isinstance(value, list) else []


def _to_do(span: AskSpan) -> tuple[str, ...]:
    prefix = f"{span.asked.customer}: "
    return tuple(plain(fact.removeprefix(prefix)) for fact in span.asked.facts)


def _theirs(span: AskSpan, what: str) -> Move:
    answered = span.answered
    if answered is None:
        state, tone = f"{WAITS} for the customer", Tone.WARN
    else:
        why = f": {sentence(answered.why)}" if answered.why else ""
        state, tone = f"{plain(answered.answer)}{why}", Tone.CALM
    return Move(what=what, whose=plain(span.asked.customer), state=state, tone=tone)
