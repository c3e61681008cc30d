# SPDX-License-Identifier: Apache-2.0
"""What a person ends is ended: real programs that ignore every request, and what they started."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from blackstart.engine.runner import drive
from blackstart.model import events as ev
from blackstart.model import steering, stopping
from blackstart.model.asks import Answer, answer
from blackstart.model.incident import Incident, fold
from blackstart.model.runbook import ActionSpec, Runbook
from blackstart.model.states import StepState
from blackstart.ports.action import Context, Failed, Outcome
from blackstart.ports.journal import Journal
from blackstart.providers.command import Run
from blackstart.store.evidence import open_evidence
from blackstart.world.clock import wait_until
from blackstart.world.process import started_ticks
from tests.engine_verbs import VERBS, Touch
from tests.engine_world import (
    ANSWERS,
    INCIDENT,
    World,
    close_all,
    drive_to_end,
    give,
    house_in,
    journal_in,
    make_world,
    report,
)
from tests.provider_stage import Stage

ACTIVE = {"acknowledge": "acknowledged", "decision": "rebuild"}
# Ignores what can be ignored, and has a child that leaves its group and does the same.
STUBBORN = """
import os, pathlib, signal, sys, threading
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setsid()
grandchild = os.fork() if child == 0 else 1
pathlib.Path(sys.argv[1], str(os.getpid())).touch()
while True:
    threading.Event().wait()
"""


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


def stubborn(world_root: Path) -> Callable[[Runbook], Runbook]:
    """Let the making of the site be a program that ends by nothing but force."""
    pids = world_root / "pids"
    hangs = ActionSpec(
        name="site",
        use="command.run",
        params={
            "argv": [sys.executable, "-c", STUBBORN, str(pids)],
            "traces": str(world_root / "traces"),
            "repeatable": True,
        },
        limit_s=0.5,
        attempts=3,
    )

    def change(runbook: Runbook) -> Runbook:
        steps = tuple(
            replace(step, do=(hangs,)) if step.name == "create_environment" else step
            for step in runbook.steps
        )
        return replace(runbook, steps=steps)

    return change


def make_stubborn_world(tmp_path: Path) -> World:
    root = tmp_path / "w"
    world = make_world(root, {**VERBS, "command.run": Run}, change=stubborn(root))
    (root / "pids").mkdir()
    return world


def pids_of(world: World) -> list[int]:
    return [int(each.name) for each in (world.root / "pids").iterdir()]


def are_gone(pids: list[int]) -> bool:
    return wait_until(lambda: all(started_ticks(pid) is None for pid in pids), timeout_s=10)


def is_overdue(incident: Incident) -> bool:
    return any(
        name.split("/")[1].startswith("overdue") and notice.settled
        for name, notice in incident.notices.items()
        if name.startswith("asked/")
    )


class Driver:
    """A driver in a thread of its own, until it is left."""

    def __init__(self, world: World, holder: str) -> None:
        self.stop = threading.Event()
        own = journal_in(world)
        self._thread = threading.Thread(
            target=drive, args=(house_in(world, own, holder), INCIDENT, self.stop)
        )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def seen(journal: Journal, is_so: Callable[[Incident], bool]) -> Incident:
    assert wait_until(lambda: is_so(fold(journal.read(INCIDENT))), timeout_s=20)
    return fold(journal.read(INCIDENT))


def activated(world: World) -> Journal:
    journal = journal_in(world)
    report(journal)
    drive_to_end(world, journal, says={"acknowledge": "acknowledged"}, is_enough=is_decision)
    give(world, journal, lambda k, i: answer(k, i, "decision", Answer(text="rebuild", by="p1")))
    return journal


def is_decision(incident: Incident) -> bool:
    return "decision" in incident.asks


def overdue_ask(incident: Incident) -> str:
    return next(a.opened.ask for a in incident.open_asks() if a.opened.kind == "overdue")


def has_failed(incident: Incident) -> bool:
    runs = incident.runs.values()
    return any(run.step("create_environment").state is StepState.FAILED for run in runs)


def test_past_its_limit_a_program_goes_on_until_a_person_ends_it(tmp_path: Path) -> None:
    world = make_stubborn_world(tmp_path)
    journal = activated(world)
    with Driver(world, "first"):
        asked = seen(journal, is_overdue)
        pids = pids_of(world)
        assert len(pids) == 3
        assert all(started_ticks(pid) is not None for pid in pids), "no clock ended it"
        said = Answer(text="cancel", by="p1", why="it hangs")
        give(world, journal, lambda k, i: answer(k, i, overdue_ask(i), said))
        stopped = seen(journal, has_failed)
        assert are_gone(pids)
        (run,) = stopped.runs.values()
        view = run.action("create_environment", "site")
        assert view.summary.startswith("ended on request: ")
        assert "a retry clears it first" in view.hint
        assert (view.attempt, view.in_doubt) == (1, False)
        assert [asked.seq < stopped.seq, len(pids_of(world))] == [True, 3], "begun once"


def test_what_was_said_to_a_dead_driver_is_done_by_the_next(tmp_path: Path) -> None:
    world = make_stubborn_world(tmp_path)
    journal = activated(world)
    with Driver(world, "first"):
        seen(journal, is_overdue)
    pids = pids_of(world)
    assert are_gone(pids), "the driver was stopped, and took its programs along"
    incident = fold(journal.read(INCIDENT))
    (run,) = incident.runs.values()
    assert run.action("create_environment", "site").state == "started", "in doubt, not failed"
    give(
        world,
        journal,
        lambda k, i: stopping.cancel(
            k.plan, k.runbooks, i, steering.run_of(i), "create_environment", by="p1", why="enough"
        ),
    )
    with Driver(world, "second"):
        stopped = seen(journal, has_failed)
    assert pids_of(world) == pids, "nothing was begun again"
    (run,) = stopped.runs.values()
    assert run.action("create_environment", "site").summary == (
        "ended on request: nothing of it goes on"
    )


def test_one_that_may_go_on_goes_on(tmp_path: Path) -> None:
    world = make_stubborn_world(tmp_path)
    journal = activated(world)
    with Driver(world, "first"):
        seen(journal, is_overdue)
        said = Answer(text="wait", by="p1", why="it gets on", for_s=0.5)
        first = overdue_ask(fold(journal.read(INCIDENT)))
        give(world, journal, lambda k, i: answer(k, i, overdue_ask(i), said))
        again = seen(
            journal,
            lambda i: any(n.endswith("#2") and n != first for n in i.asks if n.startswith("overd")),
        )
        assert not has_failed(again)
        assert all(started_ticks(pid) is not None for pid in pids_of(world))


def test_what_a_dead_runner_left_running_is_ended_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    command = Run(
        argv=(sys.executable, "-c", STUBBORN, str(tmp_path / "pids")),
        traces=str(tmp_path / "traces"),
    )
    stage = Stage()
    runner = threading.Thread(target=command.perform, args=(stage.context(),))
    runner.start()
    pids = tmp_path / "pids"
    assert wait_until(lambda: len(list(pids.iterdir())) == 3, timeout_s=20)
    other = Stage().context(key="inc-1/run-1/step/act/2")
    command.cancel(other)
    found = [int(each.name) for each in pids.iterdir()]
    assert all(started_ticks(pid) is not None for pid in found), "another attempt's are left alone"
    ended = command.cancel(stage.context())
    assert "runs any more" in ended.summary
    assert are_gone(found)
    runner.join(20)


def test_drills_and_people_alike_can_end_it(tmp_path: Path) -> None:
    world = make_stubborn_world(tmp_path)
    journal = journal_in(world)
    report(journal)
    stopped = drive_to_end(
        world, journal, says={**ANSWERS, "overdue": "by-hand"}, is_enough=has_failed
    )
    (asked,) = (a for a in stopped.asks.values() if a.opened.kind == "overdue")
    assert asked.answer is not None
    assert asked.answer.answer == "by-hand"
    facts = [fact.event for fact in journal.read(INCIDENT)]
    assert not any(isinstance(e, ev.ActionStarted) and e.attempt > 1 for e in facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting(Touch):
    """Work that tells how far it is and goes on until somebody ends it."""

    outputs: ClassVar[Mapping[str, str]] = {"value": "what was given"}

    def perform(self, context: Context) -> Outcome:
        """Tell, wait, and say that it was ended."""
        context.progress(43, 100, "%")
        while not context.cancelled():
            threading.Event().wait(0.02)
        return Failed(summary="ended at 43 %", hint="begin again")


def slowly(runbook: Runbook) -> Runbook:
    steps = tuple(
        replace(step, do=tuple(replace(a, limit_s=0.2) for a in step.do[:1]))
        if step.name == "create_environment"
        else step
        for step in runbook.steps
    )
    return replace(runbook, steps=steps)


def test_whoever_is_asked_reads_how_far_it_is(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", {**VERBS, "touch.it": Counting}, change=slowly)
    journal = activated(world)
    with Driver(world, "first"):
        asked = seen(journal, is_overdue)
        give(
            world,
            journal,
            lambda k, i: answer(k, i, overdue_ask(i), Answer(text="cancel", by="p1")),
        )
        stopped = seen(journal, has_failed)
    (told,) = (n.queued for name, n in asked.notices.items() if "/overdue" in name)
    body = open_evidence(world.root / "evidence").fetch(told.body).decode()
    assert "So far:\n- create_environment.site: 43 of 100 %" in body
    assert "usually: the plan expects 5 s" in body
    (run,) = stopped.runs.values()
    assert run.step("create_environment").reason == "ended on request: ended at 43 %"
