# SPDX-License-Identifier: Apache-2.0
"""Taking over from a host that lives: it is waited for until it has certainly stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from blackstart.bootstrap.home import Home
from blackstart.bootstrap.mirrors import Mirrors
from blackstart.bootstrap.restoring import Restored, restore
from blackstart.model.errors import Superseded
from blackstart.store.mirror_form import Alive, alive_key, written
from blackstart.store.mirror_reading import alive_of
from blackstart.store.schema import from_ms, to_ms
from blackstart.store.sqlite import SqliteJournal
from blackstart.store.tenure import STOPPED_WITHIN_S
from blackstart.world.depot_folder import FolderDepot
from tests.journals import SetClock, attempts_of, entries
from tests.mirror_homes import Pause, home_at, shipper_of

DAY_S = 86_400


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    return tmp_path / "a", tmp_path / "b"


@pytest.fixture
def old(tmp_path: Path, places: tuple[Path, Path]) -> Iterator[Home]:
    """The host that is taken over from, mirrored at both places a moment ago."""
    with home_at(tmp_path / "old") as home:
        home.journal.append("i1", "p1", entries(3))
        for place in places:
            home.mirrors.add(f"dir:{place}")
        for place in places:
            shipper_of(home, FolderDepot(place)).ship()
        yield home


def back(
    place: Path, home: Path, act: Callable[[float], object] = lambda _: None
) -> tuple[Restored, Pause, list[str]]:
    pause, told = Pause(act), list[str]()
    came = restore(f"dir:{place}", home, key=None, accept_loss=False, tell=told.append, pause=pause)
    return came, pause, told


def show_life(place: Path, ago_s: float, home: Home) -> None:
    """Replace the sign of life by one of another moment."""
    at = home.clock.now() - timedelta(seconds=ago_s)
    told = Alive(at_ms=to_ms(at), count=3, host="old")
    FolderDepot(place).put(alive_key(1), written(told))


def move_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float) -> None:
    """From now on this is the machine's time, so many seconds later."""
    (tmp_path / "moved").write_text(str(seconds))
    monkeypatch.setenv("BLACKSTART_REHEARSAL_CLOCK", str(tmp_path / "moved"))


def test_what_a_living_host_records_until_it_has_looked_comes_back_too(
    tmp_path: Path, places: tuple[Path, Path], old: Home
) -> None:
    clock = SetClock()
    assert isinstance(old.journal, SqliteJournal)
    driver = Mirrors(old.folder, old.journal, clock, old.secrets.reveal).guarded_journal
    shipper = shipper_of(old, FolderDepot(places[0]))
    shipper.ship()
    driver.append("i1", "old host", entries(1, first=4))  # it has looked just now

    def live_on(seconds: float) -> None:
        driver.append("i1", "old host", entries(1, first=5))  # which holds, though it is replaced
        shipper.ship()
        clock.move(seconds)
        with pytest.raises(Superseded):
            driver.append("i1", "old host", entries(1, first=6))

    came, pause, told = back(places[0], tmp_path / "new", live_on)
    assert pause.waited_s == [STOPPED_WITHIN_S]
    assert told == ["Waiting 9 s until the old host has certainly stopped."]
    with home_at(tmp_path / "new") as new:
        assert attempts_of(new.journal, "i1") == attempts_of(old.journal, "i1") == [1, 2, 3, 4, 5]
    newest = max(fact.at for fact in old.journal.read("i1"))
    assert came.took_over_at >= newest


def test_every_mirror_says_so_before_the_old_host_is_waited_for(
    tmp_path: Path, places: tuple[Path, Path], old: Home
) -> None:
    def look(_: float) -> None:
        with pytest.raises(Superseded):
            shipper_of(old, FolderDepot(places[1])).ship()

    assert back(places[0], tmp_path / "new", look)[1].waited_s
    assert not (tmp_path / ".new.restoring").exists()


def test_a_host_that_is_long_dead_is_not_waited_for(
    tmp_path: Path, places: tuple[Path, Path], old: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_on(monkeypatch, tmp_path, DAY_S + 60)
    _, pause, told = back(places[0], tmp_path / "new")
    assert (pause.waited_s, told) == ([], [])


@pytest.mark.parametrize("later_s", [-DAY_S - 60, 0, DAY_S - 60])
def test_a_host_that_may_live_by_a_clock_that_is_wrong_is_waited_for(
    tmp_path: Path,
    places: tuple[Path, Path],
    old: Home,
    monkeypatch: pytest.MonkeyPatch,
    later_s: float,
) -> None:
    move_on(monkeypatch, tmp_path, later_s)
    assert back(places[0], tmp_path / "new")[1].waited_s == [STOPPED_WITHIN_S]


def _gone(place: Path) -> None:
    FolderDepot(place).remove(alive_key(1))


def _unreadable(place: Path) -> None:
    FolderDepot(place).put(alive_key(1), b"half")


def _away(place: Path) -> None:
    place.rename(place.with_name("away"))


@pytest.mark.parametrize("spoil", [_gone, _unreadable, _away])
def test_a_host_whose_sign_of_life_cannot_be_read_at_one_mirror_is_waited_for(
    tmp_path: Path,
    places: tuple[Path, Path],
    old: Home,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
) -> None:
    move_on(monkeypatch, tmp_path, DAY_S + 60)
    spoil(places[1])
    assert back(places[0], tmp_path / "new")[1].waited_s == [STOPPED_WITHIN_S]


def test_a_fresh_sign_of_life_at_another_mirror_is_enough(
    tmp_path: Path, places: tuple[Path, Path], old: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_on(monkeypatch, tmp_path, DAY_S + 60)
    show_life(places[1], -DAY_S, old)  # it writes there alone
    sign = alive_of(FolderDepot(places[1]), 1)
    assert sign is not None
    assert from_ms(sign.at_ms) > old.clock.now()
    assert back(places[0], tmp_path / "new")[1].waited_s == [STOPPED_WITHIN_S]
