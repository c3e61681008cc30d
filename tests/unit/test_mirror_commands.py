# SPDX-License-Identifier: Apache-2.0
"""The commands for mirrors, from adding one to going on from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from blackstart.cli import group
from blackstart.model.errors import MirrorFailed, Superseded
from blackstart.model.heads import heads_in
from tests.journals import entries
from tests.mirror_homes import home_at


def blackstart(*argv: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in argv])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    return folder


@pytest.fixture
def old(tmp_path: Path, place: Path) -> Path:
    with home_at(tmp_path / "old") as home:
        home.journal.append("installation", "p1", entries(3))
    added = blackstart("journal", "mirror", f"dir:{place}", "--home", tmp_path / "old")
    assert added.exit_code == 0, added.output
    assert "holds the record" in added.output
    assert "keep a copy where none of them is" in added.output.replace("\n", " ")
    return tmp_path / "old"


def test_a_mirror_is_added_shown_and_gone_on_from(
    tmp_path: Path, place: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = blackstart("journal", "mirrors", "--home", old, "--verify")
    assert f"mirror dir:{place}: up to date" in shown.output
    assert f"dir:{place}: whole, and the same as the record here" in shown.output
    (tmp_path / "moved").write_text("100000")  # more than a day later: nobody is waited for
    monkeypatch.setenv("BLACKSTART_REHEARSAL_CLOCK", str(tmp_path / "moved"))
    came = blackstart(
        "journal",
        "restore",
        f"dir:{place}",
        "--home",
        tmp_path / "new",
        "--key",
        old / "secrets.key",
    )
    assert came.exit_code == 0, came.output
    assert "is back as generation 2: 3 facts." in came.output
    assert "is missing: at most" in came.output
    assert "Waiting" not in came.output
    assert heads_in(came.output)[0].seq == 3
    assert (tmp_path / "new" / "secrets.key").read_bytes() == (old / "secrets.key").read_bytes()
    again = blackstart("journal", "mirrors", "--home", tmp_path / "new", "--json")
    (view,) = json.loads(again.output)["mirrors"]
    assert view["behind_facts"] == 0
    refused = blackstart("agent", "--home", old)
    assert isinstance(refused.exception, Superseded)


def test_a_dead_mirror_is_loud_in_status_and_a_damaged_one_in_a_verification(
    place: Path, old: Path
) -> None:
    segment = place / "log/000001/0000000001"
    content = segment.read_bytes()
    segment.write_bytes(content[:-9])
    result = blackstart("journal", "mirrors", "--home", old, "--verify")
    assert isinstance(result.exception, MirrorFailed)
    assert "is damaged" in result.output
    segment.write_bytes(content)
    shutil.move(place, place.with_name("gone"))
    with home_at(old) as home:
        home.journal.append("installation", "p1", entries(2, first=4))
        home.mirrors.ship_once(lambda _: None)
    status = blackstart("status", "--home", old)
    assert f"MIRROR dir:{place} FAILS" in status.output.replace("\n", " ")
    assert "2 facts" in status.output


def test_a_place_that_cannot_be_used_is_not_added(tmp_path: Path) -> None:
    result = blackstart("journal", "mirror", f"dir:{tmp_path}/none", "--home", tmp_path / "home")
    assert isinstance(result.exception, MirrorFailed)
    assert not (tmp_path / "home" / "mirrors").exists()
    plain = "s3://b/p?access_key=AKIA&secret_key=very-secret"
    result = blackstart("journal", "mirror", plain, "--home", tmp_path / "home")
    assert "very-secret" not in result.output + str(result.exception)


def test_a_place_that_is_wrong_in_the_file_is_loud_and_holds_nothing_up(
    place: Path, old: Path
) -> None:
    with (old / "mirrors").open("a") as places:
        places.write("s3://b/p?secret_key=secret:env/NOT_SET_ANYWHERE\nftp://x\n")
    with home_at(old) as home:
        home.mirrors.confirm()  # the one that works answers
        told: list[str] = []
        home.mirrors.ship_once(told.append)
        assert sum("cannot be used" in text for text in told) == 2
        assert home.mirrors.say_faults() == "2 of 3 mirrors of the record fail."


def test_a_mirror_found_empty_is_not_begun_anew_unless_a_person_says_so(
    place: Path, old: Path
) -> None:
    shutil.move(place, place.with_name("away"))
    place.mkdir()  # the bare mount point
    with home_at(old) as home:
        told: list[str] = []
        home.mirrors.ship_once(told.append)
        assert "is empty, though it held the record before" in told[0]
        assert not list(place.iterdir())
    added = blackstart("journal", "mirror", f"dir:{place}", "--home", old)
    assert added.exit_code == 0, added.output
