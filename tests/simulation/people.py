# SPDX-License-Identifier: Apache-2.0
"""People of a simulated day: they answer what they are asked and give orders of their own.

What they choose is drawn by the name of the question, so that a death elsewhere changes nothing
of it. Once the day has become calm they say what leads to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random

from blackstart.model import commands, steering
from blackstart.model import events as ev
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.errors import Refused
from blackstart.model.incident import Incident, advance
from blackstart.model.orders import IncidentPaused
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.model.states import AskState, IncidentState
from blackstart.model.views import AskView
from blackstart.ports.journal import Entry, Journal
from tests.simulation.record import Desk, say
from tests.simulation.stage import Stage
from tests.simulation.world import World

Make = Callable[[Known, Incident], tuple[ev.Event, ...]]
PROOF = ("e" * 64,)
SAYS: Mapping[str, str] = {
    "acknowledge": "acknowledged",
    "decision": "rebuild",
    "gate": "go",
    "manual": "done",
    "overdue": "cancel",
    "stopped": "retry",
    "undo": "retry",
    "signoff": "signed",
    "question": "all of it is lost",
}
Temper = Mapping[str, Mapping[str, float]]
PATIENT: Temper = {}
RESTLESS: Temper = {
    "decision": {"rebuild": 12, "wait": 3, "repair": 1, "stand-down": 1},
    "gate": {"go": 12, "hold": 4, "stand-down": 1},
    "manual": {"done": 4, "failed": 1},
    "overdue": {"cancel": 3, "by-hand": 1, "wait": 2, "stand-down": 1},
    "stopped": {"retry": 8, "by hand": 4, "skip": 3, "stand-down": 1},
    "undo": {"retry": 3, "leave": 1},
}


@dataclass(slots=True, kw_only=True)
class Crowd:
    """All people of the day. They see the record as a command of theirs would."""

    stage: Stage
    desk: Desk
    world: World
    incident_id: str
    plans: Mapping[str, tuple[Plan, Mapping[str, Runbook]]]
    seed: object
    temper: Temper
    delay_s: tuple[float, float]
    is_calm: Callable[[], bool]
    journal: Journal
    incident: Incident | None = None
    facts: list[ev.Fact] = field(default_factory=list)
    planned: set[str] = field(default_factory=set)
    is_looking: bool = False
    refused: int = 0
    turned_away: set[str] = field(default_factory=set)  # asks whose first answer was refused
    proven_at: list[datetime] = field(default_factory=list)
    left: set[str] = field(default_factory=set)  # run/step that somebody clears away by hand

    def hear(self) -> None:
        """Look at the record soon."""
        if not self.is_looking:
            self.is_looking = True
            self.stage.after(0.5, self._look)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do for anybody."""
        state = self.incident
        return (
            state is not None
            and state.state is IncidentState.CLOSED
            and all(notice.settled for notice in state.notices.values())
        )

    def _look(self) -> None:
        self.is_looking = False
        state = self._read()
        if state is None:
            return
        for ask in state.open_asks():
            name = ask.opened.ask
            if name not in self.planned:
                self.planned.add(name)
                self.stage.after(self._delay_s(name), partial(self._answer, name))
        if state.paused:
            self._plan_resuming()
        if state.restored_at and "proofs" not in self.planned:
            self.planned.add("proofs")
            self.stage.after(600.0, self._prove_backups)

    def _plan_resuming(self) -> None:
        paused = [fact.seq for fact in self.facts if isinstance(fact.event, IncidentPaused)]
        name = f"paused {paused[-1]}"
        if name not in self.planned:
            self.planned.add(name)
            self.stage.after(self._delay_s(name), partial(self.order, self._resume))

    def _read(self) -> Incident | None:
        for fact in self.journal.read(self.incident_id, self.incident.seq if self.incident else 0):
            self.facts.append(fact)
            self.incident = advance(self.incident, fact)
        return self.incident

    def _dice(self, about: str) -> Random:
        return Random(f"{self.seed} {about}")

    def _delay_s(self, about: str) -> float:
        least_s, most_s = self.delay_s
        return least_s if self.is_calm() else self._dice(about).uniform(least_s, most_s)

    # What they say.

    def _answer(self, name: str) -> None:
        state = self._read()
        if state is None or state.asks[name].state is not AskState.OPEN:
            return
        ask = state.asks[name]
        if not self._say(ask, self._choice(ask)):
            self.turned_away.add(name)
            self.stage.after(300.0, partial(self._answer_calmly, name))

    def _answer_calmly(self, name: str) -> None:
        state = self._read()
        if state is None or state.asks[name].state is not AskState.OPEN:
            return
        if not self._say(state.asks[name], SAYS[state.asks[name].opened.kind]):
            self.stage.after(300.0, partial(self._answer_calmly, name))

    def _choice(self, ask: AskView) -> str:
        kind = ask.opened.kind
        weights = self.temper.get(kind)
        if self.is_calm() or not weights or "#" in ask.opened.ask:
            return SAYS[kind]
        return self._dice(ask.opened.ask).choices(list(weights), list(weights.values()))[0]

    def _say(self, ask: AskView, text: str) -> bool:
        if (ask.opened.kind, text) == ("stopped", "by hand"):
            now, outputs = self.stage.now(), {"value": "x"}
            return self._by_hand(ask, steering.finish, outputs=outputs, evidence=PROOF, now=now)
        if (ask.opened.kind, text) == ("stopped", "skip"):
            return self._skip(ask)
        if text == "leave":
            self.left.add(f"{ask.opened.run}/{ask.opened.step}")
        said = Answer(
            text=text,
            by=self._speaker(ask),
            why="it is so",
            outputs={"seen": "it works"} if ask.opened.kind == "manual" else {},
            evidence=PROOF if ask.opened.kind == "manual" else (),
        )
        return self.order(lambda known, state: answer(known, state, ask.opened.ask, said))

    def _speaker(self, ask: AskView) -> str:
        """Return who was asked; after a refusal (a role may be another's by now) the commander."""
        if ask.opened.ask in self.turned_away:
            return "p1"
        return ask.persons[-1] if ask.opened.kind == "question" else ask.persons[0]

    def _by_hand(
        self, ask: AskView, way: Callable[..., tuple[ev.Event, ...]], **more: object
    ) -> bool:
        run, step = ask.opened.run, ask.opened.step

        def make(known: Known, state: Incident) -> tuple[ev.Event, ...]:
            made = way(
                known.plan,
                known.runbooks,
                state,
                state.runs[run],
                step,
                by="p1",
                why="by hand",
                **more,
            )
            self.world.by_hand.add(f"{run}/{step}")
            return made

        return self.order(make)

    def _skip(self, ask: AskView) -> bool:
        """Leave the step out; where a rule forbids it, the rule is waived by two people first."""
        now = self.stage.now()
        if self._by_hand(ask, steering.skip, outputs={"value": "x"}, now=now):
            return True
        for rule, (_, steps) in steering.WAIVABLE.items():
            if ask.opened.step in steps:
                self.order(partial(self._waive, rule))
        return self._by_hand(ask, steering.skip, outputs={"value": "x"}, now=now)

    # What they order.

    def order(self, make: Make) -> bool:
        """Record what somebody orders, judged on the newest facts; say whether it was allowed."""
        while True:
            state = self._read()
            if state is None:
                return False
            plan, runbooks = self.plans[state.plan]
            known = Known(
                plan=plan,
                runbooks=runbooks,
                now=self.stage.now(),
                unprotected=self._unprotected(state),
            )
            try:
                events = make(known, state)
            except Refused as refused:
                self.refused += 1
                self.stage.tell(f"     people: {refused.what}")
                return False
            return self._record(self.incident_id, events, state.seq)

    def _record(self, chain: str, events: tuple[ev.Event, ...], seq: int | None) -> bool:
        entries = [Entry(event=event) for event in events]
        for fact in self.journal.append(chain, "people", entries, expect_seq=seq):
            self.stage.tell(say(fact))
        self.desk.tell_all()
        return True

    def _unprotected(self, state: Incident) -> tuple[str, ...]:
        if state.restored_at is None:
            return ()
        proven = {
            fact.event.system
            for fact in self.journal.read(ev.INSTALLATION)
            if isinstance(fact.event, ev.RestorePointVerified) and fact.at > state.restored_at
        }
        return tuple(name for name in state.reported.systems if name not in proven)

    def _prove_backups(self) -> None:
        self.proven_at.append(self.stage.now())
        proofs = (
            tuple(
                ev.RestorePointVerified(
                    system=system,
                    item="database",
                    point="p",
                    taken_at=self.stage.now(),
                    checked=("rows",),
                    took_s=1.0,
                )
                for system in self.incident.reported.systems
            )
            if self.incident
            else ()
        )
        self._record(ev.INSTALLATION, proofs, None)

    def _resume(self, known: Known, state: Incident) -> tuple[ev.Event, ...]:
        return commands.resume(known.plan, state, by="p1", why="go on")

    def _waive(self, rule: str, known: Known, state: Incident) -> tuple[ev.Event, ...]:
        return steering.waive(
            known.plan,
            state,
            rule,
            by="p1",
            second="p3",
            why="the vendor saw to it",
            until=known.now.replace(year=known.now.year + 1),
            now=known.now,
        )
