# SPDX-License-Identifier: Apache-2.0
"""The list of mirrors while an agent lives; and what is said at a home that was replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackstart.bootstrap.home import Home
from blackstart.bootstrap.incidents import order, report_incident
from blackstart.model.errors import MirrorFailed, Superseded
from blackstart.model.plan import Mode
from blackstart.store.mirror_reading import newest_generation, read_mirror
from blackstart.world.depot_folder import FolderDepot
from tests.journals import entries
from tests.mirror_homes import bring_back, home_at
from tests.unit.test_mirror_commands import blackstart

_SOON_S = 15.0


def soon(is_so: Callable[[], bool]) -> bool:
    """Wait for it, with a deadline."""
    tick = threading.Event()
    for _ in range(int(_SOON_S / 0.05)):
        if is_so():
            return True
        tick.wait(0.05)
    return False


def held(place: Path) -> int:
    """How many facts a mirror holds; 0 when there is none yet."""
    try:
        return read_mirror(FolderDepot(place)).newest.count
    except MirrorFailed:
        return 0


def named_in(place: Path) -> tuple[str, ...]:
    return tuple(read_mirror(FolderDepot(place)).newest.mirrors)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    for name in ("m1", "m2", "m3"):
        (tmp_path / name).mkdir()
    with home_at(tmp_path / "home") as opened:
        opened.journal.append("installation", "p1", entries(3))
        yield opened


def add(home: Home, place: Path) -> None:
    added = blackstart("journal", "mirror", f"dir:{place}", "--home", home.folder)
    assert added.exit_code == 0, added.output


def test_whoever_ships_follows_the_list_and_a_refused_place_leaves_no_trace(
    home: Home, tmp_path: Path
) -> None:
    told: list[str] = []
    with home.mirrors.shipping(told.append):  # as an agent that was started before any mirror
        add(home, tmp_path / "m1")
        refused = blackstart("journal", "mirror", f"dir:{tmp_path}/nosuch", "--home", home.folder)
        assert isinstance(refused.exception, MirrorFailed)
        assert refused.exception.hint.endswith("then give the command again.")
        assert "by itself" not in refused.exception.hint
        assert [view.name for view in home.mirrors.views()] == [f"dir:{tmp_path / 'm1'}"]
        home.journal.append("installation", "p1", entries(2, first=4))
        assert soon(lambda: held(tmp_path / "m1") == 5), home.mirrors.views()
    assert told == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_shipper_that_died_is_red_and_begun_again(home: Home, tmp_path: Path) -> None:
    add(home, tmp_path / "m1")
    told: list[str] = []
    stumble = home.folder / "secrets" / "r1" / "no-file"
    with home.mirrors.shipping(told.append):
        stumble.mkdir(parents=True)  # it reads secrets, and falls over this one
        assert soon(lambda: any("died" in text for text in told))
        (view,) = home.mirrors.views()
        assert view.failing_since
        assert "died" in view.error
        stumble.rmdir()
        home.journal.append("installation", "p1", entries(2, first=4))
        assert soon(lambda: held(tmp_path / "m1") == 5)
        assert soon(lambda: not home.mirrors.views()[0].failing_since)


@pytest.mark.parametrize("lives", [True, False])
def test_every_mirror_knows_all_others_as_soon_as_one_is_added(
    home: Home, tmp_path: Path, lives: bool
) -> None:
    places = [tmp_path / name for name in ("m1", "m2", "m3")]
    names = tuple(f"dir:{place}" for place in places)
    add(home, places[0])
    add(home, places[1])
    if lives:
        with home.mirrors.shipping(lambda _: None):
            assert soon((home.folder / "mirrors").exists)
            add(home, places[2])
            assert soon(lambda: all(named_in(place) == names for place in places))
    else:
        add(home, places[2])
        assert all(named_in(place) == names for place in places)
    came = bring_back(names[0], tmp_path / "new")
    assert came.reached == names[1:]
    assert newest_generation(FolderDepot(places[2])) == 2


def report(home: Home, plan: Path) -> str:
    return report_incident(
        home,
        plan,
        systems=("tiny",),
        mode=next(iter(Mode)),
        target="scratch",
        summary="",
        outage_start=home.clock.now(),
        by="ada",
    )


def test_what_a_person_says_at_a_replaced_home_is_refused_once_and_not_recorded(
    home: Home, tmp_path: Path
) -> None:
    add(home, tmp_path / "m1")
    add(home, tmp_path / "m2")
    home.mirrors.look()  # in force: nothing is refused
    assert "REPLACED" not in blackstart("status", "--home", home.folder).output
    bring_back(f"dir:{tmp_path}/m1", tmp_path / "new")
    with pytest.raises(Superseded, match=r"was brought back on .* as generation 2") as refused:
        report(home, tmp_path / "no-plan-is-needed.yaml")
    assert "What you said was not recorded" in refused.value.hint
    assert refused.value.exit_code == 4
    with pytest.raises(Superseded, match=r"was brought back on .* as generation 2"):
        order(home, "any", lambda _known, _incident: (), by="ada")
    assert home.journal.chains() == ("installation",)
    assert home.journal.read("installation")[-1].seq == 3
    first = blackstart("status", "--home", home.folder).output.splitlines()[0]
    assert first.startswith("REPLACED: This installation (generation 1) was replaced")
    told: list[str] = []
    home.mirrors.ship_once(told.append)
    assert len(told) == 1


def test_status_asks_the_mirrors_where_nobody_ships(home: Home, tmp_path: Path) -> None:
    add(home, tmp_path / "m1")
    bring_back(f"dir:{tmp_path}/m1", tmp_path / "new")
    home.mirrors._database.write(
        lambda connection: connection.execute("UPDATE mirrors SET heard_at = 0")
    )
    first = blackstart("status", "--home", home.folder).output.splitlines()[0]
    assert first.startswith("REPLACED")


def test_mirrors_that_do_not_answer_hold_up_nothing_that_a_person_says(
    home: Home, tmp_path: Path
) -> None:
    add(home, tmp_path / "m1")
    (tmp_path / "m1").rename(tmp_path / "away")
    began_s = home.clock.monotonic_s()
    home.mirrors.look()
    assert home.clock.monotonic_s() - began_s < 3.0


def test_whoever_drove_before_there_was_a_mirror_learns_from_it_that_it_was_replaced(
    home: Home, tmp_path: Path
) -> None:
    home.mirrors.confirm()
    add(home, tmp_path / "m1")
    home.mirrors.confirm()
    bring_back(f"dir:{tmp_path}/m1", tmp_path / "new")

    def is_refused() -> bool:
        try:
            home.mirrors.confirm()
        except Superseded:
            return True
        return False

    assert soon(is_refused)
