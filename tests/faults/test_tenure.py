# SPDX-License-Identifier: Apache-2.0
"""Whether an installation may act: what it finds out, and what it does when nobody answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackstart.model.errors import MirrorFailed, Refused, Superseded
from blackstart.store.database import Database
from blackstart.store.mirror_form import Claim, generation_key, written
from blackstart.store.tenure import FRESH_S, STOPPED_WITHIN_S, Tenure
from blackstart.world.clock import wait_until
from blackstart.world.depot_folder import FolderDepot
from tests.journals import SetClock


class Switched(FolderDepot):
    """A depot that can be silent, and says how often it was asked."""

    is_silent = False
    asked = 0

    def keys(self, folder: str) -> tuple[str, ...]:
        self.asked += 1
        if self.is_silent:
            raise MirrorFailed("The mirror is silent.", "Wait.")
        return super().keys(folder)

    def begin(self) -> None:
        claim = Claim(generation=1, claimant="ours", host="here", at_ms=0)
        assert self.put_new(generation_key(1), written(claim))

    def take_over(self) -> None:
        claim = Claim(generation=2, claimant="another", host="elsewhere", at_ms=0)
        assert self.put_new(generation_key(2), written(claim))


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def database(tmp_path: Path, clock: SetClock) -> Iterator[Database]:
    opened = Database(tmp_path / "home" / "journal.db", clock, patience_s=5.0)
    yield opened
    opened.close()


@pytest.fixture
def depots(tmp_path: Path) -> tuple[Switched, Switched]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    found = Switched(tmp_path / "a"), Switched(tmp_path / "b")
    for depot in found:
        depot.begin()
    return found


def test_an_empty_place_is_no_answer(database: Database, clock: SetClock, tmp_path: Path) -> None:
    (tmp_path / "bare").mkdir()  # the mount is missing
    with pytest.raises(Refused, match="No mirror answers"):
        Tenure(database, (Switched(tmp_path / "bare"),), clock).confirm()


def test_without_mirrors_nothing_is_asked(database: Database, clock: SetClock) -> None:
    before = threading.active_count()
    Tenure(database, (), clock).confirm()
    assert threading.active_count() == before


def test_an_answer_holds_for_a_few_seconds(
    database: Database, clock: SetClock, depots: tuple[Switched, Switched]
) -> None:
    tenure = Tenure(database, depots, clock)
    for _ in range(100):
        tenure.confirm()
    assert [depot.asked for depot in depots] == [1, 1]
    clock.move(FRESH_S + 0.1)
    tenure.confirm()
    assert [depot.asked for depot in depots] == [2, 2]


def test_one_mirror_that_knows_better_is_enough_and_it_stays_known(
    database: Database, clock: SetClock, depots: tuple[Switched, Switched]
) -> None:
    tenure = Tenure(database, depots, clock)
    tenure.confirm()
    depots[1].take_over()
    clock.move(FRESH_S + 0.1)  # asleep, say
    with pytest.raises(Superseded, match="as generation 2"):
        tenure.confirm()
    for depot in depots:
        depot.is_silent = True
    with pytest.raises(Superseded):
        Tenure(database, depots, clock, alone=True).confirm()


def test_whoever_begins_and_hears_nothing_is_refused_unless_a_person_knows_better(
    database: Database, clock: SetClock, depots: tuple[Switched, Switched]
) -> None:
    for depot in depots:
        depot.is_silent = True
    with pytest.raises(Refused, match="No mirror answers") as caught:
        Tenure(database, depots, clock).confirm()
    assert "--alone" in caught.value.hint
    Tenure(database, depots, clock, alone=True).confirm()
    depots[0].is_silent = False
    Tenure(database, depots, clock).confirm()  # any one will do
    assert [depot.asked for depot in depots] == [3, 3]


def test_a_start_soon_after_an_answer_goes_on_without_one(
    database: Database, clock: SetClock, depots: tuple[Switched, Switched]
) -> None:
    Tenure(database, depots, clock).confirm()
    for depot in depots:
        depot.is_silent = True
    clock.move(9 * 60)
    Tenure(database, depots, clock).confirm()
    assert [depot.asked for depot in depots] == [2, 2]
    clock.move(2 * 60)
    with pytest.raises(Refused, match="No mirror answers"):
        Tenure(database, depots, clock).confirm()


def test_a_recovery_goes_on_while_its_mirrors_are_dead_and_is_told_when_they_are_back(
    database: Database, clock: SetClock, depots: tuple[Switched, Switched]
) -> None:
    tenure = Tenure(database, depots, clock)
    tenure.confirm()
    for depot in depots:
        depot.is_silent = True
    for _ in range(200):  # more than a quarter of an hour
        clock.move(FRESH_S + 0.1)
        tenure.confirm()
        if tenure._aside is not None:
            tenure._aside.join()
    depots[0].is_silent = False
    depots[0].take_over()

    def is_told() -> bool:
        clock.move(FRESH_S + 0.1)
        try:
            tenure.confirm()
        except Superseded:
            return True
        if tenure._aside is not None:
            tenure._aside.join()
        return False

    assert wait_until(is_told, timeout_s=10)


@pytest.mark.parametrize("way", [SetClock.move, SetClock.suspend])  # frozen, or machine asleep
def test_whoever_slept_while_the_mirrors_are_dead_is_refused(
    database: Database,
    clock: SetClock,
    depots: tuple[Switched, Switched],
    way: Callable[[SetClock, float], None],
) -> None:
    tenure = Tenure(database, depots, clock)
    tenure.confirm()
    for depot in depots:
        depot.is_silent = True
    way(clock, 3600)
    with pytest.raises(Refused, match="No mirror answers"):
        tenure.confirm()


@pytest.mark.parametrize("jump_s", [90, 3600, -3600])
def test_a_clock_that_is_set_stops_no_recovery_whose_mirrors_are_dead(
    database: Database, clock: SetClock, depots: tuple[Switched, Switched], jump_s: float
) -> None:
    tenure = Tenure(database, depots, clock)
    tenure.confirm()
    for depot in depots:
        depot.is_silent = True
    for _ in range(3):
        clock.set_by(jump_s)
        tenure.confirm()
        if tenure._aside is not None:
            tenure._aside.join()
    assert [depot.asked for depot in depots] == [4, 4]


@pytest.mark.parametrize("jump_s", [90, -90])
def test_a_clock_that_is_set_makes_the_mirrors_be_asked(
    database: Database, clock: SetClock, depots: tuple[Switched, Switched], jump_s: float
) -> None:
    tenure = Tenure(database, depots, clock)
    tenure.confirm()
    depots[0].take_over()
    clock.set_by(jump_s)  # a paused virtual machine knows of its sleep by nothing else
    with pytest.raises(Superseded, match="as generation 2"):
        tenure.confirm()


def test_an_answer_from_before_a_taking_over_holds_no_longer_than_that_is_waited_for(
    database: Database, clock: SetClock, tmp_path: Path
) -> None:
    class Slow(Switched):
        def keys(self, folder: str) -> tuple[str, ...]:
            found = super().keys(folder)
            if self.asked == 1:
                self.take_over()
                clock.move(3.9)  # the answer, of before, is long under way
            return found

    (tmp_path / "slow").mkdir()
    depot = Slow(tmp_path / "slow")
    depot.begin()
    tenure = Tenure(database, (depot,), clock)
    tenure.confirm()
    clock.move(FRESH_S - 0.1)
    tenure.confirm()  # so a shorter wait would not do
    clock.move(STOPPED_WITHIN_S - 3.9 - (FRESH_S - 0.1))
    with pytest.raises(Superseded, match="as generation 2"):
        tenure.confirm()
