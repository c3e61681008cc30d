# SPDX-License-Identifier: Apache-2.0
"""What nobody can see is not done again by itself; what was cut off waits for a person."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest

from blackstart.engine.decide import Act, decide
from blackstart.model import events as ev
from blackstart.model import steering
from blackstart.model.incident import Incident, fold
from blackstart.model.runbook import Runbook
from blackstart.ports.action import Context, Failed, Finding, Outcome, Unknown
from blackstart.ports.journal import Entry
from tests.engine_verbs import VERBS, Touch
from tests.engine_world import (
    INCIDENT,
    close_all,
    drive_to_end,
    give,
    journal_in,
    make_world,
    report,
)

ACTIVE = {"acknowledge": "acknowledged", "decision": "rebuild"}


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute(Touch):
    """An action of whose work nobody can see anything."""

    outputs: ClassVar = {"value": "what was given"}

    def inspect(self, context: Context) -> Finding:
        """Say that it cannot be seen."""
        return Unknown(note="the host does not answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Touch):
    """An action whose end nobody will ever see."""

    outputs: ClassVar = {"value": "what was given"}

    def inspect(self, context: Context) -> Finding:
        """Say that it will never be seen."""
        return Unknown(note="the command does not say whether it did it", for_good=True)


def twice_allowed(runbook: Runbook, limit_s: float = 0.5) -> Runbook:
    steps = tuple(
        replace(step, do=tuple(replace(a, attempts=2, limit_s=limit_s) for a in step.do))
        if step.name == "create_environment"
        else step
        for step in runbook.steps
    )
    return replace(runbook, steps=steps)


@pytest.mark.parametrize(
    ("blind", "limit_s"),
    [(Mute, 0.5), (Lost, 3600.0)],
    ids=["not within its limit", "never, so nobody waits for its limit"],
)
def test_what_nobody_can_see_is_never_performed_again_by_itself(
    tmp_path: Path, blind: type[Touch], limit_s: float
) -> None:
    verbs = {**VERBS, "touch.it": blind}
    change = partial(twice_allowed, limit_s=limit_s)
    world = make_world(tmp_path / "w", verbs, change=change)
    journal = journal_in(world)
    report(journal)
    drive_to_end(
        world,
        journal,
        says={"acknowledge": "acknowledged"},
        is_enough=lambda i: "decision" in i.asks,
    )
    incident = fold(journal.read(INCIDENT))
    run = next(iter(incident.runs))
    key = f"{run}/create_environment/site/1"
    begun: list[ev.Event] = [
        ev.RecoveryActivated(by="p1", option="rebuild", why="", facts=(), how="command"),
        ev.StepStarted(run=run, step="create_environment"),
        ev.ActionStarted(run=run, step="create_environment", action="site", attempt=1, key=key),
    ]
    journal.append(INCIDENT, "died", [Entry(event=e) for e in begun])
    stopped = drive_to_end(
        world,
        journal,
        says={},
        is_enough=is_stopped,
    )
    view = next(iter(stopped.runs.values())).action("create_environment", "site")
    assert view.in_doubt
    assert view.attempt == 1
    assert not [name for name in world.done() if "~site~" in name]
    # a person orders another attempt: the old key is looked at before anything is done
    give(world, journal, lambda _, __: (ev.StepStarted(run=run, step="create_environment"),))
    acts = [
        d
        for d in decide(world.plan, world.runbooks, fold(journal.read(INCIDENT)), stopped.last_at)
        if isinstance(d, Act) and d.action == "site"
    ]
    assert [(a.attempt, a.is_in_doubt, a.is_begun) for a in acts] == [(1, True, False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff(Touch):
    """An action that was ended in its middle and may not simply be done again."""

    outputs: ClassVar = {"value": "what was given"}

    def perform(self, context: Context) -> Outcome:
        """Leave the mark, and say that it was cut off."""
        Touch.perform(self, context)
        return Failed(summary="cut off", hint="look what it did", is_held=True)


def test_what_was_cut_off_is_tried_again_only_when_a_person_says_so(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w", {**VERBS, "touch.it": CutOff}, change=twice_allowed)
    journal = journal_in(world)
    report(journal)
    asked = partial(drive_to_end, world, journal, says=ACTIVE, is_enough=is_stopped)
    stopped = asked()
    assert [name for name in world.done() if "~site~" in name] == [
        f"{next(iter(stopped.runs))}~create_environment~site~1"
    ]
    run = next(iter(stopped.runs))
    give(
        world,
        journal,
        lambda known, state: steering.retry(
            known.plan, known.runbooks, state, state.runs[run], "create_environment", by="p1"
        ),
    )
    asked()
    assert [name.rpartition("~")[2] for name in world.done() if "~site~" in name] == ["1", "2"]


def is_stopped(incident: Incident) -> bool:
    return any(ask.opened.kind == "stopped" for ask in incident.open_asks())
