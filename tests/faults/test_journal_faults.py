# SPDX-License-Identifier: Apache-2.0
"""The SQLite journal under real faults: full and locked, damaged and gone, killed and crowded.

What was acknowledged is there afterwards, what was not has left nothing, and each failure says
what to do.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.model.errors import JournalFailed, JournalLost, Unready
from blackstart.ports.journal import Entry, Parcel
from blackstart.ports.roster import AffectedPerson
from blackstart.store.failures import SENTENCES, journal_failure
from blackstart.store.sqlite import SqliteJournal, open_journal
from blackstart.world.clock import SystemClock
from tests.journals import SetClock, attempts_of, entries, notice, tampering

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    opened = open_journal(path, SystemClock(), patience_s=0.05)
    yield opened
    opened.close()


# Full


def big_entries(count: int) -> tuple[Entry, ...]:
    entry = notice(tuple(f"u{number}" for number in range(50)))
    parcels = tuple(
        Parcel(notice=f"n{number}", channel="users", person=p.person, message=p.message)
        for number in range(count)
        for p in entry.parcels
    )
    return (Entry(event=entry.event, parcels=parcels),)


def test_a_full_file_is_said_and_leaves_neither_fact_nor_parcel(
    journal: SqliteJournal, path: Path
) -> None:
    journal.append("i1", "p1", entries(1))
    with journal.database.reading() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(JournalFailed, match="the disk is full") as caught:
        journal.append("i1", "p1", big_entries(20))
    assert f"Free space on the file system of {path.parent}" in caught.value.hint
    assert attempts_of(journal, "i1") == [1]
    assert journal.deliveries("i1") == ()
    with journal.database.reading() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    journal.append("i1", "p1", entries(1, first=2))
    assert attempts_of(journal, "i1") == [1, 2]
    assert journal.verify() == ()


# Locked, read-only, not a database, damaged, gone


def test_a_locked_record_is_said_and_readers_go_on(journal: SqliteJournal, path: Path) -> None:
    journal.append("i1", "p1", entries(1))
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalFailed, match="locked by another program") as caught:
            journal.append("i1", "p1", entries(1, first=2))
        assert f"fuser {path}" in caught.value.hint
        assert attempts_of(journal, "i1") == [1]
        other.execute("ROLLBACK")
    journal.append("i1", "p1", entries(1, first=2))
    assert attempts_of(journal, "i1") == [1, 2]


def test_a_record_that_may_not_be_written_is_said(path: Path) -> None:
    open_journal(path, SystemClock()).close()
    path.chmod(0o400)
    argv = [sys.executable, "-m", "tests.faults.journal_writer", str(path), "i1", "1"]
    if os.getuid() == 0:  # root may write to everything, unless it gives that up
        caps = "-dac_override,-dac_read_search"
        argv = ["setpriv", f"--inh-caps={caps}", f"--bounding-set={caps}", *argv]
    done = subprocess.run(
        argv, cwd=ROOT, input="go\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert "may not be written" in done.stdout
    assert "write access" in done.stdout
    assert done.returncode == JournalFailed.exit_code
    path.chmod(0o600)
    journal = open_journal(path, SystemClock())
    assert journal.chains() == ()
    journal.close()


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look at\n" * 40])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(JournalFailed, match=r"no journal of Blackstart|not a database") as caught:
        open_journal(path, SystemClock())
    assert "path is right" in caught.value.hint
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(JournalFailed, match="no journal of Blackstart"):
        open_journal(path, SystemClock())


def test_a_record_of_a_newer_blackstart_is_not_touched(path: Path) -> None:
    open_journal(path, SystemClock()).close()
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(Unready, match="newer Blackstart"):
        open_journal(path, SystemClock())


def test_a_truncated_file_is_said(path: Path) -> None:
    journal = open_journal(path, SystemClock())
    for _ in range(10):
        journal.append("i1", "p1", entries(20))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(JournalFailed, match="is damaged") as caught:
        open_journal(path, SystemClock())
    assert "evidence" in caught.value.hint
    path.write_bytes(whole)
    sound = open_journal(path, SystemClock())
    assert sound.verify() == ()
    assert len(sound.read("i1")) == 200
    sound.close()


def test_a_page_of_rubbish_is_found_by_verify(path: Path) -> None:
    journal = open_journal(path, SystemClock())
    for _ in range(10):
        journal.append("i1", "p1", entries(20))
    journal.close()
    content = bytearray(path.read_bytes())
    where = content.rindex(b"restore_data") // 4096 * 4096
    content[where : where + 4096] = b"\x99" * 4096
    path.write_bytes(content)
    journal = open_journal(path, SystemClock())
    assert any("The file is damaged" in fault for fault in journal.verify())
    with pytest.raises(JournalFailed, match="is damaged"):
        journal.read("i1")
    journal.close()


def test_a_record_that_was_removed_while_in_use_takes_no_more(path: Path) -> None:
    clock = SetClock()
    journal = open_journal(path, clock)
    journal.append("i1", "p1", entries(1))
    aside = path.with_name("aside.db")
    path.rename(aside)
    clock.move(1.1)
    for _ in range(2):
        with pytest.raises(JournalFailed, match="removed or replaced"):
            journal.append("i1", "p1", entries(1, first=2))
    aside.rename(path)
    journal.append("i1", "p1", entries(1, first=2))
    assert attempts_of(journal, "i1") == [1, 2]
    journal.close()


def test_a_record_that_lost_facts_is_not_gone_on_with(journal: SqliteJournal, path: Path) -> None:
    journal.append("i1", "p1", entries(3))
    assert journal.version() == 3
    with tampering(path) as forger:  # as when an older copy was written over it
        forger.execute("UPDATE chains SET seq = 2")
    with pytest.raises(JournalLost, match="3 were seen, 2 are left") as caught:
        journal.version()
    assert "put back the newest one" in caught.value.hint


def test_a_log_without_its_record_is_not_buried_under_a_new_one(path: Path) -> None:
    path.with_name("journal.db-wal").write_bytes(b"the last facts")
    with pytest.raises(JournalFailed, match="write-ahead log is still there"):
        open_journal(path, SystemClock())
    assert not path.exists()


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalFailed, match="cannot be made"):
        open_journal(tmp_path / "file" / "journal.db", SystemClock())


def test_each_kind_of_error_has_a_sentence_of_its_own() -> None:
    texts: dict[str, set[int]] = {}
    for code in SENTENCES:
        error = sqlite3.OperationalError("said by sqlite")
        error.sqlite_errorcode = code | 0x0300  # extended codes count as their primary one
        failure = journal_failure(error, Path("/home/journal.db"))
        assert "{" not in failure.what + failure.hint
        texts.setdefault(failure.what, set()).add(code)
    same = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}, {8, sqlite3.SQLITE_PERM}
    assert [codes for codes in texts.values() if len(codes) > 1] == list(same)
    plain = journal_failure(sqlite3.ProgrammingError("odd"), Path("/home/journal.db"))
    assert "not foreseen (odd)" in plain.what


def test_facts_cannot_be_changed_or_removed_by_mistake(journal: SqliteJournal, path: Path) -> None:
    journal.append("i1", "p1", entries(2))
    with contextlib.closing(sqlite3.connect(path)) as other:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            other.execute("UPDATE facts SET digest = ''")
        with pytest.raises(sqlite3.IntegrityError, match="never removed"):
            other.execute("DELETE FROM facts")
    assert journal.verify() == ()


def test_a_forged_fact_in_the_way_is_said_at_the_next_append(
    journal: SqliteJournal, path: Path
) -> None:
    journal.append("i1", "p1", entries(1))
    with tampering(path) as forger:
        forger.execute("INSERT INTO facts SELECT position + 1, digest, content FROM facts")
    with pytest.raises(JournalFailed, match="did not write") as caught:
        journal.append("i1", "p1", entries(1))
    assert "Verify the record" in caught.value.hint


def test_an_unreadable_fact_is_named_when_it_is_read(journal: SqliteJournal, path: Path) -> None:
    journal.append("i1", "p1", entries(3))
    with tampering(path) as forger:
        forger.execute("UPDATE facts SET content = x'ff' WHERE position & 3 = 2")
    with pytest.raises(JournalFailed, match="Fact 2 of 'i1' cannot be read"):
        journal.read("i1")


def test_a_fact_of_an_unknown_kind_is_named_when_it_is_read(
    journal: SqliteJournal, path: Path
) -> None:
    journal.append("i1", "p1", entries(1))
    with tampering(path) as forger:
        forger.execute(
            "UPDATE facts SET content ="
            " CAST(replace(CAST(content AS TEXT), 'ActionStarted', 'ActionDreamt') AS BLOB)"
        )
    with pytest.raises(JournalFailed, match="kind that this Blackstart does not know"):
        journal.read("i1")


# Kept from others


def test_the_files_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "journal.db"
    journal = open_journal(path, SystemClock())
    journal.append("i1", "p1", entries(1))
    modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.glob("journal.db*")}
    modes.pop("journal.db.lock")
    assert set(modes) == {"journal.db", "journal.db-wal", "journal.db-shm"}
    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    journal.close()


def test_an_erased_address_leaves_no_bytes_in_any_file(journal: SqliteJournal, path: Path) -> None:
    def is_anywhere(text: bytes) -> bool:
        return any(text in each.read_bytes() for each in path.parent.glob("journal.db*"))

    crowd = tuple(
        AffectedPerson(id=f"u{number}", name="N.", addresses={"email": f"someone{number}@a.test"})
        for number in range(300)
    )
    journal.remember_people("users", crowd)
    journal.append("i1", "p1", [notice(("u7",), subject="Only for seven")])
    (delivery,) = journal.deliveries("i1")
    journal.move_delivery(delivery.key, "sending")
    journal.move_delivery(delivery.key, "refused", reason="550 no someone7@a.test here")
    assert is_anywhere(b"someone7@a.test")
    journal.erase_person("u7")
    assert not is_anywhere(b"someone7@a.test")
    assert is_anywhere(b"someone8@a.test")
    assert journal.verify() == ()
