# SPDX-License-Identifier: Apache-2.0
"""The real agent while its record is locked, out of reach, gone, replaced or damaged.

What passes is waited for and the incident comes to its right end, each step once. What does not
ends the agent with one clear sentence, and the next one goes on where the record is put back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blackstart.model.errors import JournalFailed
from blackstart.model.incident import Incident
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock, wait_until
from tests.agent_bench import Agent, Installation, without_root


@pytest.fixture
def shop(tmp_path: Path) -> Installation:
    """Return an installation in which restore_data works until the file `go` is there."""
    shop = Installation(root=tmp_path)
    until_told = f"touch {tmp_path}/begun; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    slow = shop.effect("restore_data", before=until_told)
    slow["params"]["repeatable"] = True
    shop = Installation(root=tmp_path, do={"restore_data": [slow]})
    shop.report()
    return shop


@contextlib.contextmanager
def at_work(shop: Installation, *before: str) -> Iterator[Agent]:
    """Run the agent up to the middle of restore_data."""
    with shop.agent(before=before) as agent:
        shop.reaches(lambda _: (shop.root / "begun").exists())
        yield agent


def go_on(shop: Installation) -> None:
    (shop.root / "go").touch()


def only_restores(incident: Incident) -> bool:
    return {step for _, step, _ in incident.under_way} == {"restore_data"}


def record_of(shop: Installation) -> Path:
    return shop.home / "journal.db"


# What passes


def test_locked_for_ten_seconds_nothing_that_runs_is_given_up(shop: Installation) -> None:
    record = record_of(shop)
    with at_work(shop) as agent:
        with contextlib.closing(sqlite3.connect(record, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            go_on(shop)
            assert agent.says("is locked by another program")
            assert not wait_until(lambda: agent.process.poll() is not None, timeout_s=10)
            other.execute("ROLLBACK")
        shop.recovers()
        assert agent.said().count("is locked by another program") == 1
        assert f"See who holds it with `fuser {record}`" in agent.said()
        assert agent.stop() == 0


def test_a_write_that_is_cut_short_is_said_and_made_again_when_there_is_room(
    shop: Installation,
) -> None:
    with at_work(shop) as agent:
        agent.limit("--fsize=0:unlimited")
        go_on(shop)
        assert agent.says("the disk reported an error")
        assert "Look at the kernel's messages" in agent.said()
        agent.limit("--fsize=unlimited:unlimited")
        shop.recovers()
        assert agent.stop() == 0


def test_evidence_that_may_not_be_written_is_said_and_kept_when_it_may(shop: Installation) -> None:
    with at_work(shop, *without_root()) as agent:
        folders = [shop.home / "evidence", *(shop.home / "evidence").glob("??")]
        for folder in folders:
            folder.chmod(0o500)
        go_on(shop)
        assert agent.says("could not be kept in")
        assert "Free space there, or let this user write to it" in agent.said()
        for folder in folders:
            folder.chmod(0o700)
        shop.recovers()
        assert agent.stop() == 0


# What does not pass


def remove(shop: Installation) -> None:
    record_of(shop).rename(shop.root / "aside.db")


def put_another_in_its_place(shop: Installation) -> None:
    remove(shop)
    open_journal(shop.root / "other.db", SystemClock()).close()
    (shop.root / "other.db").rename(record_of(shop))


@pytest.mark.parametrize("lose", [remove, put_another_in_its_place])
def test_a_record_that_is_gone_or_replaced_ends_the_agent_and_nothing_is_lost(
    shop: Installation, lose: Callable[[Installation], None]
) -> None:
    with at_work(shop) as agent:
        lose(shop)
        assert agent.process.wait(timeout=60) == JournalFailed.exit_code
        last = agent.said().strip().splitlines()[-2:]
    assert "was removed or replaced while it was in use" in last[0]
    assert last[1].startswith("  → Put the file back")
    assert "Traceback" not in agent.said()
    record_of(shop).unlink(missing_ok=True)
    if lose is remove:  # an empty record is never made beside evidence
        refused = shop.run("status")
        assert refused.returncode == JournalFailed.exit_code
        assert "is gone, while its" in refused.stderr
    (shop.root / "aside.db").rename(record_of(shop))
    go_on(shop)
    with shop.agent():
        shop.recovers()


def test_a_damaged_record_is_said_at_once_and_a_sound_copy_goes_on(shop: Installation) -> None:
    with at_work(shop) as agent:
        shop.reaches(only_restores)  # what may not be repeated would wait for a person
        agent.process.kill()
        agent.process.wait()
    open_journal(record_of(shop), SystemClock()).close()  # its log goes into it
    sound = shop.root / "sound.db"
    shutil.copy2(record_of(shop), sound)
    with record_of(shop).open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(record_of(shop).stat().st_size - 4096))
    with shop.agent() as agent:
        assert agent.process.wait(timeout=60) == JournalFailed.exit_code
    assert "is damaged" in agent.said()
    assert "Stop every Blackstart here, keep" in agent.said()
    assert "Traceback" not in agent.said()
    shutil.copy2(sound, record_of(shop))
    go_on(shop)
    with shop.agent():
        shop.recovers()
