# SPDX-License-Identifier: Apache-2.0
"""One day from nothing but its name: played in a folder in memory, judged, and told as a story."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

from blackstart.model import events as ev
from tests.simulation.chance import script_of
from tests.simulation.day import Day, Script, make_day
from tests.simulation.invariants import faults_of
from tests.simulation.stories import STOOD_DOWN, WHOLE, dying_at, end_of, problems_of

STORIES = (WHOLE, STOOD_DOWN)
_MEMORY = Path("/dev/shm")
_LINES_AT_MOST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What became of one day: what was wrong with it, its story, and how much happened."""

    name: str
    faults: tuple[str, ...]
    told: tuple[str, ...]
    counts: Counter[str]
    took_s: float = 0.0  # of one core's time

    def story(self) -> str:
        """Return the story of the day, its end, and how to play it again."""
        lines = (*self.told[-_LINES_AT_MOST:], "", *self.faults, f"again: make sim N=1 {self.name}")
        return "\n".join(lines)


def play_seed(seed: int) -> Played:
    """Play the day with this number."""
    return _judge(f"SEED={seed}", script_of(seed), faults_of)


def play_death(place: tuple[int, int]) -> Played:
    """Play a story, by its number, in which the driver also dies at a point."""
    return play_deaths(place[0], place[1:])


def play_deaths(number: int, points: tuple[int, ...]) -> Played:
    """Play a story in which the driver also dies at these points."""
    script = replace(STORIES[number], strike=dying_at(*points))
    end = _end_of_story(number)
    name = f"DEATHS={number}:{','.join(map(str, points))}"
    return _judge(name, script, lambda day: problems_of(day, end))


@cache
def points_of_story(number: int) -> int:
    """Return how many points a story has when it is left alone."""
    return _undisturbed(number)[0]


def _end_of_story(number: int) -> dict[str, object]:
    return _undisturbed(number)[1]


@cache
def _undisturbed(number: int) -> tuple[int, dict[str, object]]:
    with tempfile.TemporaryDirectory(prefix="blackstart-", dir=_MEMORY) as folder:
        day = make_day(replace(STORIES[number], strike=dying_at()), Path(folder))
        day.play()
        day.close()
        return day.stage.points, dict(end_of(day))


def _judge(name: str, script: Script, judge: Callable[[Day], list[str]]) -> Played:
    began_s = time.process_time()
    with tempfile.TemporaryDirectory(prefix="blackstart-", dir=_MEMORY) as folder:
        day = make_day(script, Path(folder))
        with _Broken() as broken:
            day.play()
            broken.faults += judge(day)
        day.close()
    return Played(
        name=name,
        faults=tuple(broken.faults),
        told=tuple(day.stage.told),
        counts=_counts_of(day),
        took_s=time.process_time() - began_s,
    )


class _Broken:
    """Turns whatever breaks the day (a bug of the engine, a day that has no end) into a fault."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception):
            where = traceback.format_exception(error)[-3:]
            self.faults.append(f"{type(error).__name__}: {error}\n{''.join(where)}")
        return isinstance(error, Exception)


def _counts_of(day: Day) -> Counter[str]:
    kinds = Counter(type(fact.event) for fact in day.facts)
    return Counter(
        {
            "facts": len(day.facts),
            "points": day.stage.points,
            "deaths": day.deaths,
            "freezes": day.stage.freezes,
            "drivers": len(day.desk.awake),
            "effects": sum(day.world.effects.values()),
            "letters": sum(day.world.letters.values()),
            "uncertain": sum(row.state == "uncertain" for row in day.rows),
            "escalations": kinds[ev.AskEscalated],
            "looks after a death": kinds[ev.ActionInspected],
            "days stood down": kinds[ev.StoodDown],
            "hours": int(day.stage.now_s / 3600),
        }
    )
