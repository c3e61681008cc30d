# SPDX-License-Identifier: Apache-2.0
"""A small world to drive in: verbs that leave marks in a folder, a plan, and people who answer.

Every effect is a file named by its key, so that a test can count what was really done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ClassVar

from blackstart.engine.installation import Installation
from blackstart.engine.runner import drive
from blackstart.model import events as ev
from blackstart.model.asks import answer
from blackstart.model.errors import Refused
from blackstart.model.incident import Incident, fold
from blackstart.model.people import Person, Role, Team
from blackstart.model.plan import ChannelSpec, Plan, Policy, System, Target
from blackstart.model.runbook import ActionSpec, NoticeSpec, Phase, Runbook, StepSpec
from blackstart.model.states import IncidentState
from blackstart.ports.action import Context, Done, Failed, Finding, NotDone, Outcome
from blackstart.ports.channel import Accepted, Delivery, Lookup, Message, Missing, Rejected
from blackstart.ports.journal import Entry, Journal
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef
from blackstart.store.evidence import open_evidence
from blackstart.store.secretbox import open_secret_box
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock

INCIDENT = "20261123-031415-shop-ab12"
AT = datetime(2026, 11, 23, 3, 14, 15, tzinfo=UTC)
_OPENED: list[Journal] = []
ANSWERS = {"acknowledge": "acknowledged", "decision": "rebuild", "gate": "go"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Leave a mark named by the key; `gives` becomes the output `value`."""

    outputs: ClassVar[Mapping[str, str]] = {"value": "what was given"}
    folder: str
    gives: str = "x"
    fails_while: str = ""

    def preview(self, context: Context) -> str:
        """Say it."""
        return f"would leave {context.key}"

    def perform(self, context: Context) -> Outcome:
        """Leave the mark; a second mark under the same key is kept as such."""
        if self.fails_while and Path(self.fails_while).exists():
            return Failed(summary="the world is not ready", hint="make it ready, then retry")
        with (Path(self.folder) / context.key.replace("/", "~")).open("a") as mark:
            mark.write(f"{self.gives}\n")
        return Done(summary="left a mark", outputs={"value": self.gives})

    def inspect(self, context: Context) -> Finding:
        """Look for the mark."""
        mark = Path(self.folder) / context.key.replace("/", "~")
        return Done(summary="found", outputs={"value": self.gives}) if mark.exists() else NotDone()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A check that is content while no file says otherwise."""

    outputs: ClassVar[Mapping[str, str]] = {"first_service_at": "when", "recovered_to": "when"}
    fails_while: str = ""

    def check(self, context: Context) -> Outcome:
        """Look once."""
        if self.fails_while and Path(self.fails_while).exists():
            return Failed(summary="it does not answer", hint="look at it")
        now = context.now().isoformat()
        return Done(
            summary="it answers",
            outputs={"first_service_at": now, "recovered_to": AT.isoformat()},
            sightings=(ev.Sighting(subject="database", condition="lost", seen="no answer"),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """Remember two users."""

    outputs: ClassVar[Mapping[str, str]] = {"people": "how many"}

    def check(self, context: Context) -> Outcome:
        """Remember them."""
        people = (
            AffectedPerson(id="u1", name="Ada", addresses={"box": "ada"}),
            AffectedPerson(id="u2", name="Ben", addresses={"box": "ben"}),
        )
        return Done(outputs={"people": context.remember("affected", people)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A channel that keeps what it gets in a folder and can be asked."""

    address_kind: ClassVar[str] = "box"
    can_look_up: ClassVar[bool] = True
    folder: str
    refuses_while: str = ""

    def send(
        self, message: Message, key: str, address: str, reveal: Callable[[SecretRef], str]
    ) -> Delivery:
        """Keep it."""
        if self.refuses_while and Path(self.refuses_while).exists():
            return Rejected(reason="the box is shut", again=False)
        with (Path(self.folder) / key.replace("/", "~")).open("a") as letter:
            letter.write(f"{address}|{message.subject}\n")
        return Accepted(receipt=key)

    def lookup(self, key: str, address: str, reveal: Callable[[SecretRef], str]) -> Lookup:
        """Look for it."""
        letter = Path(self.folder) / key.replace("/", "~")
        return Accepted(receipt=key) if letter.exists() else Missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Board(Box):
    """The same, with one place of its own."""

    address_kind: ClassVar[str] = ""


VERBS: Mapping[str, type[Any]] = {
    "touch.it": Touch,
    "look.it": Look,
    "roll.call": Roll,
    "box.send": Box,
    "board.post": Board,
}


def make_plan(letters: Path) -> Plan:
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
            "shop": System(
                name="shop",
                profile="shop@1",
                targets={
                    "drill": Target(name="drill", place="p", site="s", address="a", public_name="n")
                },
            )
        },
        digest="0" * 64,
    )


def make_runbook(marks: Path) -> Runbook:
    """Return a runbook with every shape that the engine knows."""
    not_ready = str(marks.parent / "not-ready")

    def touch(name: str, *after: str, **more: Any) -> ActionSpec:
        return ActionSpec(
            name=name, use="touch.it", params={"folder": str(marks), **more}, after=after
        )

    return Runbook(
        system="shop",
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


def make_world(root: Path, verbs: Mapping[str, type[Any]] = VERBS) -> World:
    """Make the folders."""
    world = World(root=root, verbs=verbs)
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
        plan=make_plan(world.letters),
        runbooks={"shop": make_runbook(world.marks)},
        verbs=world.verbs,
        draft=draft,
        redact=lambda text: text,
        probe=(),
        holder=holder,
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


def report(journal: Journal) -> None:
    """Open the incident, once."""
    if not journal.read(INCIDENT):
        reported = ev.IncidentReported(
            systems=("shop",),
            mode="drill",
            target="drill",
            summary="The shop is down.",
            outage_start=AT,
            plan="0" * 64,
        )
        journal.append(INCIDENT, "watch", [Entry(event=reported)])


def answer_all(
    world: World, journal: Journal, stop: threading.Event, says: Mapping[str, str]
) -> None:
    """Be the people: answer every open question whose kind has an answer, until stopped."""
    plan = make_plan(world.letters)
    while not stop.wait(0.01):
        incident = fold(journal.read(INCIDENT))
        for ask in incident.open_asks():
            if ask.opened.kind in says:
                events = answer(
                    plan,
                    incident,
                    ask.opened.ask,
                    answer=says[ask.opened.kind],
                    by="p1",
                    why="test",
                    how="automatic",
                )
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
