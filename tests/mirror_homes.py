# SPDX-License-Identifier: Apache-2.0
"""Installations with a mirror, for the tests of shipping and bringing back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from blackstart.bootstrap.home import Home, open_home
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
    return Shipper(home.mirrors._database, home.folder, depot, home.clock, home.mirrors.places())


def fill(home: Home) -> None:
    """A little of everything that a mirror has to hold."""
    home.journal.append("i1", "p1", entries(3))
    home.journal.append("i2", "p1", entries(2))
    home.journal.remember_people("users", (ADA, BOB))
    home.journal.append("i1", "p1", [notice(("u1", "u2"))])
    home.evidence.keep("plan.yaml", b"blackstart: 1\n")
    home.secrets.put("r1", "database", "a secret of the run")


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
