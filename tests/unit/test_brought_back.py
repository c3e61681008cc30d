# SPDX-License-Identifier: Apache-2.0
"""An incident whose record came back from a mirror: what the lost host did last is not repeated."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.model import events as ev
from blackstart.world.depot_folder import FolderDepot
from tests.engine_world import (
    INCIDENT,
    close_all,
    drive_to_end,
    journal_in,
    make_world,
    report,
)
from tests.mirror_homes import bring_back, home_at, shipper_of


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


def written_twice(folder: Path) -> list[str]:
    """Marks or letters of one key that were made more than once."""
    files = [path for path in folder.iterdir() if path.is_file()]
    return [path.name for path in files if len(path.read_text().splitlines()) > 1]


@pytest.mark.parametrize("how", ["restored", "copied"])
def test_what_the_lost_host_did_unrecorded_is_looked_at_and_not_repeated(
    tmp_path: Path, how: str
) -> None:
    """The record ends with the activation; the world saw the whole recovery, and every message."""
    old, place, new = tmp_path / "old", tmp_path / "mirror", tmp_path / "new"
    place.mkdir()
    world = make_world(old)
    report(journal_in(world))
    drive_to_end(world, journal_in(world), is_enough=lambda it: it.activated_at is not None)
    with home_at(old) as home:
        shipper_of(home, FolderDepot(place)).ship()
    with sqlite3.connect(old / "journal.db") as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    connection.close()
    drive_to_end(world, journal_in(world))
    assert not written_twice(world.marks)
    if how == "restored":
        bring_back(f"dir:{place}", new, key=None, accept_loss=False)
    else:  # what anybody does who copies the file: nothing says that its end is missing
        new.mkdir()
        shutil.copy(tmp_path / "copy.db", new / "journal.db")
    again = make_world(new)
    for folder in ("marks", "letters"):
        shutil.copytree(old / folder, new / folder, dirs_exist_ok=True)
    journal = journal_in(again)
    drive_to_end(again, journal)
    looked = [
        e for e in (f.event for f in journal.read(INCIDENT)) if isinstance(e, ev.ActionInspected)
    ]
    is_restored = how == "restored"
    assert bool(looked) is is_restored
    assert bool(written_twice(again.marks)) is not is_restored
    assert bool(written_twice(again.letters)) is not is_restored
