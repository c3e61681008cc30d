# SPDX-License-Identifier: Apache-2.0
"""Keeps shipping to every mirror that the home names: a thread for each, for as long as it stands.

The list is read again and again: a place that was added while an agent lives is shipped to by it,
one that was removed is left, and a thread that died is said, red in `status`, and started again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from blackstart.model.errors import BlackstartError, Superseded
from blackstart.ports.clock import Clock
from blackstart.store.mirror_shipping import Shipper
from blackstart.world.files import locked

SHIP_EVERY_S = 0.5
_REST_MOST_S = 5.0  # after failures
_AFTER_DEATH_S, _AFTER_DEATHS_S = 1.0, 60.0  # of one that dies again and again

Tell = Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class _Work:
    """One mirror that is shipped to, and how that ended: `is_over` is false after a death."""

    shipper: Shipper
    lock: Path
    begun_s: float
    rest_s: float
    stop: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False
    thread: threading.Thread | None = None

    def begin(self, tell: Tell) -> None:
        self.thread = threading.Thread(target=self._run, args=(tell,), daemon=True)
        self.thread.start()

    def _run(self, tell: Tell) -> None:
        _keep_shipping(self.shipper, self.lock, self.stop, tell)
        self.is_over = True

    def has_died(self) -> bool:
        is_running = self.thread is not None and self.thread.is_alive()
        return not (self.is_over or is_running)


@dataclass(slots=True, kw_only=True)
class Keeper:
    """`find` returns by its place the shipper of each mirror that is not `known` yet, None for
    those that are, and the file that whoever ships there holds locked."""

    find: Callable[[frozenset[str]], dict[str, tuple[Shipper, Path] | None]]
    clock: Clock
    tell: Tell
    works: dict[str, _Work] = field(default_factory=dict)
    fault: str = ""

    def run(self, stop: threading.Event) -> None:
        """Keep every mirror until stopped, and ship once more then."""
        while not stop.is_set():
            try:
                self._look()
                self.fault = ""
            except (BlackstartError, OSError, MemoryError, RuntimeError) as error:
                if str(error) != self.fault:
                    self.tell(f"The list of the mirrors cannot be followed now: {error}")
                self.fault = str(error)
            stop.wait(SHIP_EVERY_S)
        for work in self.works.values():
            work.stop.set()
        for work in self.works.values():
            if work.thread is not None:
                work.thread.join()

    def _look(self) -> None:
        found = self.find(frozenset(self.works))
        for place in self.works.keys() - found.keys():
            self.works.pop(place).stop.set()
        for place, new in found.items():
            if new is not None:
                shipper, lock = new
                self._begin(place, shipper, lock, _AFTER_DEATH_S)
        for place, work in list(self.works.items()):
            if work.has_died() and self.clock.monotonic_s() - work.begun_s >= work.rest_s:
                died = f"What ships to the mirror {work.shipper.depot.name} died; it begins again."
                work.shipper.note_failing(died)
                self.tell(died)
                rest_s = min(_AFTER_DEATHS_S, work.rest_s * 2)
                self._begin(place, work.shipper, work.lock, rest_s)

    def _begin(self, place: str, shipper: Shipper, lock: Path, rest_s: float) -> None:
        work = _Work(shipper=shipper, lock=lock, begun_s=self.clock.monotonic_s(), rest_s=rest_s)
        self.works[place] = work
        work.begin(self.tell)


def _keep_shipping(shipper: Shipper, lock: Path, stop: threading.Event, tell: Tell) -> None:
    """Ship again and again, as soon as nobody else does."""
    while not stop.is_set():
        with locked(lock, wait=False) as is_ours:
            if is_ours:
                _ship_until(shipper, stop, tell)
                return
        stop.wait(SHIP_EVERY_S)


def _ship_until(shipper: Shipper, stop: threading.Event, tell: Tell) -> None:
    """Ship until stopped, and once more then; what fails is tried again, and said once."""
    fault = ""
    rest_s = SHIP_EVERY_S
    while True:
        is_last = stop.is_set()
        try:
            shipper.ship()
            if fault:
                tell(f"The mirror {shipper.depot.name} is up to date again.")
            fault, rest_s = "", SHIP_EVERY_S
        except Superseded as error:
            tell(str(error))
            return
        except BlackstartError as error:
            if error.what != fault:
                tell(str(error))
            fault, rest_s = error.what, min(_REST_MOST_S, rest_s * 2)
        if is_last:
            return
        stop.wait(rest_s)


def ship_or_tell(shipper: Shipper, lock: Path, tell: Tell) -> None:
    """Ship once when nobody else does; say what fails."""
    try:
        with locked(lock, wait=False) as is_ours:
            if is_ours:
                shipper.ship()
    except BlackstartError as error:
        tell(str(error))
