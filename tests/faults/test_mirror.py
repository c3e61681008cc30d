# SPDX-License-Identifier: Apache-2.0
"""Shipping to a mirror and bringing back from it: whole, or as of the last whole transaction."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path

import pytest

from blackstart.bootstrap.home import Home
from blackstart.bootstrap.mirrors import PLACES_FILE
from blackstart.bootstrap.restoring import verified_mirrors
from blackstart.model.errors import JournalFailed, MirrorFailed, Refused, Superseded, Unready
from blackstart.model.events import INSTALLATION, RecordRestored
from blackstart.ports.secrets import SecretRef
from blackstart.store.mirror_form import Claim, generation_key, opened, written
from blackstart.store.mirror_reading import read_mirror
from blackstart.world.depot_folder import FolderDepot
from tests.journals import attempts_of, entries, notice
from tests.mirror_homes import ADA, Dying, bring_back, fill, home_at, shipper_of


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    return folder


def back(place: Path, home: Path, key: Path | None = None, *, accept_loss: bool = False) -> None:
    bring_back(f"dir:{place}", home, key=key, accept_loss=accept_loss)


def test_everything_comes_back_and_goes_on(tmp_path: Path, place: Path) -> None:
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper_of(old, FolderDepot(place)).ship()
        facts = {chain: old.journal.read(chain) for chain in old.journal.chains()}
        deliveries = old.journal.deliveries("i1")
        plan = old.evidence.keep("plan.yaml", b"blackstart: 1\n")
    came = bring_back(
        f"dir:{place}", tmp_path / "new", key=tmp_path / "old" / "secrets.key", accept_loss=False
    )
    assert (came.generation, came.facts, came.files.missing) == (2, 6, ())
    with home_at(tmp_path / "new") as new:
        for chain, expected in facts.items():
            assert new.journal.read(chain) == expected
        (told,) = (fact.event for fact in new.journal.read(INSTALLATION))
        assert isinstance(told, RecordRestored)
        assert new.journal.deliveries("i1") == deliveries
        assert new.journal.audience("users") == ("u1", "u2")
        assert new.journal.address_of("u2", "email") == "bob@example.com"
        assert new.secrets.reveal(SecretRef("secret:run/r1/database")) == "a secret of the run"
        assert new.evidence.fetch(plan) == b"blackstart: 1\n"
        assert new.evidence.name_of(plan) == "plan.yaml"
        assert new.journal.verify() == ()
        new.journal.append("i2", "p1", entries(1, first=3))
        assert attempts_of(new.journal, "i2") == [1, 2, 3]


def test_only_what_was_added_is_shipped(tmp_path: Path, place: Path) -> None:
    depot = FolderDepot(place)
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper = shipper_of(old, depot)
        shipper.ship()
        shipper.ship()
        assert len(depot.keys("log")) == 1
        old.journal.append("i1", "p1", entries(1, first=4))
        shipper.ship()
        shipper_of(old, depot).ship()  # begun anew: it sees that nothing is lacking
        assert [len(segment.facts) for segment in read_mirror(depot).way] == [6, 1]
        (view,) = old.mirrors.views()
        assert (view.behind_facts, view.behind_s, view.error) == (0, 0.0, "")
        assert verified_mirrors(old) == {}


def test_the_lag_is_shown_in_facts_and_seconds_and_a_dead_mirror_with_its_reason(
    tmp_path: Path, place: Path
) -> None:
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper = shipper_of(old, FolderDepot(place))
        shipper.ship()
        shutil.move(place, tmp_path / "elsewhere")
        old.journal.append("i1", "p1", entries(2, first=4))
        with pytest.raises(MirrorFailed, match="the folder is not there"):
            shipper.ship()
        (view,) = old.mirrors.views()
        assert view.behind_facts == 2
        assert view.behind_s >= 0
        assert view.failing_since is not None
        assert "the folder is not there" in view.error
        shutil.move(tmp_path / "elsewhere", place)
        shipper.ship()
        (view,) = old.mirrors.views()
        assert (view.behind_facts, view.failing_since, view.error) == (0, None, "")


def ship_until_dead(home: Home, dying: Dying) -> None:
    with contextlib.suppress(MirrorFailed):
        for _ in range(20):
            shipper_of(home, dying).ship()


@pytest.mark.parametrize("is_made", [False, True])
def test_a_death_at_any_write_leaves_the_last_whole_transaction_and_the_next_ship_completes_it(
    tmp_path: Path, place: Path, is_made: bool
) -> None:
    depot = FolderDepot(place)
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper_of(old, depot).ship()
        for dies_at in range(1, 13):
            before = read_mirror(depot).newest
            old.journal.append(
                "i1", "p1", [*entries(2, first=dies_at), notice(("u1",), f"n{dies_at}")]
            )
            old.evidence.keep("x", b"%d" % dies_at)
            dying = Dying(depot, dies_at, is_made=is_made)
            ship_until_dead(old, dying)
            assert dying.has_died
            held = read_mirror(depot)
            after = {chain: end.seq for chain, end in held.newest.ends.items()}
            assert held.newest == before or after["i1"] == len(old.journal.read("i1"))
            assert held.passed_over == ()
        shipper_of(old, depot).ship()
        assert read_mirror(depot).newest.count == old.journal.version()
    back(place, tmp_path / "new")


def test_two_shippers_at_once_do_no_harm(tmp_path: Path, place: Path) -> None:
    depot = FolderDepot(place)
    failed: list[Exception] = []
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper_of(old, depot).ship()
        stop = threading.Event()

        def keep_shipping() -> None:
            shipper = shipper_of(old, depot)
            while not stop.is_set():
                try:
                    shipper.ship()
                except MirrorFailed as error:
                    failed.append(error)

        threads = [threading.Thread(target=keep_shipping) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(4, 40):
            old.journal.append(
                "i1", "p1", [*entries(1, first=number), notice(("u2",), f"n{number}")]
            )
        stop.set()
        for thread in threads:
            thread.join()
        shipper_of(old, depot).ship()
        assert all("faster than" in str(error) for error in failed)
        assert read_mirror(depot).newest.count == old.journal.version()
    back(place, tmp_path / "new")


def test_an_erased_person_vanishes_from_the_mirror_too(tmp_path: Path, place: Path) -> None:
    def traces() -> list[str]:
        depot = FolderDepot(place)
        held = read_mirror(depot)
        pages = [place / key for key in depot.keys("pages")]
        texts = [opened(path.name, path.read_bytes()) for path in pages]
        assert len(texts) == len(held.newest.pages)
        return [text for text in map(repr, texts) if "ada@example.com" in text or "Ada" in text]

    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper = shipper_of(old, FolderDepot(place))
        shipper.ship()
        assert traces()
        old.journal.erase_person(ADA.id)
        shipper.ship()
        assert traces() == []
    back(place, tmp_path / "new")
    with home_at(tmp_path / "new") as new:
        assert new.journal.audience("users") == ("u2",)
        assert new.journal.address_of("u1", "email") is None


def test_the_key_never_lies_at_the_mirror_and_a_wrong_one_is_refused(
    tmp_path: Path, place: Path
) -> None:
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper_of(old, FolderDepot(place)).ship()
    key = (tmp_path / "old" / "secrets.key").read_bytes()
    assert not [path for path in place.rglob("*") if path.is_file() and key in path.read_bytes()]
    wrong = tmp_path / "wrong.key"
    wrong.write_bytes(b"x" * 32)
    with pytest.raises(Refused, match="is not the one that sealed"):
        back(place, tmp_path / "new", wrong)
    came = bring_back(f"dir:{place}", tmp_path / "new", key=None, accept_loss=False)
    assert came.lacks_key
    with home_at(tmp_path / "new") as new, pytest.raises(Unready, match="the key"):
        new.secrets.reveal(SecretRef("secret:run/r1/database"))


def test_the_old_one_is_refused_when_it_wakes(tmp_path: Path, place: Path) -> None:
    with home_at(tmp_path / "old") as old:
        fill(old)
        old.mirrors.add(f"dir:{place}")
        driver = old.mirrors.guarded_journal
        token = driver.claim("i1", "old host", 15)
        assert token == 1
        fenced = driver.with_fence("i1", token)
        fenced.append("i1", "old host", entries(1, first=4))
        back(place, tmp_path / "new")
    with home_at(tmp_path / "old") as old, home_at(tmp_path / "new") as new:
        awake = old.mirrors.guarded_journal
        for act in (
            lambda: awake.claim("i1", "old host", 15),
            lambda: awake.append("i1", "old host", entries(1, first=5)),
            lambda: old.journal.append(
                "i1", "p1", entries(1, first=5)
            ),  # a person, once it is known
            lambda: old.journal.claim("i1", "old host", 15),
            lambda: shipper_of(old, FolderDepot(place)).ship(),
        ):
            with pytest.raises(Superseded, match="brought back elsewhere as generation 2"):
                act()
        assert len(attempts_of(old.journal, "i1")) == 4
        living = new.mirrors.guarded_journal
        assert living.claim("i1", "new host", 15) == 2**32 + 1
        living.append("i1", "new host", entries(1, first=5))
        shipper_of(new, FolderDepot(place)).ship()
        assert read_mirror(FolderDepot(place)).generation == 2


def test_what_the_old_one_still_ships_after_it_was_replaced_is_never_read(
    tmp_path: Path, place: Path
) -> None:
    depot = FolderDepot(place)
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper = shipper_of(old, depot)
        shipper.ship()
        late = tmp_path / "late"
        shutil.copytree(place, late)
        old.journal.append("i1", "old", entries(1, first=4))
        shipper_of(old, FolderDepot(late)).ship()
        back(place, tmp_path / "new")
        with home_at(tmp_path / "new") as new:
            new.journal.append("i1", "new", entries(1, first=9))
            shipper_of(new, depot).ship()
            shutil.copy(late / "log/000001/0000000002", place / "log/000001/0000000002")
            shipper_of(new, depot).ship()
            new.journal.append("i1", "new", entries(1, first=10))
            shipper_of(new, depot).ship()
            assert verified_mirrors(new) == {f"dir:{place}": ""}
    back(place, tmp_path / "third")
    with home_at(tmp_path / "third") as third:
        assert attempts_of(third.journal, "i1") == [1, 2, 3, 9, 10]


def test_an_older_copy_of_the_home_is_refused(tmp_path: Path, place: Path) -> None:
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper_of(old, FolderDepot(place)).ship()
    shutil.copytree(tmp_path / "old", tmp_path / "copy")
    with home_at(tmp_path / "old") as old:
        old.journal.append("i1", "p1", entries(1, first=4))
        shipper_of(old, FolderDepot(place)).ship()
    with home_at(tmp_path / "copy") as copy, pytest.raises(Superseded, match="an older copy"):
        shipper_of(copy, FolderDepot(place)).ship()


def test_a_mirror_of_another_installation_is_refused(tmp_path: Path, place: Path) -> None:
    with home_at(tmp_path / "one") as one, home_at(tmp_path / "two") as two:
        shipper_of(one, FolderDepot(place)).ship()
        with pytest.raises(Refused, match="belongs to another installation"):
            shipper_of(two, FolderDepot(place)).ship()


def test_a_generation_claimed_twice_at_two_mirrors_stops_both(tmp_path: Path, place: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with home_at(tmp_path / "old") as old:
        fill(old)
        for depot in (FolderDepot(place), FolderDepot(other)):
            shipper_of(old, depot).ship()
    back(place, tmp_path / "a")
    back(other, tmp_path / "b")
    with home_at(tmp_path / "a") as a, home_at(tmp_path / "b") as b:
        with pytest.raises(Superseded, match="was claimed twice"):
            shipper_of(a, FolderDepot(other)).ship()
        with pytest.raises(Superseded, match="was claimed twice"):
            shipper_of(b, FolderDepot(place)).ship()


@pytest.mark.parametrize("harm", ["flip", "truncate", "remove"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_damaged_mirror_is_found_and_brings_back_what_is_whole_only_when_told(
    tmp_path: Path, place: Path, harm: str, number: int
) -> None:
    with home_at(tmp_path / "old") as old:
        (old.folder / PLACES_FILE).write_text(f"dir:{place}\n")
        for count in (1, 2, 3):
            old.journal.append("i1", "p1", entries(1, first=count))
            shipper_of(old, FolderDepot(place)).ship()
        assert verified_mirrors(old) == {f"dir:{place}": ""}
        path = place / f"log/000001/{number:010}"
        content = bytearray(path.read_bytes())
        content[-7] ^= 1
        if harm == "remove":
            path.unlink()
        else:
            path.write_bytes(content if harm == "flip" else content[: len(content) // 2])
        is_cut_tail = (harm, number) == ("remove", 3)
        assert bool(verified_mirrors(old)[f"dir:{place}"]) is not is_cut_tail
    if is_cut_tail:  # nothing there speaks of it; the heads in messages do, and the old host's lag
        back(place, tmp_path / "new")
    else:
        with pytest.raises(MirrorFailed):
            back(place, tmp_path / "new")
        assert not FolderDepot(place).keys("generation")[1:]  # the old one was not stopped for it
        if number == 1:
            with pytest.raises(MirrorFailed, match="Nothing at"):
                back(place, tmp_path / "new", accept_loss=True)
            return
        back(place, tmp_path / "new", accept_loss=True)
    with home_at(tmp_path / "new") as new:
        assert attempts_of(new.journal, "i1") == list(range(1, number))


def test_a_damaged_newest_segment_is_shipped_once_more(tmp_path: Path, place: Path) -> None:
    with home_at(tmp_path / "old") as old:
        old.journal.append("i1", "p1", entries(1))
        shipper_of(old, FolderDepot(place)).ship()
        old.journal.append("i1", "p1", entries(1, first=2))
        shipper_of(old, FolderDepot(place)).ship()
        (place / "log/000001/0000000002").write_bytes(b"half")
        shipper_of(old, FolderDepot(place)).ship()
        held = read_mirror(FolderDepot(place))
        assert (held.newest.number, held.newest.count, held.passed_over) == (3, 2, ())


def test_a_restored_home_is_not_made_over_one_in_use(tmp_path: Path, place: Path) -> None:
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper_of(old, FolderDepot(place)).ship()
    with pytest.raises(Refused, match="is in use"):
        back(place, tmp_path / "old")
    (tmp_path / "empty").mkdir()
    with pytest.raises(MirrorFailed, match="There is no mirror"):
        back(tmp_path / "empty", tmp_path / "new")
    with pytest.raises(Refused, match="is no place for a mirror"):
        bring_back("ftp://x", tmp_path / "new", key=None, accept_loss=False)


def test_bringing_back_can_be_begun_again_after_it_died(tmp_path: Path, place: Path) -> None:
    """It had left half a folder, and had stopped the old one already."""
    with home_at(tmp_path / "old") as old:
        fill(old)
        shipper_of(old, FolderDepot(place)).ship()
    (tmp_path / ".new.restoring").mkdir()
    (tmp_path / ".new.restoring" / "journal.db").write_bytes(b"half")
    claim = Claim(generation=2, claimant="died", host="h", at_ms=0)
    assert FolderDepot(place).put_new(generation_key(2), written(claim))
    came = bring_back(f"dir:{place}", tmp_path / "new", key=None, accept_loss=False)
    assert (came.generation, came.facts) == (3, 6)
    assert not (tmp_path / ".new.restoring").exists()


def test_the_places_come_back_too(tmp_path: Path, place: Path) -> None:
    other, gone = tmp_path / "other", tmp_path / "gone"
    for folder in (other, gone):
        folder.mkdir()
    with home_at(tmp_path / "old") as old:
        fill(old)
        for folder in (place, other, gone):
            old.mirrors.add(f"dir:{folder}")
        shipper_of(old, FolderDepot(place)).ship()
    shutil.rmtree(gone)
    came = bring_back(f"dir:{place}", tmp_path / "new", key=None, accept_loss=False)
    assert came.reached == (f"dir:{other}",)
    (unreached,) = came.unreached
    assert unreached.startswith(f"dir:{gone} (")
    kept = (tmp_path / "new" / PLACES_FILE).read_text().splitlines()
    assert kept == [f"dir:{place}", f"dir:{other}", f"# dir:{gone}"]
    with home_at(tmp_path / "old") as old, pytest.raises(Superseded):
        shipper_of(old, FolderDepot(other)).ship()
    with home_at(tmp_path / "old") as old, pytest.raises((Superseded, JournalFailed)):
        old.mirrors.confirm()
