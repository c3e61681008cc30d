# SPDX-License-Identifier: Apache-2.0
"""Follows the incident of a drill from outside, and stands in for its people when told to.

It knows only the record. It waits for the incident that the watch opens, shows it, answers or
asks the person at the terminal, and says when the drill is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from blackstart.bootstrap import Home, give_answer, house_of
from blackstart.engine.decide import is_waiting
from blackstart.engine.installation import Installation
from blackstart.model import events as ev
from blackstart.model.asks import AUTOMATIC
from blackstart.model.errors import BlackstartError, Stopped
from blackstart.model.incident import AskView, Incident, advance
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.model.states import IncidentState

EVERY_S = 0.2
END = "end"  # what the person at the terminal says to a stop to leave it as it is
AUTOMATIC_ANSWERS = {
    "acknowledge": "acknowledged",
    "decision": "rebuild",
    "gate": "go",
    "overdue": "cancel",  # so that a drill ends, and says where it hung
}
Give = Callable[["Followed", AskView, str, str, str], None]  # …, answer, reason, how it was given
_WHY = "answered automatically: a drill on the sandbox with nobody at the terminal"


@dataclass(slots=True, kw_only=True)
class Followed:
    """What is known of the incident so far."""

    home: Home
    id: str = ""
    facts: tuple[ev.Fact, ...] = ()
    incident: Incident | None = None
    house: Installation | None = None
    seen_open: dict[str, datetime] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)  # questions that nobody here will answer

    def read(self) -> None:
        """Read what was added to the record."""
        if not self.id:
            chains = [name for name in self.home.journal.chains() if name != ev.INSTALLATION]
            if not chains:
                return
            self.id = chains[0]
        seq = self.incident.seq if self.incident else 0
        for fact in self.home.journal.read(self.id, seq):
            self.incident = advance(self.incident, fact)
            self.facts = (*self.facts, fact)


def follow(
    followed: Followed,
    *,
    answer: Callable[[Followed, AskView], None],
    is_alive: Callable[[], bool],
    show: Callable[[], None],
    limit_s: float,
    stop: threading.Event,
    ends_early: bool = False,
) -> Incident:
    """Follow until the drill is over, and return the incident.

    With `ends_early` it is over as soon as its end is known: people were asked about a stop, or the
    system is restored and all that was told until then has arrived or was refused.

    Raises Stopped when the agent died or the limit passed, KeyboardInterrupt when `stop` was set.
    """
    clock = followed.home.clock
    deadline_s = clock.monotonic_s() + limit_s
    while True:
        followed.read()
        show()
        if followed.incident and _is_over(followed, followed.incident, ends_early=ends_early):
            return followed.incident
        if followed.incident:
            _let_answer(followed, followed.incident.open_asks(), answer)
        if not is_alive():
            raise Stopped(
                "Blackstart's agent died again and again.", "Read agent.log beside the report."
            )
        if clock.monotonic_s() > deadline_s:
            raise Stopped(
                f"The drill was not over after {limit_s:.0f} s.",
                "The report shows what it waited for, agent.log beside it what was tried.",
            )
        if stop.wait(EVERY_S):
            raise KeyboardInterrupt


def _let_answer(
    followed: Followed,
    asks: tuple[AskView, ...],
    answer: Callable[[Followed, AskView], None],
) -> None:
    """Let each question be answered; an answer can end the questions that come after it."""
    for ask in asks:
        if followed.incident and ask.opened.ask in {
            each.opened.ask for each in followed.incident.open_asks()
        }:
            answer(followed, ask)


def _is_over(followed: Followed, incident: Incident, *, ends_early: bool) -> bool:
    if ends_early and (has_stopped(incident) or has_come_through(incident)):
        return True
    stops = {ask.opened.ask for ask in incident.open_asks() if ask.opened.kind == "stopped"}
    if not stops <= followed.left:  # somebody here is still to be asked
        return False
    house = followed.house = followed.house or house_of(followed.home, followed.id)
    return is_over(house.plan, house.runbooks, incident, followed.home.clock.now())


def has_stopped(incident: Incident) -> bool:
    """Say whether a step failed that holds the recovery back, and people were asked about it."""
    asked = any(ask.opened.kind == "stopped" for ask in incident.open_asks())
    return asked and bool(place_of_stop(incident))


def has_come_through(incident: Incident) -> bool:
    """Say whether the system is restored and nothing that was told before is still under way."""
    end = incident.restored_at
    return end is not None and all(
        notice.settled or notice.queued_at >= end for notice in incident.notices.values()
    )


def is_over(plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime) -> bool:
    """Say whether nothing more will happen by itself: it waits for a sign-off or it stopped.

    The engine's own `decide` is asked, so that the gap between two actions of a branch that goes
    on is not taken for the end.
    """
    if not is_waiting(plan, runbooks, incident, now):
        return False
    open_kinds = {
        ask.opened.kind
        for ask in incident.open_asks()
        if any(ask.opened.ask in name for name in incident.notices)  # its people were told
    }
    if incident.state in (IncidentState.RESTORED, IncidentState.STOOD_DOWN):
        return "signoff" in open_kinds
    return "stopped" in open_kinds


def answer_after(delay_s: float) -> Callable[[Followed, AskView], None]:
    """Return what answers by itself after a delay; what stopped is left to people."""

    def answer(followed: Followed, ask: AskView) -> None:
        text = AUTOMATIC_ANSWERS.get(ask.opened.kind)
        if text is None:
            followed.left.add(ask.opened.ask)
            return
        now = followed.home.clock.now()
        seen = followed.seen_open.setdefault(ask.opened.ask, now)
        if (now - seen).total_seconds() >= delay_s:
            with suppress(BlackstartError):  # somebody else answered, or it no longer matters
                _give(followed, ask, text, _WHY, AUTOMATIC)
            followed.read()

    return answer


def ask_at_terminal(
    prompt: Callable[[AskView], tuple[str, str]],
    tell: Callable[[str], None],
    give: Give | None = None,
) -> Callable[[Followed, AskView], None]:
    """Return what lets the person at the terminal be the incident commander.

    A refused answer is told, and what is still open then is asked again.
    """

    def answer(followed: Followed, ask: AskView) -> None:
        name = ask.opened.ask
        if ask.opened.kind in ("question", "signoff") or name in followed.left:
            return
        text, why = prompt(ask)
        if text == END:
            followed.left.add(name)
            return
        try:
            (give or _give)(followed, ask, text, why, "terminal")
        except BlackstartError as refused:
            tell(str(refused))
        followed.read()

    return answer


def _give(followed: Followed, ask: AskView, text: str, why: str, how: str) -> None:
    give_answer(
        followed.home, followed.id, ask.opened.ask, text, by=ask.persons[0], why=why, how=how
    )


def place_of_stop(incident: Incident) -> str:
    """Return `step.action` of the first failure that holds the recovery back, "" when none does."""
    for run in incident.runs.values():
        for name, step in run.steps.items():
            if step.state != "failed":
                continue
            for action, view in step.actions.items():
                if view.state == "failed":
                    return f"{name}.{action}"
    return ""
