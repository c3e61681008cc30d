# SPDX-License-Identifier: Apache-2.0
"""Reads a mirror and judges it by itself: whose it is, what it holds, who may add to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from blackstart.model.errors import MirrorFailed
from blackstart.ports.depot import Depot
from blackstart.store.mirror_form import (
    GENERATIONS,
    INSTALLATION_KEY,
    LOG,
    Alive,
    Claim,
    Owner,
    Segment,
    alive_key,
    digest_of_object,
    place_in,
    read_as,
    segment_key,
)

_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a mirror holds: the newest whole segment and the way to it, first one first.

    `passed_over` says what is wrong with those after it that are damaged, one sentence each.
    """

    owner: Owner
    claims: tuple[Claim, ...]
    way: tuple[Segment, ...]
    alive: Alive | None
    passed_over: tuple[str, ...]

    @property
    def newest(self) -> Segment:
        """The segment that the mirror opens at."""
        return self.way[-1]

    @property
    def generation(self) -> int:
        """The generation that is in force there."""
        return self.claims[-1].generation


def owner_of(depot: Depot) -> Owner | None:
    """Return whose mirror it is, None when nothing lies there. Raises MirrorFailed."""
    whole = depot.fetch(INSTALLATION_KEY)
    return read_as(Owner, INSTALLATION_KEY, whole) if whole is not None else None


def claims_of(depot: Depot) -> tuple[Claim, ...]:
    """Return every generation that was claimed there, oldest first. Raises MirrorFailed."""
    found = ((key, depot.fetch(key)) for key in depot.keys(GENERATIONS))
    return tuple(read_as(Claim, key, whole) for key, whole in found if whole is not None)


def newest_generation(depot: Depot) -> int:
    """Return the number of the newest generation by one listing; 0 when there is none."""
    keys = depot.keys(GENERATIONS)
    return int(keys[-1].rpartition("/")[2]) if keys else 0


def read_mirror(depot: Depot) -> Held:
    """Read all segments and return what the mirror holds. Raises MirrorFailed."""
    owner = owner_of(depot)
    claims = claims_of(depot)
    if owner is None or not claims:
        raise MirrorFailed(
            f"There is no mirror of a record at {depot.name}.",
            "Look whether the place is right: the folder or prefix holds a file `installation`.",
        )
    places = sorted(place_in(key) for key in depot.keys(LOG))
    segments, problems = _fetched(depot, places)
    passed_over: list[str] = []
    for place in reversed(places):
        way, problem = _way_to(place, segments, problems)
        if way and way[-1].is_whole:
            return Held(
                owner=owner,
                claims=claims,
                way=way,
                alive=alive_of(depot, place[0]),
                passed_over=tuple(passed_over),
            )
        if problem:  # else it was left unfinished: the next one would have completed it
            passed_over.append(problem)
    raise MirrorFailed(
        f"Nothing at {depot.name} can be opened: " + (" ".join(passed_over) or "it is empty."),
        "Use another mirror of the same installation.",
    )


def alive_of(depot: Depot, generation: int) -> Alive | None:
    """Return the sign of life of a generation, None when there is no readable one."""
    key = alive_key(generation)
    whole = depot.fetch(key)
    try:
        return read_as(Alive, key, whole) if whole is not None else None
    except MirrorFailed:
        return None  # it only makes the loss more exact


def _fetched(
    depot: Depot, places: Iterable[tuple[int, int]]
) -> tuple[dict[tuple[int, int], tuple[Segment, str]], dict[tuple[int, int], str]]:
    """Return the segments with their digests, and what is wrong with the others."""
    segments: dict[tuple[int, int], tuple[Segment, str]] = {}
    problems: dict[tuple[int, int], str] = {}

    def fetch(place: tuple[int, int]) -> None:
        key = segment_key(place)
        whole = depot.fetch(key)
        if whole is None:
            problems[place] = f"{key} is gone."
            return
        try:
            segments[place] = read_as(Segment, key, whole), digest_of_object(whole)
        except MirrorFailed as error:
            problems[place] = error.what

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(fetch, places):
            pass
    return segments, problems


def _way_to(
    place: tuple[int, int],
    segments: dict[tuple[int, int], tuple[Segment, str]],
    problems: dict[tuple[int, int], str],
) -> tuple[tuple[Segment, ...], str]:
    """Return the segments from the beginning to this one, or what is missing on the way."""
    way: list[Segment] = []
    at: tuple[int, int] | None = place
    expected = ""
    while at is not None:
        if at not in segments:
            return (), problems.get(at, f"{segment_key(at)} is gone.")
        segment, digest = segments[at]
        if segment.place != at or (expected and digest != expected) or len(way) > len(segments):
            return (), f"{segment_key(at)} is not the one that was written there."
        way.append(segment)
        at, expected = segment.follows, segment.previous
    return tuple(reversed(way)), ""


def newest_first(depot: Depot, generation: int) -> Iterator[tuple[int, int]]:
    """Yield where segments lie, up to and with a generation, the newest first."""
    for number in range(generation, 0, -1):
        keys = depot.keys(f"{LOG}/{number:06}")
        yield from (place_in(key) for key in reversed(keys))
