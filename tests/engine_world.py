# SPDX-License-Identifier: Apache-2.0
"""A small world to drive in: verbs that leave marks in a folder, a plan, and people who answer.

Every effect is a file named by its key, so that a test can count what was really done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from blackstart.engine.installation import Installation
from blackstart.engine.runner import drive
from blackstart.model import events as ev
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.errors import Refused
from blackstart.model.incident import Incident, fold
from blackstart.model.people import Person, Role, Team
from blackstart.model.plan import ChannelSpec, Plan, Policy, System, Target
from blackstart.model.runbook import ActionSpec, NoticeSpec, Phase, Runbook, StepSpec
from blackstart.model.states import IncidentState
from blackstart.ports.journal import Entry, Journal
from blackstart.store.evidence import open_evidence
from blackstart.store.secretbox import open_secret_box
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock
from blackstart.world.crew import Threads
from tests.engine_verbs import VERBS

INCIDENT = "20261123-031415-shop-ab12"
_OPENED: list[Journal] = []
ANSWERS = {"acknowledge": "acknowledged", "decision": "rebuild", "gate": "go"}


def make_plan(letters: Path, systems: tuple[str, ...] = ("shop",)) -> Plan:
    """Return a plan with a commander, a deputy, a CEO, a team and three channels."""
    people = {
        name: Person(id=name, name=name.upper(), addresses={"box": name})
        for name in ("p1", "p2", "p3", "p4")
    }
    box = {"folder": str(letters), "refuses_while": str(letters.parent / "box-is-shut")}
    return Plan(
        organisation="Shop",
        policy=Policy(owner="p1", effective=date(2026, 1, 1)),
        people=people,
        roles={
            "incident_commander": Role(
                name="incident_commander",
                title="CTO",
                holders=("p1", "p2"),
                acknowledge_within_s=600,
            ),
            "ceo": Role(name="ceo", title="CEO", holders=("p3",)),
        },
        teams={"devops": Team(name="devops", members=("p4",))},
        channels={
            "incident": ChannelSpec(name="incident", use="board.post", params=dict(box)),
            "staff": ChannelSpec(name="staff", use="box.send", params=dict(box)),
            "users": ChannelSpec(name="users", use="box.send", params=dict(box)),
        },
        systems={
            name: System(
                name=name,
                profile="shop@1",
                targets={
                    "drill": Target(name="drill", place="p", site="s", address="a", public_name="n")
                },
            )
            for name in systems
        },
        digest="0" * 64,
    )


def make_runbook(marks: Path, system: str = "shop") -> Runbook:
    """Return a runbook with every shape that the engine knows."""
    not_ready = str(marks.parent / "not-ready")

    def touch(name: str, *after: str, **more: Any) -> ActionSpec:
        return ActionSpec(
            name=name, use="touch.it", params={"folder": str(marks), **more}, after=after
        )

    return Runbook(
        system=system,
        target="drill",
        steps=(
            StepSpec(
                name="assess_impact",
                title="Assess impact",
                phase=Phase.NOTIFICATION,
                do=(ActionSpec(name="look", use="look.it"),),
            ),
            StepSpec(
                name="notify_users",
                title="Notify",
                blocking=False,
                do=(ActionSpec(name="roster", use="roll.call"),),
                notices=(NoticeSpec(kind="outage", channel="users", audience="affected"),),
            ),
            StepSpec(
                name="create_environment",
                title="Create",
                do=(touch("site", gives="site-1"), touch("secrets")),
            ),
            StepSpec(
                name="restore_data",
                title="Restore",
                after=("create_environment",),
                do=(
                    touch("database", gives="${create_environment.value}"),
                    touch("relocate", "restore_data.database", fails_while=not_ready),
                ),
            ),
            StepSpec(
                name="update_dns",
                title="Move the name",
                after=("restore_data",),
                gate="incident_commander",
                do=(ActionSpec(name="serves", use="look.it"),),
            ),
            StepSpec(
                name="announce_recovery",
                title="Announce",
                after=("update_dns",),
                blocking=False,
                do=(ActionSpec(name="roster", use="roll.call"),),
                notices=(NoticeSpec(kind="recovered", channel="users", audience="affected"),),
            ),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One folder with an installation and what its verbs leave."""

    root: Path
    verbs: Mapping[str, type[Any]] = field(default_factory=lambda: VERBS)
    systems: tuple[str, ...] = ("shop",)
    change: Callable[[Runbook], Runbook] = lambda runbook: runbook

    @property
    def plan(self) -> Plan:
        """The plan of this world."""
        return make_plan(self.letters, self.systems)

    @property
    def runbooks(self) -> dict[str, Runbook]:
        """The procedure of each system."""
        return {name: self.change(make_runbook(self.marks, name)) for name in self.systems}

    @property
    def marks(self) -> Path:
        """Where actions leave marks."""
        return self.root / "marks"

    @property
    def letters(self) -> Path:
        """Where channels keep letters."""
        return self.root / "letters"

    def done(self) -> dict[str, int]:
        """Return how often each key was really performed."""
        return {m.name: len(m.read_text().splitlines()) for m in sorted(self.marks.iterdir())}

    def told(self) -> dict[str, int]:
        """Return how often each delivery was really made."""
        return {m.name: len(m.read_text().splitlines()) for m in sorted(self.letters.iterdir())}


def make_world(root: Path, verbs: Mapping[str, type[Any]] = VERBS, **more: Any) -> World:
    """Make the folders."""
    world = World(root=root, verbs=verbs, **more)
    for folder in (world.marks, world.letters):
        folder.mkdir(parents=True)
    return world


def draft(_incident: Incident, facts: Iterable[ev.Fact]) -> bytes:
    """Draft a post-mortem of one line."""
    return f"{len(tuple(facts))} facts".encode()


def house_in(world: World, journal: Journal, holder: str = "test") -> Installation:
    """Return an installation on that world."""
    return Installation(
        journal=journal,
        evidence=open_evidence(world.root / "evidence"),
        secrets=open_secret_box(world.root),
        clock=SystemClock(),
        crew=Threads(),
        plan=world.plan,
        runbooks=world.runbooks,
        verbs=world.verbs,
        draft=draft,
        redact=lambda text: text,
        probe=(),
        holder=holder,
        replan=lambda _: house_in(world, journal, holder),
    )


def journal_in(world: World) -> Journal:
    """Open the world's journal; `close_all` closes it."""
    journal = open_journal(world.root / "journal.db", SystemClock())
    _OPENED.append(journal)
    return journal


def close_all() -> None:
    """Close every journal that was opened since the last time."""
    while _OPENED:
        _OPENED.pop().close()


def report(
    journal: Journal, systems: tuple[str, ...] = ("shop",), outage_start: datetime | None = None
) -> None:
    """Open the incident, once; the outage began a minute ago when nothing else is said."""
    if not journal.read(INCIDENT):
        reported = ev.IncidentReported(
            systems=systems,
            mode="drill",
            target="drill",
            summary="The shop is down.",
            outage_start=outage_start or SystemClock().now() - timedelta(minutes=1),
            plan="0" * 64,
        )
        journal.append(INCIDENT, "watch", [Entry(event=reported)])


def known_in(world: World) -> Known:
    """Return what is known when an answer or an order is judged."""
    return Known(
        plan=world.plan,
        runbooks=world.runbooks,
        now=SystemClock().now(),
    )


def give(
    world: World, journal: Journal, make: Callable[[Known, Incident], tuple[ev.Event, ...]]
) -> Incident:
    """Record what a person orders, as `bootstrap.order` does, and return the incident."""
    incident = fold(journal.read(INCIDENT))
    events = make(known_in(world), incident)
    journal.append(INCIDENT, "p1", [Entry(event=e) for e in events], expect_seq=incident.seq)
    return fold(journal.read(INCIDENT))


def answer_all(
    world: World, journal: Journal, stop: threading.Event, says: Mapping[str, str]
) -> None:
    """Be the people: answer every open question whose kind has an answer, until stopped."""
    while not stop.wait(0.01):
        incident = fold(journal.read(INCIDENT))
        for ask in incident.open_asks():
            if ask.opened.kind in says:
                said = Answer(text=says[ask.opened.kind], by="p1", why="test", how="automatic")
                events = answer(known_in(world), incident, ask.opened.ask, said)
                with suppress(Refused):  # facts came in between: look again
                    journal.append(
                        INCIDENT, "p1", [Entry(event=e) for e in events], expect_seq=incident.seq
                    )
                break


def is_told(incident: Incident) -> bool:
    """Say whether the incident waits for nothing but its sign-off."""
    return (
        incident.state is IncidentState.RESTORED
        and "signoff" in incident.asks
        and len(incident.notices) > 0
        and all(notice.settled for notice in incident.notices.values())
    )


def drive_to_end(
    world: World,
    journal: Journal,
    *,
    says: Mapping[str, str] = ANSWERS,
    is_enough: Callable[[Incident], bool] = is_told,
    limit_s: float = 20.0,
    holder: str = "test",
) -> Incident:
    """Drive with people who answer; fails when it takes longer than the limit."""
    stop = threading.Event()
    people_journal = journal_in(world)
    people = threading.Thread(target=answer_all, args=(world, people_journal, stop, says))
    limit = threading.Timer(limit_s, stop.set)
    people.start()
    limit.start()
    try:
        incident = drive(house_in(world, journal, holder), INCIDENT, stop, is_enough)
    finally:
        limit.cancel()
        stop.set()
        people.join()
        people_journal.close()
    assert is_enough(incident), f"not finished: {incident.state}, {incident.open_asks()}"
    return incident
