# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to stored facts, verify finds it and names a fact that it was done to."""

from __future__ import annotations

import re
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blackstart.model.codec import decode_fact, digest_of, encode_fact
from blackstart.model.errors import JournalFailed
from blackstart.model.heads import fault_of, head_of
from blackstart.store.schema import position_of, seq_at
from blackstart.store.sqlite import open_journal
from tests.journals import START, SetClock, entries, started, tampering

CHAINS = ("i1", "i2", "installation")
LENGTH = 12
several = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
places = st.integers(1, len(CHAINS))
numbers = st.integers(1, LENGTH)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of three chains whose facts were appended in turn."""
    path = tmp_path_factory.mktemp("sound") / "journal.db"
    clock = SetClock()
    journal = open_journal(path, clock)
    for number in range(1, LENGTH + 1):
        for chain in CHAINS:
            clock.move(0.5)
            journal.append(chain, "p1", entries(1, first=number))
    assert journal.verify() == ()
    journal.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def fresh(sound: Path, path: Path) -> Path:
    shutil.copy(sound, path)
    return path


def faults(path: Path) -> tuple[str, ...]:
    journal = open_journal(path, SetClock())
    try:
        return journal.verify()
    finally:
        journal.close()


def names(found: tuple[str, ...], chain: str, number: int) -> bool:
    """Say whether a sentence names the fact, alone or within a range."""
    for sentence in found:
        single = re.match(rf"Fact {number} of '{chain}'", sentence)
        many = re.match(rf"Facts (\d+) to (\d+) of '{chain}'", sentence)
        if single or (many and int(many[1]) <= number <= int(many[2])):
            return True
    return False


def content_at(connection: sqlite3.Connection, position: int) -> bytes:
    row = connection.execute("SELECT content FROM facts WHERE position = ?", (position,)).fetchone()
    assert row is not None
    return bytes(row[0])


def test_the_untouched_journal_is_sound(sound: Path, path: Path) -> None:
    with tampering(fresh(sound, path)):
        pass  # taking the triggers away is not yet a fault of a fact
    assert faults(path) == ()


@several
@given(place=places, number=numbers, offset=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_found(
    sound: Path, path: Path, place: int, number: int, offset: int, bit: int
) -> None:
    where = position_of(place, number)
    with tampering(fresh(sound, path)) as forger:
        content = bytearray(content_at(forger, where))
        content[offset % len(content)] ^= 1 << bit
        forger.execute("UPDATE facts SET content = ? WHERE position = ?", (bytes(content), where))
    assert names(faults(path), CHAINS[place - 1], number)


@several
@given(place=places, number=numbers, offset=st.integers(0, 63))
def test_a_flipped_digest_is_found(
    sound: Path, path: Path, place: int, number: int, offset: int
) -> None:
    where = position_of(place, number)
    with tampering(fresh(sound, path)) as forger:
        digest = digest_of(content_at(forger, where))
        other = "0" if digest[offset] != "0" else "1"
        forger.execute(
            "UPDATE facts SET digest = ? WHERE position = ?",
            (digest[:offset] + other + digest[offset + 1 :], where),
        )
    assert names(faults(path), CHAINS[place - 1], number)


@several
@given(place=places, number=numbers, at_s=st.integers(-10, 10))
def test_a_fact_rewritten_with_a_fitting_digest_is_found(
    sound: Path, path: Path, place: int, number: int, at_s: int
) -> None:
    """The forger keeps the link to the fact before; the fact after, or the end, gives it away."""
    where = position_of(place, number)
    chain = CHAINS[place - 1]
    with tampering(fresh(sound, path)) as forger:
        previous = decode_fact(content_at(forger, where)).previous
        at = START + timedelta(seconds=at_s)
        forged = encode_fact(chain, number, at, "forger", started(99), previous)
        forger.execute(
            "UPDATE facts SET content = ?, digest = ? WHERE position = ?",
            (forged, digest_of(forged), where),
        )
    found = faults(path)
    assert names(found, chain, number) or names(found, chain, number + 1)


@several
@given(place=places, first=numbers, count=st.integers(1, LENGTH))
def test_dropped_facts_are_found_at_the_end_as_well(
    sound: Path, path: Path, place: int, first: int, count: int
) -> None:
    last = min(first + count - 1, LENGTH)
    with tampering(fresh(sound, path)) as forger:
        forger.execute(
            "DELETE FROM facts WHERE position BETWEEN ? AND ?",
            (position_of(place, first), position_of(place, last)),
        )
    found = faults(path)
    assert all(names(found, CHAINS[place - 1], number) for number in range(first, last + 1))
    assert len(found) == 1


@several
@given(place=places, other=places, number=numbers, partner=numbers)
def test_swapped_facts_are_found(
    sound: Path, path: Path, place: int, other: int, number: int, partner: int
) -> None:
    one, two = position_of(place, number), position_of(other, partner)
    with tampering(fresh(sound, path)) as forger:
        forger.execute("UPDATE facts SET position = -1 WHERE position = ?", (one,))
        forger.execute("UPDATE facts SET position = ? WHERE position = ?", (one, two))
        forger.execute("UPDATE facts SET position = ? WHERE position = -1", (two,))
    found = faults(path)
    if one == two:
        assert found == ()
    else:
        assert names(found, CHAINS[place - 1], number)
        assert names(found, CHAINS[other - 1], partner)


@several
@given(place=places, number=st.integers(0, LENGTH + 1), is_renumbered=st.booleans())
def test_an_inserted_fact_is_found(
    sound: Path, path: Path, place: int, number: int, is_renumbered: bool
) -> None:
    """The forged fact continues the one before it; those after it are moved up to make room."""
    chain = CHAINS[place - 1]
    with tampering(fresh(sound, path)) as forger:
        rows = forger.execute(
            "SELECT position, digest, content FROM facts WHERE position BETWEEN ? AND ?"
            " ORDER BY position DESC",
            (position_of(place, number), position_of(place, LENGTH)),
        ).fetchall()
        for position, _, _ in rows:
            forger.execute(
                "UPDATE facts SET position = position + 1 WHERE position = ?", (position,)
            )
        previous = "0" * 64
        if number > 1:
            previous = digest_of(content_at(forger, position_of(place, number - 1)))
        forged = encode_fact(chain, number, START, "forger", started(99), previous)
        forger.execute(
            "INSERT INTO facts VALUES (?, ?, ?)",
            (position_of(place, number), digest_of(forged), forged),
        )
        if is_renumbered:
            forger.execute("UPDATE chains SET seq = seq + 1 WHERE place = ?", (place,))
    found = faults(path)
    assert names(found, chain, number) or names(found, chain, number + 1)


@several
@given(place=places)
def test_a_chain_that_vanished_whole_is_found(sound: Path, path: Path, place: int) -> None:
    with tampering(fresh(sound, path)) as forger:
        forger.execute(
            "DELETE FROM facts WHERE position BETWEEN ? AND ?",
            (position_of(place, 0), position_of(place, LENGTH)),
        )
        if place < len(CHAINS):
            forger.execute("DELETE FROM chains WHERE place = ?", (place,))
    assert any("are gone" in sentence for sentence in faults(path))


@several
@given(place=places)
def test_a_chain_that_lost_its_entry_is_found(sound: Path, path: Path, place: int) -> None:
    with tampering(fresh(sound, path)) as forger:
        forger.execute("DELETE FROM chains WHERE place = ?", (place,))
    assert any(f"unknown chain {place}" in sentence for sentence in faults(path))


@several
@given(place=places, number=st.integers(1, LENGTH - 1))
def test_an_end_set_back_over_a_truncation_is_found_only_by_its_digest(
    sound: Path, path: Path, place: int, number: int
) -> None:
    """The forger cuts the end off and sets the number back, forgetting the digest."""
    with tampering(fresh(sound, path)) as forger:
        forger.execute(
            "DELETE FROM facts WHERE position BETWEEN ? AND ?",
            (position_of(place, number + 1), position_of(place, LENGTH)),
        )
        forger.execute("UPDATE chains SET seq = ? WHERE place = ?", (number, place))
    assert names(faults(path), CHAINS[place - 1], number)


@several
@given(batches=st.lists(st.tuples(st.sampled_from(CHAINS), st.integers(1, 5)), max_size=12))
def test_any_sequence_of_appends_is_sound_and_complete(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[str, int]]
) -> None:
    journal = open_journal(tmp_path_factory.mktemp("any") / "journal.db", SetClock())
    for chain, count in batches:
        journal.append(chain, "p1", entries(count))
    total = {chain: sum(n for name, n in batches if name == chain) for chain in CHAINS}
    assert {chain: len(journal.read(chain)) for chain in CHAINS} == total
    assert journal.version() == sum(total.values())
    assert journal.verify() == ()
    journal.close()


@given(place=st.integers(1, 2**30), number=st.integers(0, 2**32 - 1))
def test_positions_sort_by_chain_and_number(place: int, number: int) -> None:
    position = position_of(place, number)
    assert seq_at(position) == number
    assert position < position_of(place + 1, 0) <= 2**63 - 1


@several
@given(place=places, number=st.integers(1, LENGTH - 1))
def test_an_end_cut_off_with_care_is_found_by_a_head_in_other_hands(
    sound: Path, path: Path, place: int, number: int
) -> None:
    """Nothing in the file speaks of what was cut; any message that was sent later does."""
    chain = CHAINS[place - 1]
    with tampering(fresh(sound, path)) as forger:
        last = decode_fact(content_at(forger, position_of(place, LENGTH)))
        sent = head_of(chain, LENGTH, last.digest)
        forger.execute(
            "DELETE FROM facts WHERE position BETWEEN ? AND ?",
            (position_of(place, number + 1), position_of(place, LENGTH)),
        )
        kept = decode_fact(content_at(forger, position_of(place, number)))
        forger.execute(
            "UPDATE chains SET seq = ?, digest = ? WHERE place = ?", (number, kept.digest, place)
        )
    assert faults(path) == ()
    journal = open_journal(path, SetClock())
    left = journal.read(chain)
    journal.close()
    found = fault_of(sent, len(left), lambda seq: left[seq - 1].digest)
    assert names((found,), chain, number + 1)


@several
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_at_any_byte_is_never_taken_for_whole(
    sound: Path, path: Path, share: float
) -> None:
    content = fresh(sound, path).read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    try:
        found = faults(path)
    except JournalFailed as refused:
        found = (refused.what,)
    assert found
