# SPDX-License-Identifier: Apache-2.0
"""A journal of every form that was ever released opens, verifies, folds and goes on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from blackstart.model.events import INSTALLATION, RestorePointVerified
from blackstart.model.incident import fold
from blackstart.model.states import IncidentState
from blackstart.store.schema import SCHEMA_VERSION
from blackstart.store.sqlite import SqliteJournal, open_journal
from tests.journals import SetClock, entries, text_of
from tests.sample_facts import INCIDENT, complete_drill

FIXTURES = Path(__file__).parents[1] / "fixtures" / "journals"
FORMS = sorted(FIXTURES.glob("form-*.db"))


@pytest.fixture(params=FORMS, ids=[path.stem for path in FORMS])
def released(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def journal(released: Path, tmp_path: Path) -> SqliteJournal:
    copy = tmp_path / "journal.db"
    shutil.copy(released, copy)
    return open_journal(copy, SetClock())


def test_there_is_a_fixture_of_every_form() -> None:
    assert [path.stem for path in FORMS] == [f"form-{n}" for n in range(1, SCHEMA_VERSION + 1)]


def test_the_text_beside_it_says_what_the_file_holds(released: Path) -> None:
    assert released.with_suffix(".txt").read_text(encoding="utf-8") == text_of(released)


def test_it_opens_and_verifies(journal: SqliteJournal) -> None:
    assert journal.verify() == ()
    assert journal.chains() == (INCIDENT, "every-kind", INSTALLATION, "messages")


def test_an_incident_folds_as_it_did(journal: SqliteJournal) -> None:
    told = tuple(fact.event for fact in journal.read(INCIDENT))
    assert told == tuple(fact.event for fact in complete_drill())
    assert fold(journal.read(INCIDENT)).state is IncidentState.RESTORED


def test_every_kind_of_fact_of_its_time_is_read(released: Path, journal: SqliteJournal) -> None:
    kinds = {type(fact.event).__name__ for fact in journal.read("every-kind")}
    text = released.with_suffix(".txt").read_text(encoding="utf-8")
    assert kinds == set(re.findall(r'"chain":"every-kind".*"kind":"(\w+)"', text))
    assert len(kinds) >= 35  # as many as there were when the first form was released
    (proven,) = journal.read(INSTALLATION)
    assert isinstance(proven.event, RestorePointVerified)


def test_messages_people_and_progress_are_there(journal: SqliteJournal) -> None:
    sent, waiting = journal.deliveries("messages")
    assert (sent.state, sent.receipt, waiting.state) == ("accepted", "<m1>", "queued")
    assert journal.audience("users") == ("u1", "u2")
    assert journal.address_of("u1", "email") == "ada@example.com"
    assert journal.progress(INCIDENT) == (("restore_data.restore", 3.0, 4.0, "MiB"),)


def test_it_goes_on_from_where_it_was(journal: SqliteJournal) -> None:
    end = len(journal.read("every-kind"))
    (fact,) = journal.append("every-kind", "p2", entries(1))
    assert fact.seq == end + 1
    journal.erase_person("u1")
    assert journal.audience("users") == ("u2",)
    assert journal.verify() == ()
