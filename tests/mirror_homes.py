# SPDX-License-Identifier: Apache-2.0
"""Installations with a mirror, for the tests of shipping and bringing back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blackstart.bootstrap.home import Home, open_home
from blackstart.bootstrap.restoring import Restored, restore
from blackstart.model.errors import MirrorFailed
from blackstart.ports.depot import Depot
from blackstart.ports.roster import AffectedPerson
from blackstart.store.mirror_shipping import Shipper
from tests.journals import entries, notice

ADA = AffectedPerson(id="u1", name="Ada Example", addresses={"email": "ada@example.com"})
BOB = AffectedPerson(id="u2", name="Bob Example", addresses={"email": "bob@example.com"})


@contextmanager
def home_at(folder: Path) -> Iterator[Home]:
    """An installation, closed at last."""
    opened = open_home(folder)
    try:
        yield opened
    finally:
        opened.journal.close()


def shipper_of(home: Home, depot: Depot) -> Shipper:
    return Shipper(home.mirrors._database, home.folder, depot, home.clock, home.mirrors.places)


def fill(home: Home) -> None:
    """A little of everything that a mirror has to hold."""
    home.journal.append("i1", "p1", entries(3))
    home.journal.append("i2", "p1", entries(2))
    home.journal.remember_people("users", (ADA, BOB))
    home.journal.append("i1", "p1", [notice(("u1", "u2"))])
    home.evidence.keep("plan.yaml", b"blackstart: 1\n")
    home.secrets.put("r1", "database", "a secret of the run")


class Pause:
    """A signal whose waits are over at once; what goes on meanwhile is `act`."""

    def __init__(self, act: Callable[[float], object] = lambda _: None) -> None:
        self._act = act
        self.waited_s: list[float] = []

    def wait(self, timeout_s: float | None = None, /) -> bool:
        assert timeout_s is not None
        self.waited_s.append(timeout_s)
        self._act(timeout_s)
        return False

    def set(self) -> None:
        raise AssertionError("nobody sets it")

    def clear(self) -> None:
        raise AssertionError("nobody sets it")

    def is_set(self) -> bool:
        return False


def bring_back(
    source: str, home: Path, *, key: Path | None = None, accept_loss: bool = False
) -> Restored:
    """Restore without waiting: the old host does nothing meanwhile."""
    return restore(
        source, home, key=key, accept_loss=accept_loss, tell=lambda _: None, pause=Pause()
    )


class Dying:
    """A depot at which the `left`th write is the last: it and all after it fail, or it is made
    and its maker does not hear of it."""

    def __init__(self, depot: Depot, left: int, *, is_made: bool) -> None:
        self._depot = depot
        self._left = left
        self._is_made = is_made

    @property
    def name(self) -> str:
        return self._depot.name

    def put_new(self, key: str, content: bytes) -> bool:
        return bool(self._write(lambda: self._depot.put_new(key, content)))

    def put(self, key: str, content: bytes) -> None:
        self._write(lambda: self._depot.put(key, content))

    def remove(self, key: str) -> None:
        self._write(lambda: self._depot.remove(key))

    def fetch(self, key: str) -> bytes | None:
        return self._depot.fetch(key)

    def keys(self, folder: str) -> tuple[str, ...]:
        return self._depot.keys(folder)

    @property
    def has_died(self) -> bool:
        return self._left <= 0

    def _write(self, work: Callable[[], object]) -> object:
        self._left -= 1
        if self._left > 0:
            return work()
        if self._left == 0 and self._is_made:
            work()
        raise MirrorFailed("It died here.", "Begin anew.")
