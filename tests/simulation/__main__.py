# SPDX-License-Identifier: Apache-2.0
"""Plays many simulated days: `make sim N=1000 [SEED=first] [EVERY=1]`.

Each day is its number. The first that goes wrong is told as a story; every one is named with the
command that plays it again. EVERY=n dies at each n-th point of the two stories instead.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from tests.simulation.played import (
    STORIES,
    Played,
    play_death,
    play_deaths,
    play_seed,
    points_of_story,
)

T = TypeVar("T")


def main(arguments: Sequence[str]) -> int:
    """Play, print what came of it, and return 1 when something went wrong."""
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first day")
    parser.add_argument("--every", type=int, default=0, help="die at each n-th point instead")
    parser.add_argument("--deaths", default="", help="STORY:POINT,POINT…, to play again")
    parser.add_argument("--until-wrong", action="store_true", help="end with the first wrong day")
    parser.add_argument("--story", action="store_true", help="tell the story of a good day too")
    asked = parser.parse_args(arguments)
    began_s = time.monotonic()
    days: Iterable[Played]
    if asked.deaths:
        story, _, points = asked.deaths.partition(":")
        days = map(play_deaths, [int(story)], [tuple(map(int, points.split(",")))])
    elif asked.until_wrong:
        days = _until_wrong(range(asked.seed, asked.seed + asked.days))
    elif asked.every:
        places = [
            (story, point)
            for story in range(len(STORIES))
            for point in range(1, points_of_story(story) + 1, asked.every)
        ]
        days = _at_once(play_death, places)
    else:
        days = _at_once(play_seed, range(asked.seed, asked.seed + asked.days))
    played = list(_heard(days))
    return _say(played, time.monotonic() - began_s, tells_good=asked.story)


def _until_wrong(seeds: Sequence[int]) -> Iterator[Played]:
    for seed in seeds:
        played = play_seed(seed)
        yield played
        if played.faults:
            return


def _at_once(play: Callable[[T], Played], names: Sequence[T]) -> Iterator[Played]:
    """Play on every core; a handful here, so that a debugger can follow."""
    if len(names) < 4:
        yield from map(play, names)
        return
    with ProcessPoolExecutor(os.cpu_count()) as cores:
        yield from cores.map(play, names, chunksize=max(1, min(20, len(names) // 40)))


def _heard(days: Iterable[Played]) -> Iterator[Played]:
    """Name each wrong day as soon as it is known: thousands take their time."""
    for day in days:
        if day.faults:
            print(f"WRONG {day.name}: {day.faults[0].splitlines()[0][:200]}", flush=True)
        yield day


def _say(days: Sequence[Played], took_s: float, *, tells_good: bool) -> int:
    wrong = [day for day in days if day.faults]
    told = wrong[:1] or (days[:1] if tells_good else [])
    for day in told:
        print(day.story())
        print()
    counts: Counter[str] = Counter()
    for day in days:
        counts += day.counts
    print(", ".join(f"{name} {count:,}" for name, count in counts.items()))
    print(
        f"{len(days):,} days in {took_s:.1f} s: {took_s / len(days) * 1000:.1f} s per thousand "
        f"({sum(day.took_s for day in days) / len(days) * 1000:.1f} s of one core's time), "
        f"{len(wrong)} went wrong"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
