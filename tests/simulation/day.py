# SPDX-License-Identifier: Apache-2.0
"""One simulated day: an incident from report to sign-off, with whatever strikes on the way."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from blackstart.engine.installation import Installation
from blackstart.engine.runner import drive, is_finished
from blackstart.model import events as ev
from blackstart.model.errors import BlackstartError
from blackstart.model.incident import Incident
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.ports.journal import Entry, QueuedDelivery
from blackstart.store.sqlite import open_journal
from tests.simulation import rules
from tests.simulation.crew import StageCrew, StageSignal
from tests.simulation.people import PATIENT, Crowd, Temper
from tests.simulation.procedure import FIRST_PLAN, SECOND_PLAN, SYSTEMS, make_plan, make_runbook
from tests.simulation.record import Desk, DeskEvidence, DeskJournal, DeskSecrets
from tests.simulation.stage import BEGAN, Blow, Process, Stage
from tests.simulation.verbs import VERBS, WORLDS
from tests.simulation.world import Fate, Passage, World

INCIDENT = "20261123-031415-shop-ab12"
LONGEST_S = 14 * 86_400.0
Strike = Callable[[int, str, Process], Blow | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is laid down of a day; the rest follows from its seed.

    `hosts` have an agent each. `strike` says what happens to a process at a point. From `calm_s`
    on nothing goes wrong any more. `faults` are other things that happen, by second.
    """

    seed: object = 0
    systems: tuple[str, ...] = SYSTEMS
    hosts: tuple[str, ...] = ("a",)
    fate: Callable[[str], Fate] = lambda _: Fate()
    passage: Callable[[str, str, int, float], Passage] = lambda *_: Passage()
    temper: Temper = field(default_factory=lambda: PATIENT)
    delay_s: tuple[float, float] = (20.0, 20.0)
    strike: Strike = lambda _number, _what, _process: None
    restart_s: tuple[float, float] = (1.0, 1.0)
    calm_s: float = 0.0
    happens: Mapping[float, Callable[[Day], None]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Day:
    """A day that is played, and what is left of it."""

    script: Script
    stage: Stage
    desk: Desk
    world: World
    crowd: Crowd
    plans: Mapping[str, tuple[Plan, Mapping[str, Runbook]]]
    numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1))
    deaths: int = 0
    in_flight: set[str] = field(default_factory=set)
    rows: tuple[QueuedDelivery, ...] = ()

    @property
    def facts(self) -> list[ev.Fact]:
        """The facts of the incident."""
        return self.crowd.facts

    @property
    def incident(self) -> Incident:
        """The incident as people see it."""
        assert self.crowd.incident is not None
        return self.crowd.incident

    # Processes.

    def start_agent(self, host: str) -> None:
        """Start the agent of a host; when it dies it is started again."""
        number = next(iter(self.numbers))
        process = Process(name=f"{host}{number}")
        self.stage.start(process, "agent", partial(self._agent, process))

    def _agent(self, process: Process) -> None:
        stop = StageSignal(self.stage)
        house = self._house(process, self.desk.journal(process), FIRST_PLAN)
        while True:
            self.stage.must_live()
            try:
                if is_finished(drive(house, INCIDENT, stop)):
                    return
            except BlackstartError as error:
                self.stage.tell(f"     {type(error).__name__}: {error.what}")
                self._wait_for_claim(process)

    def _wait_for_claim(self, process: Process) -> None:
        """Wait a second, as the agent does; while somebody else drives well, for longer."""
        is_well = any(
            one is not process and one.thaws_at_s <= self.stage.now_s for one in self.desk.drivers()
        )
        self.stage.sleep(self.stage.dice.uniform(300.0, 3_000.0) if is_well else 1.0)

    def _house(self, process: Process, journal: DeskJournal, digest: str) -> Installation:
        plan, runbooks = self.plans[digest]
        return Installation(
            journal=journal,
            evidence=DeskEvidence(self.desk),
            secrets=DeskSecrets(self.desk),
            clock=self.stage,
            crew=StageCrew(self.stage),
            plan=plan,
            runbooks=runbooks,
            verbs=VERBS,
            draft=_draft,
            redact=lambda text: text,
            probe=(),
            holder=f"driver@{process.name}",
            replan=lambda new: self._house(process, journal, new),
        )

    def bury(self, process: Process) -> None:
        """Close what the dead process had, and let its host start it again."""
        self.deaths += 1
        self.desk.close(process)
        self.note_in_flight()
        least_s, most_s = self.script.restart_s
        again_s = self.stage.dice.uniform(least_s, most_s)
        self.stage.after(again_s, lambda: self.start_agent(process.name.rstrip("0123456789")))

    def note_in_flight(self) -> None:
        """Count the letters whose sender may never hear how they went."""
        rows = self.crowd.journal.deliveries(INCIDENT)
        self.in_flight |= {row.key for row in rows if row.state == "sending"}

    # The day.

    def play(self) -> Day:
        """Play the day to its end; sleepers wake afterwards and find that it is over."""
        for at_s, happen in self.script.happens.items():
            self.stage.at(at_s, partial(happen, self))
        self._report()
        for host in self.script.hosts:
            self.start_agent(host)
        try:
            self.stage.run(lambda: self.crowd.is_over, LONGEST_S)
            until_s = self.stage.now_s + 1.0
            self.stage.at(until_s, lambda: None)
            self.stage.run(lambda: self.stage.now_s >= until_s, until_s + 60.0)
            self.rows = self.crowd.journal.deliveries(INCIDENT)
        finally:
            self.stage.end()
        return self

    def _report(self) -> None:
        reported = ev.IncidentReported(
            systems=self.script.systems,
            mode="recovery",
            target="recovery",
            summary="The shop is down.",
            outage_start=BEGAN,
            plan=FIRST_PLAN,
        )
        self.crowd.journal.append(INCIDENT, "watch", [Entry(event=reported)])
        self.crowd.hear()

    def close(self) -> None:
        """Close every file, and forget the world."""
        WORLDS.pop(str(self.desk.path.parent), None)
        for journal in self.desk.open:
            journal.inner.close()
        self.crowd.journal.close()


def make_day(script: Script, folder: Path) -> Day:
    """Set a day up in an empty folder."""
    name = str(folder)
    stage = Stage(script.seed)
    desk = Desk(stage, folder)

    def is_calm() -> bool:
        return stage.now_s >= script.calm_s

    world = World(
        stage=stage,
        is_started=desk.started.__contains__,
        fate=lambda key: Fate() if is_calm() else script.fate(key),
        passage=lambda channel, name, number: (
            Passage() if is_calm() else script.passage(channel, name, number, stage.now_s)
        ),
        runs={system: f"{INCIDENT}.r{n}" for n, system in enumerate(script.systems, start=1)},
    )
    world.may = partial(rules.forbids, world)
    WORLDS[name] = world
    plans = {
        digest: (
            make_plan(name, digest),
            {system: make_runbook(name, system, digest) for system in script.systems},
        )
        for digest in (FIRST_PLAN, SECOND_PLAN)
    }
    crowd = Crowd(
        stage=stage,
        desk=desk,
        world=world,
        incident_id=INCIDENT,
        plans=plans,
        seed=script.seed,
        temper=script.temper,
        delay_s=script.delay_s,
        is_calm=is_calm,
        journal=open_journal(desk.path, stage),
    )
    desk.listeners.append(crowd.hear)
    day = Day(script=script, stage=stage, desk=desk, world=world, crowd=crowd, plans=plans)
    stage.strike = lambda *point: None if is_calm() else script.strike(*point)
    stage.bury = day.bury
    desk.taken_over = day.note_in_flight
    return day


def play(script: Script, folder: Path) -> Day:
    """Play a day in an empty folder, and close its files."""
    day = make_day(script, folder)
    try:
        return day.play()
    finally:
        day.close()


def _draft(_incident: Incident, facts: Iterable[ev.Fact]) -> bytes:
    return f"{len(tuple(facts))} facts".encode()
