# SPDX-License-Identifier: Apache-2.0
"""How a question to a person is made: who is asked, until when, among which options. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from blackstart.model import events as ev
from blackstart.model.answering import ANSWERS
from blackstart.model.authority import persons_asked
from blackstart.model.commands import OPTIONS
from blackstart.model.incident import AskView, Incident
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan
from blackstart.model.texts import question_text

_MEANINGS = dict(OPTIONS) | {
    "acknowledged": "I take this on",
    "go": "continue with this step",
    "hold": "not yet: the gate stays closed until somebody says go",
    "done": "it is done, and here is what shows it",
    "failed": "it did not work; the reason says why",
    "leave": "leave it as it is; somebody clears it away by hand",
    "cancel": "end it and all that it started; the step stops, and a retry clears what was begun",
    "by-hand": "end it, so that its owner finishes the step by hand",
    "retry": "try the failed action again, after what was wrong has been put right",
    "skip": "leave this step out; what needs its results cannot start",
    "confirmed": "the customer says that it is done",
    "given-up": "we wait for it no longer; the reason says why",
    "signed": "the post-mortem is complete",
}
_ELSEWHERE = {
    ("overdue", "wait"): "let it go on, for as long again as its limit (or --for 30m, say); "
    "then you are asked again",
}


def new_ask(incident: Incident, ask: ev.AskOpened) -> Iterator[ev.AskOpened]:
    """Yield the question unless it was asked before."""
    if ask.ask not in incident.asks:
        yield ask


def make_ask(
    plan: Plan,
    incident: Incident,
    kind: str,
    name: str,
    text: str,
    *,
    now: datetime | None = None,
    within_s: float = 0.0,
    role: str = COMMANDER,
    facts: tuple[str, ...] = (),
    run: str = "",
    step: str = "",
) -> ev.AskOpened:
    """Return the question to a role; with `now` it is chased, `within_s` at the earliest."""
    due = None
    if now:
        known = plan.roles.get(role) or plan.roles[COMMANDER]
        due = now + timedelta(seconds=max(known.acknowledge_within_s, within_s))
    options = tuple(_option(incident, kind, each) for each in ANSWERS[kind])
    return ev.AskOpened(
        ask=name,
        kind=kind,
        text=question_text(incident, text),
        role=role,
        persons=persons_asked(plan, incident, role),
        due_at=due,
        facts=facts,
        options=options,
        run=run,
        step=step,
    )


def _option(incident: Incident, kind: str, name: str) -> ev.Option:
    """Return the option with what people estimated of it; the rebuild with the critical path."""
    if kind != "decision":
        return ev.Option(name=name, meaning=_ELSEWHERE.get((kind, name), _MEANINGS[name]))
    told = incident.estimates.get(name)
    if told:
        return ev.Option(
            name=name,
            meaning=_MEANINGS[name],
            expected_s=told.expected_s,
            data_lost=told.data_lost,
            reversible=told.reversible,
        )
    if name != "rebuild":
        return ev.Option(name=name, meaning=_MEANINGS[name])
    made = [run.estimate.expected_s for run in incident.runs.values() if run.estimate]
    return ev.Option(
        name=name,
        meaning=_MEANINGS[name],
        expected_s=max(made, default=None),
        data_lost="what was written after the restore point",
        reversible="until users are let in",
    )


def is_open(ask: AskView) -> bool:
    """Say whether it waits for an answer."""
    return ask.ended_at is None
