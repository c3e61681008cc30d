# SPDX-License-Identifier: Apache-2.0
"""Many systems recover at once in one incident, on the small world of the tests: memory and time.

    PYTHONPATH=. python bench/scale.py [SYSTEMS...]     # default: 10 50 200 1000

Each number of systems is a process of its own, so that its peak memory is its own. The world's
verbs leave marks in a folder and take no time, so what is measured is the engine, the record and
the people's answers. Prints one line each, and how memory grows with each system.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from blackstart.engine.runner import drive
from blackstart.model.asks import Answer, answer
from blackstart.model.errors import Refused
from blackstart.model.incident import Incident, advance
from blackstart.ports.journal import Entry, Journal
from tests.engine_world import (
    ANSWERS,
    INCIDENT,
    World,
    house_in,
    is_told,
    journal_in,
    known_in,
    make_world,
    report,
)

SIZES = (10, 50, 200, 1000)
LIMIT_S = 900.0


class Sized(msgspec.Struct):
    """What one size needed."""

    systems: int
    took_s: float
    facts: int
    peak_mib: float
    is_whole: bool


class People:
    """Answer what is asked, one answer at a time, on a connection of their own."""

    def __init__(self, world: World) -> None:
        """Know what the plan knows."""
        self._known = known_in(world)
        self._incident: Incident | None = None

    def answer_until(self, journal: Journal, stop: threading.Event) -> None:
        """Look every 20 ms, and answer all that is open."""
        while not stop.wait(0.02):
            self._read(journal)
            while self._incident and self._answer_one(journal, self._incident):
                self._read(journal)

    def _read(self, journal: Journal) -> None:
        for fact in journal.read(INCIDENT, self._incident.seq if self._incident else 0):
            self._incident = advance(self._incident, fact)

    def _answer_one(self, journal: Journal, incident: Incident) -> bool:
        for ask in incident.open_asks():
            if ask.opened.kind in ANSWERS:
                said = Answer(text=ANSWERS[ask.opened.kind], by="p1", why="", how="automatic")
                events = answer(self._known, incident, ask.opened.ask, said)
                try:
                    entries = [Entry(event=event) for event in events]
                    journal.append(INCIDENT, "p1", entries, expect_seq=incident.seq)
                except Refused:  # facts came in between: read them first
                    pass
                return True
        return False


def recover(systems: int, folder: Path) -> Sized:
    """Recover so many systems in one incident."""
    names = tuple(f"s{number}" for number in range(systems))
    world = make_world(folder / "world", systems=names)
    journal = journal_in(world)
    report(journal, names)
    stop = threading.Event()
    people = threading.Thread(target=_people(world, stop))
    limit = threading.Timer(LIMIT_S, stop.set)
    people.start()
    limit.start()
    began_s = time.monotonic()
    incident = drive(house_in(world, journal), INCIDENT, stop, is_told)
    took_s = time.monotonic() - began_s
    limit.cancel()
    stop.set()
    people.join()
    done = world.done()
    return Sized(
        systems=systems,
        took_s=took_s,
        facts=incident.seq,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        is_whole=is_told(incident) and len(done) == 4 * systems and set(done.values()) == {1},
    )


def _people(world: World, stop: threading.Event) -> Callable[[], None]:
    def live() -> None:
        journal = journal_in(world)
        People(world).answer_until(journal, stop)
        journal.close()

    return live


def in_own_process(systems: int) -> Sized:
    """Measure one size in a process of its own."""
    command = [sys.executable, __file__, "--one", str(systems)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return msgspec.json.decode(printed, type=Sized)


def main(sizes: tuple[int, ...]) -> int:
    """Print a line for each size; return 1 when one did not come to its end."""
    found = []
    for systems in sizes:
        one = in_own_process(systems)
        found.append(one)
        print(
            f"{one.systems:5} systems at once  {one.peak_mib:6.1f} MiB peak  {one.took_s:7.1f} s  "
            f"{one.facts:6} facts  {one.facts / one.took_s:5.0f} facts/s"
            f"{'' if one.is_whole else '  NOT WHOLE'}",
            flush=True,
        )
    small, large = found[0], found[-1]
    if large.systems > small.systems:
        more = (large.peak_mib - small.peak_mib) / (large.systems - small.systems)
        print(f"      each further system  {more * 1024:6.0f} KiB")
    return int(not all(one.is_whole for one in found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        with tempfile.TemporaryDirectory() as temporary:
            sys.stdout.buffer.write(msgspec.json.encode(recover(int(sys.argv[2]), Path(temporary))))
    else:
        sys.exit(main(tuple(int(each) for each in sys.argv[1:]) or SIZES))
