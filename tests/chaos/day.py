# SPDX-License-Identifier: Apache-2.0
"""One quick day: an incident from report to close, while its processes die."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from blackstart.bootstrap import open_home
from blackstart.cli.follow import Followed
from blackstart.engine.runner import is_finished
from blackstart.model.incident import Incident
from blackstart.model.steering import MOVE_OF_TRAFFIC
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.sites import load_site
from tests.chaos.counts import End, count_problems, end_of
from tests.chaos.deaths import (
    IS_OF_AGENT,
    Dealt,
    Death,
    Kind,
    draw,
    holds_a_lock,
    is_at_work,
    strike,
    under_way,
)
from tests.chaos.people import People
from tests.chaos.quick import SYSTEM, Quick, opened_quick
from tests.postgres_bench import Server

DEATHS_LEAST, DEATHS_MOST = 10, 18
LIMIT_S = 420.0
_EVERY_S = 0.004
_TAKE_OVER_S = 40.0
_STILL_S = 4.0  # an agent that adds no fact for so long is killed all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a day came to."""

    number: int
    dealt: tuple[Dealt, ...]
    end: End | None
    effects: int
    problems: tuple[str, ...]
    took_s: float
    folder: Path


@dataclass(slots=True, kw_only=True)
class _Player:
    """Plays one day: keeps an agent alive as systemd would, and kills it as the seed says."""

    quick: Quick
    random: Random
    people: People
    ahead: list[Death]
    followed: Followed
    agent: process.Spawned | None = None
    started_at_s: float = 0.0
    started_seq: int = 0
    moved_at_s: float = 0.0
    due_at_s: float | None = None
    aimed_at_s: dict[str, float] = field(default_factory=dict)
    dealt: list[Dealt] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    is_wanted: bool = True

    def play(self) -> None:
        """Report, then go on until everything is closed and told."""
        opened = self.people.run(
            *("report", SYSTEM, "--summary", "it is gone", "--as", "ada"),
            *("--plan", str(self.quick.plan)),
        )
        if opened.returncode:
            raise RuntimeError(opened.stderr.decode())
        self._start()
        deadline_s = time.monotonic() + LIMIT_S
        while not self._is_over():
            if time.monotonic() > deadline_s:
                self.problems.append(f"it was not over after {LIMIT_S:g} s")
                return
            self._turn()

    def end(self) -> None:
        """End the agent and the people's commands."""
        self.people.end()
        if self.agent is not None:
            process.end(self.agent.pid, self.agent.started_ticks, grace_s=20)

    def _turn(self) -> None:
        seq = self._seq()
        self.followed.read()
        if self._seq() != seq:
            self.moved_at_s = time.monotonic()
        incident = self.followed.incident
        if incident is None or self.agent is None:
            return
        self.people.look(incident)
        if not process.is_alive(self.agent.pid, self.agent.started_ticks):
            self.problems.append(f"the agent ended by itself after fact {self._seq()}")
            self._start()
        death = self._next(incident)
        if death is not None:
            self._deal(death, incident)
        else:
            wait_until(lambda: False, timeout_s=_EVERY_S, every_s=_EVERY_S)

    def _is_over(self) -> bool:
        incident = self.followed.incident
        return incident is not None and is_finished(incident)

    def _seq(self) -> int:
        return self.followed.incident.seq if self.followed.incident else 0

    def _next(self, incident: Incident) -> Death | None:
        """Take the death that is due: one within an action that is at work, or the next one."""
        for death in [one for one in self.ahead if one.within]:
            if is_at_work(incident, death.within) and death.within not in self.aimed_at_s:
                self.aimed_at_s[death.within] = time.monotonic() + death.pause_s
            if time.monotonic() >= self.aimed_at_s.get(death.within, float("inf")):
                self.ahead.remove(death)
                return death
        others = [one for one in self.ahead if not one.within]
        if others and self._is_due(others[0]):
            self.ahead.remove(others[0])
            return others[0]
        return None

    def _is_due(self, death: Death) -> bool:
        now_s = time.monotonic()
        if self.due_at_s is None:
            by_facts = death.facts and self._seq() - self.started_seq >= death.facts
            by_time = not death.facts and now_s - self.started_at_s >= death.after_s
            is_still = now_s - max(self.moved_at_s, self.started_at_s) > _STILL_S and self._drives()
            if by_facts or by_time or is_still:
                self.due_at_s = now_s + death.pause_s
        return self.due_at_s is not None and now_s >= self.due_at_s

    def _drives(self) -> bool:
        holder = self.followed.home.journal.holder(self.followed.id)
        return self.agent is not None and str(self.agent.pid) in holder

    def _deal(self, death: Death, incident: Incident) -> None:
        assert self.agent is not None
        self.due_at_s = None
        if death.kind is Kind.PERSON:
            self.people.doomed_s.append(self.random.uniform(0.1, 0.9))
            self._note(death)
            self.started_seq = self._seq()
            return
        if death.kind is Kind.REBOOT and _is_past_return(incident):
            death = replace(death, kind=Kind.KILL)  # a lost site is another incident then
        site = load_site(self.quick.root / "sites", "recovery")
        if not strike(self.agent.pid, death.kind, self.random, site):
            self.started_seq = self._seq()  # nobody to die: its turn is over
            return
        if death.kind in (Kind.KILL, Kind.TREE, Kind.REBOOT):
            wait_until(lambda: not self._is_alive(), timeout_s=10, every_s=0.002)
        elif death.kind is Kind.TERM and not wait_until(lambda: not self._is_alive(), timeout_s=30):
            self.problems.append("the agent did not end within 30 s of SIGTERM")
        self.followed.read()
        self._note(death)
        if death.kind is Kind.STOP:
            self._take_over(self.agent)
        elif death.kind in IS_OF_AGENT:
            self._start()
        else:
            self.started_seq = self._seq()

    def _note(self, death: Death) -> None:
        journal, incident = self.followed.home.journal, self.followed.incident
        assert incident is not None
        where = under_way(journal, incident)
        self.dealt.append(Dealt(death=death, seq=incident.seq, where=where))

    def _take_over(self, stopped: process.Spawned) -> None:
        """A second agent drives while the first one sleeps; then the first one wakes."""
        self._start()

        def drives() -> bool:
            self.followed.read()
            return self._drives() or self._is_over()

        # One that sleeps in the middle of a write keeps the record locked: nobody can write then,
        # and each that tries says who holds it.
        if not wait_until(drives, timeout_s=_TAKE_OVER_S) and not holds_a_lock(stopped.pid):
            self.problems.append("nobody took over from an agent that was stopped")
        os.kill(stopped.pid, signal.SIGCONT)
        # Let it find out that it was replaced, in the middle of what it was doing.
        wait_until(self._is_over, timeout_s=self.random.uniform(0.0, 1.5), every_s=0.05)
        if not process.end(stopped.pid, stopped.started_ticks, grace_s=30):
            self.problems.append("the agent that was replaced did not end")

    def _is_alive(self) -> bool:
        assert self.agent is not None
        return process.is_alive(self.agent.pid, self.agent.started_ticks)

    def _start(self) -> None:
        argv = [sys.executable, "-m", "blackstart", "agent", "--home", str(self.quick.home)]
        log = self.quick.root / "agent.log"
        self.agent = process.spawn(argv, log=log, dies_with_us=True)
        self.started_at_s = time.monotonic()
        self.started_seq = self._seq()


def _is_past_return(incident: Incident) -> bool:
    return any(run.step(MOVE_OF_TRAFFIC).started_at for run in incident.runs.values())


def drawn(seed: int, number: int) -> list[Death]:
    """Return the deaths of a day."""
    random = Random(f"{seed}/{number}")
    return draw(random, random.randint(DEATHS_LEAST, DEATHS_MOST))


def play_day(
    folder: Path,
    server: Server,
    *,
    seed: int,
    number: int,
    ahead: list[Death],
    undisturbed: End | None,
) -> Day:
    """Play one day with the deaths ahead; its end is compared with the undisturbed one."""
    began_s = time.monotonic()
    root = folder / f"day-{number}"
    root.mkdir()
    with opened_quick(root, server) as quick:
        player = _Player(
            quick=quick,
            random=Random(f"{seed}/{number}/victims"),
            people=People(quick=quick),
            ahead=ahead,
            followed=Followed(home=open_home(quick.home)),
        )
        try:
            player.play()
        finally:
            player.end()
        incident = player.followed.incident
        assert incident is not None
        effects, wrong = count_problems(quick, player.followed)
        end = end_of(incident)
    problems = [*player.problems, *wrong]
    if undisturbed is not None and end != undisturbed:
        problems += end.differences(undisturbed)
    with suppress(OSError):
        player.followed.home.journal.close()
    return Day(
        number=number,
        dealt=tuple(player.dealt),
        end=end,
        effects=effects,
        problems=tuple(problems),
        took_s=time.monotonic() - began_s,
        folder=root,
    )
