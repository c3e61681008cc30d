# SPDX-License-Identifier: Apache-2.0
"""A day laid down by one number: who strikes, what fails, what people want, and when it calms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from tests.simulation.day import Day, Script, Strike
from tests.simulation.people import PATIENT, RESTLESS
from tests.simulation.stage import Blow, Process
from tests.simulation.whims import follow
from tests.simulation.world import Fate, Passage

_DEATHS_AT_MOST = 30
_FREEZES_S = (1.0, 6.0, 20.0, 90.0, 1_200.0)
_ENDS = {"failed": 6, "failed_after": 4, "broken": 1, "unreachable": 2, "hanging": 1}
_PASSAGES = {"lost_reply": 4, "lost": 3, "refused": 1, "later": 4, "broken": 1}


def script_of(seed: int) -> Script:
    """Return the day with this number."""
    dice = Random(f"script {seed}")
    calm_s = dice.choice((1_800.0, 7_200.0, 40_000.0, 200_000.0))
    return Script(
        seed=seed,
        systems=dice.choice((("shop",), ("shop", "depot"))),
        hosts=dice.choice((("a",), ("a", "b"))),
        fate=_fates(seed, dice.choice((0.0, 0.1, 0.3))),
        passage=_passages(seed, dice.choice((0.0, 0.1, 0.3)), list(_absences(dice, calm_s))),
        temper=dice.choice((PATIENT, RESTLESS)),
        delay_s=dice.choice(((5.0, 60.0), (20.0, 900.0), (300.0, 5_000.0))),
        strike=_strikes(
            seed, dice.choice((0.0, 0.003, 0.015, 0.05)), dice.choice((0.0, 0.002, 0.01))
        ),
        restart_s=dice.choice(((0.5, 3.0), (1.0, 60.0), (10.0, 900.0))),
        calm_s=calm_s,
        happens=dict(_happenings(dice, calm_s)),
    )


def _fates(seed: int, share: float) -> Callable[[str], Fate]:
    def fate(key: str) -> Fate:
        dice = Random(f"fate {seed} {key}")
        is_bad = dice.random() < share
        return Fate(
            takes_s=dice.choice((0.2, 2.0, 2.0, 30.0, 300.0)),
            ends=dice.choices(list(_ENDS), list(_ENDS.values()))[0] if is_bad else "done",
            goes_on=dice.random() < 0.3,
            halves=dice.random() < 0.3,
            dark_s=dice.choice((0.0, 0.0, 0.0, 20.0, 300.0, 700.0)),
        )

    return fate


def _passages(
    seed: int, share: float, absences: list[tuple[str, float, float]]
) -> Callable[[str, str, int, float], Passage]:
    def passage(channel: str, key: str, number: int, now_s: float) -> Passage:
        if any(name == channel and begin <= now_s < end for name, begin, end in absences):
            return Passage(ends="later")
        dice = Random(f"passage {seed} {channel} {key} {number}")
        ends = dice.choices(list(_PASSAGES), list(_PASSAGES.values()))[0]
        return Passage(
            ends=ends if dice.random() < share else "accepted",
            takes_s=dice.choice((0.05, 0.05, 0.3, 5.0)),
        )

    return passage


def _absences(dice: Random, calm_s: float) -> Iterator[tuple[str, float, float]]:
    for _ in range(dice.choice((0, 0, 1, 3))):
        begin = dice.uniform(0.0, calm_s / 2)
        yield (
            dice.choice(("Board", "Chat", "Mail")),
            begin,
            begin + dice.choice((10.0, 300.0, 9_000.0)),
        )


def _strikes(seed: int, death: float, freeze: float) -> Strike:
    dice = Random(f"strikes {seed}")
    left = [_DEATHS_AT_MOST]

    def strike(_number: int, _what: str, _process: Process) -> Blow | None:
        luck = dice.random()
        if luck >= death + freeze or not left[0]:
            return None
        left[0] -= 1
        return Blow() if luck < death else Blow(freeze_s=dice.choice(_FREEZES_S))

    return strike


@dataclass(frozen=True, slots=True)
class _AllDie:
    """Every process ends at once, as when the power fails."""

    def __call__(self, day: Day) -> None:
        day.stage.tell("     the power fails")
        for process in day.stage.alive():
            day.stage.kill(process)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """The record cannot be written for a while."""

    seconds: float

    def __call__(self, day: Day) -> None:
        day.stage.tell(f"     the record refuses for {self.seconds:.0f} s")
        day.desk.refuse(self.seconds)


@dataclass(frozen=True, slots=True)
class _Want:
    """Somebody wants something."""

    number: int

    def __call__(self, day: Day) -> None:
        if not day.crowd.is_over:
            follow(day.crowd, Random(f"whim {day.script.seed} {self.number}"))


def _happenings(dice: Random, calm_s: float) -> Iterator[tuple[float, Callable[[Day], None]]]:
    for _ in range(dice.choice((0, 0, 1, 2))):
        yield dice.uniform(0.0, calm_s / 2), _AllDie()
    for _ in range(dice.choice((0, 0, 1))):
        yield dice.uniform(0.0, calm_s / 2), _Refusal(dice.choice((0.5, 30.0, 600.0)))
    for number in range(dice.choice((0, 3, 12))):
        yield dice.expovariate(4 / calm_s), _Want(number)
