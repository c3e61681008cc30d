# SPDX-License-Identifier: Apache-2.0
"""A driver on paper: it carries `decide` out at once, on facts in memory, at any time one likes.

Nothing runs and nobody waits, so days pass in milliseconds. Every act is begun and stays under way
until the test ends it; every message is taken at once. A restart is nothing: only facts count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from blackstart.engine.acting import key_of
from blackstart.engine.decide import Act, Record, WakeAt, decide
from blackstart.engine.telling import Notice
from blackstart.model import events as ev
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.codec import GENESIS, decode_fact, encode_fact
from blackstart.model.incident import Incident, advance, fold
from blackstart.model.notices import compose
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.model.texts import Text
from blackstart.model.timing import UsualTime
from tests.engine_verbs import AT
from tests.engine_world import INCIDENT, make_plan, make_runbook

_MOST_ROUNDS = 500


@dataclass(kw_only=True)
class Paper:
    """One incident on paper. `texts` is what people got to read, by the name of the notice."""

    plan: Plan = field(default_factory=lambda: make_plan(Path("/nowhere")))
    runbooks: Mapping[str, Runbook] = field(
        default_factory=lambda: {"shop": make_runbook(Path("/nowhere"))}
    )
    facts: list[ev.Fact] = field(default_factory=list)
    texts: dict[str, Text] = field(default_factory=dict)
    known: Incident | None = None  # what the driver of now knows; `restart` forgets it

    @property
    def incident(self) -> Incident:
        """The incident as its facts tell it."""
        if self.known is None:
            self.known = fold(self.facts)
        for fact in self.facts[self.known.seq :]:
            self.known = advance(self.known, fact)
        return self.known

    def restart(self) -> None:
        """Die, and begin anew with the facts alone."""
        self.known = None

    def record(self, at: datetime, *events: ev.Event, by: str = "driver") -> None:
        """Append facts as the journal does: never before the last one."""
        for event in events:
            last = self.facts[-1] if self.facts else None
            moment = max(at, last.at) if last else at
            content = encode_fact(
                INCIDENT,
                len(self.facts) + 1,
                moment,
                by,
                event,
                last.digest if last else GENESIS,
            )
            self.facts.append(decode_fact(content))

    def report(
        self,
        at: datetime = AT,
        *,
        since: datetime | None = None,
        mode: str = "recovery",
        usual: tuple[UsualTime, ...] = (),
    ) -> None:
        """Open the incident."""
        reported = ev.IncidentReported(
            systems=tuple(self.runbooks),
            mode=mode,
            target="drill",
            summary="The shop is down.",
            outage_start=since or at,
            plan="0" * 64,
            usual=usual,
        )
        self.record(at, reported, by="watch")

    def drive(self, now: datetime) -> datetime | None:
        """Do all that is possible now; return when something is due next."""
        for _ in range(_MOST_ROUNDS):
            incident = self.incident
            decisions = decide(self.plan, self.runbooks, incident, now)
            if not any(self._carry_out(decision, incident, now) for decision in decisions):
                wakes = [d.at for d in decisions if isinstance(d, WakeAt)]
                return min((at for at in wakes if at > now), default=None)
        raise AssertionError("it never comes to rest")

    def _carry_out(self, decision: object, incident: Incident, now: datetime) -> bool:
        """Carry one decision out; say whether it must be decided anew."""
        match decision:
            case Record(event=event):
                self.record(now, event)
                # the rest of the batch is decided again, which must make no difference
                return True
            case Act(is_begun=False) as act:
                key = key_of(act.run, act.step, act.action, act.attempt)
                begun = ev.ActionStarted(
                    run=act.run, step=act.step, action=act.action, attempt=act.attempt, key=key
                )
                self.record(now, begun)
                return True
            case Notice() as notice:
                self._tell(notice, incident, now)
                return True
            case _:
                return False

    def _tell(self, notice: Notice, incident: Incident, now: datetime) -> None:
        text = compose(notice.kind, self.plan, incident, notice.about, late_s=notice.late_s)
        self.texts[notice.name] = text
        queued = ev.NoticeQueued(
            notice=notice.name,
            kind=notice.kind,
            channel=notice.channel,
            audience=notice.audience,
            recipients=1,
            subject=text.subject,
            body="b" * 64,
            late_s=notice.late_s,
        )
        settled = ev.NoticeSettled(
            notice=notice.name, accepted=1, refused=0, uncertain=0, receipt="r" * 64
        )
        self.record(now, queued, settled)

    def end(self, now: datetime, step: str, action: str, outcome: str = "done") -> None:
        """Let an action that is under way end."""
        run = next(iter(self.incident.runs))
        key = self.incident.runs[run].action(step, action).key
        ended = ev.ActionEnded(run=run, step=step, action=action, key=key, outcome=outcome)
        self.record(now, ended)

    def say(
        self,
        now: datetime,
        ask: str,
        text: str,
        *,
        by: str = "p1",
        why: str = "",
        for_s: float = 0.0,
    ) -> None:
        """Let a person answer."""
        known = Known(plan=self.plan, runbooks=self.runbooks, now=now)
        given = Answer(text=text, by=by, why=why, for_s=for_s)
        self.record(now, *answer(known, self.incident, ask, given), by=by)

    def activate(self, now: datetime) -> None:
        """Acknowledge, let the first look end, and activate."""
        self.drive(now)
        self.say(now, "acknowledge", "acknowledged")
        self.drive(now)
        self.end(now, "assess_impact", "look")
        self.drive(now)
        self.say(now, "decision", "rebuild", why="it is gone")
        self.drive(now)

    def run_until(self, now: datetime, end: datetime) -> None:
        """Drive, sleep until the next moment that was asked for, and so on until the end."""
        while now <= end:
            due_at = self.drive(now)
            if due_at is None:
                return
            now = due_at

    def of(self, kind: type[ev.Event]) -> list[ev.Event]:
        """Return the events of one kind, in order."""
        return [fact.event for fact in self.facts if isinstance(fact.event, kind)]

    def told(self, kind: str) -> list[str]:
        """Return the names of the notices of one kind, in order."""
        queued = self.of(ev.NoticeQueued)
        return [e.notice for e in queued if isinstance(e, ev.NoticeQueued) and e.kind == kind]


def hours(number: float) -> timedelta:
    """Return so many hours."""
    return timedelta(hours=number)


def minutes(number: float) -> timedelta:
    """Return so many minutes."""
    return timedelta(minutes=number)


def names_of(texts: Iterable[str]) -> list[str]:
    """Return the part of each notice's name that says what it is about."""
    return [name.split("/")[1].split()[0] for name in texts]
