# SPDX-License-Identifier: Apache-2.0
"""People of the small world: how far to drive, and what they order, each in one call."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from blackstart.model import commands, steering
from blackstart.model.asks import Answer
from blackstart.model.incident import Incident
from blackstart.model.states import StepState
from blackstart.ports.journal import Journal
from tests.engine_world import World, drive_to_end, give

TAKEN_ON = {"acknowledge": "acknowledged"}
ACTIVE = {**TAKEN_ON, "decision": "rebuild"}


def is_asked(kind: str) -> Callable[[Incident], bool]:
    return lambda i: (
        any(ask.opened.kind == kind for ask in i.open_asks())
        and all(notice.settled for notice in i.notices.values())
    )


def stopped(world: World, journal: Journal) -> Incident:
    """Drive to where restore_data has failed."""
    (world.root / "not-ready").touch()
    return drive_to_end(world, journal, is_enough=is_asked("stopped"))


def at_gate(world: World, journal: Journal) -> Incident:
    """Drive to the closed gate of update_dns, with users told of the outage."""
    return drive_to_end(world, journal, says=ACTIVE, is_enough=is_at_gate)


def is_at_gate(incident: Incident) -> bool:
    told = any(notice.queued.kind == "outage" for notice in incident.notices.values())
    return told and is_asked("gate")(incident)


def state_of(incident: Incident, step: str) -> StepState:
    return steering.run_of(incident).step(step).state


def finish(
    world: World,
    journal: Journal,
    step: str,
    *,
    by: str = "p1",
    outputs: Mapping[str, str] | None = None,
    evidence: tuple[str, ...] = ("e" * 64,),
) -> Incident:
    return give(
        world,
        journal,
        lambda known, state: steering.finish(
            known.plan,
            known.runbooks,
            state,
            steering.run_of(state),
            step,
            by=by,
            why="typed it in",
            now=known.now,
            outputs=outputs or {},
            evidence=evidence,
        ),
    )


def skip(world: World, journal: Journal, step: str, *, by: str = "p1") -> Incident:
    return give(
        world,
        journal,
        lambda known, state: steering.skip(
            known.plan,
            known.runbooks,
            state,
            steering.run_of(state),
            step,
            by=by,
            why="not needed",
            now=known.now,
        ),
    )


def undo(world: World, journal: Journal, step: str, *, and_later: bool = False) -> Incident:
    return give(
        world,
        journal,
        lambda known, state: steering.undo(
            known.plan,
            known.runbooks,
            state,
            steering.run_of(state),
            step,
            by="p1",
            why="wrong place",
            and_later=and_later,
        ),
    )


def waive(world: World, journal: Journal, *, second: str = "p3", for_h: float = 2) -> Incident:
    return give(
        world,
        journal,
        lambda known, state: steering.waive(
            known.plan,
            state,
            "checked-before-start",
            by="p1",
            second=second,
            why="the vendor checked it",
            until=known.now + timedelta(hours=for_h),
            now=known.now,
        ),
    )


def stand_down(world: World, journal: Journal) -> Incident:
    given = Answer(text="stand-down", by="p1", why="the vendor is back")
    return give(world, journal, lambda known, state: commands.stand_down(known, state, given))


def correct(world: World, journal: Journal, start: datetime, why: str) -> Incident:
    return give(
        world,
        journal,
        lambda known, state: commands.correct_outage(
            known.plan, state, start, by="p1", why=why, now=known.now
        ),
    )
