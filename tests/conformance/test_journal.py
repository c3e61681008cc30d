# SPDX-License-Identifier: Apache-2.0
"""What every journal must do, whatever it is kept in. See `conftest`."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from blackstart.model.errors import IllegalMove, JournalFailed, Refused
from blackstart.model.events import INSTALLATION, NoticeQueued, RecoveryActivated
from blackstart.ports.journal import Entry, Journal, QueuedDelivery
from blackstart.ports.roster import AffectedPerson
from tests.conformance.conftest import Desk
from tests.journals import START, attempts_of, entries, notice, started


def run_together(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)


def only_delivery(journal: Journal) -> QueuedDelivery:
    (delivery,) = journal.deliveries("i1")
    return delivery


# Facts


def test_facts_come_back_as_they_were_appended_from_any_opening(desk: Desk) -> None:
    appended = desk.journal.append("i1", "p1", entries(3))
    assert [fact.seq for fact in appended] == [1, 2, 3]
    assert appended[0].event == started(1)
    assert (appended[0].at, appended[0].actor, appended[0].chain) == (START, "p1", "i1")
    assert [fact.previous for fact in appended[1:]] == [fact.digest for fact in appended[:-1]]
    assert desk.journal.read("i1") == appended
    assert desk.open_again().read("i1", after_seq=1) == appended[1:]
    assert desk.journal.verify() == ()


def test_each_chain_counts_for_itself_and_chains_are_listed_oldest_first(desk: Desk) -> None:
    desk.journal.append("i2", "p1", entries(2))
    desk.journal.append(INSTALLATION, "p1", entries(1))
    desk.journal.append("i1", "p1", entries(1))
    (third,) = desk.journal.append("i2", "p1", entries(1, first=3))
    assert third.seq == 3
    assert desk.journal.chains() == ("i2", INSTALLATION, "i1")
    assert attempts_of(desk.journal, "i2") == [1, 2, 3]
    assert desk.journal.read("unheard of") == ()
    assert desk.journal.verify() == ()


def test_time_never_runs_behind_the_last_fact_of_the_chain(desk: Desk) -> None:
    desk.journal.append("i1", "p1", entries(1))
    desk.clock.set_by(-3600)
    (late,) = desk.journal.append("i1", "p1", entries(1))
    (elsewhere,) = desk.journal.append("i2", "p1", entries(1))
    desk.clock.set_by(3601.5)
    (later,) = desk.journal.append("i1", "p1", entries(1))
    assert late.at == START
    assert elsewhere.at == START - timedelta(hours=1)
    assert later.at == START + timedelta(seconds=1.5)
    assert desk.journal.verify() == ()


def test_nothing_to_append_changes_nothing(desk: Desk) -> None:
    assert desk.journal.append("i1", "p1", ()) == ()
    assert desk.journal.chains() == ()
    assert desk.journal.version() == 0


def test_an_append_that_expects_another_end_is_refused_and_leaves_nothing(desk: Desk) -> None:
    desk.journal.append("i1", "p1", entries(2), expect_seq=0)
    for journal in (desk.journal, desk.open_again()):
        for wrong in (0, 1, 3):
            with pytest.raises(Refused, match="ends with fact 2"):
                journal.append("i1", "p1", [notice(("u1",))], expect_seq=wrong)
    with pytest.raises(Refused, match="ends with fact 0"):
        desk.journal.append("i9", "p1", entries(1), expect_seq=1)
    assert len(desk.journal.read("i1")) == 2
    assert desk.journal.deliveries("i1") == ()
    assert desk.journal.chains() == ("i1",)
    assert desk.journal.append("i1", "p1", entries(1), expect_seq=2)[0].seq == 3


def test_two_openings_append_in_turn_without_a_gap(desk: Desk) -> None:
    other = desk.open_again()
    for number in range(1, 11):
        (desk.journal if number % 2 else other).append("i1", "p1", entries(1, first=number))
    assert attempts_of(other, "i1") == list(range(1, 11))
    assert desk.journal.verify() == ()


def test_an_event_that_could_not_be_read_back_is_not_written(desk: Desk) -> None:
    wrong = RecoveryActivated(by="p1", option="rebuild", why="", facts=(), how="command")
    object.__setattr__(wrong, "facts", "one text instead of a tuple")
    with pytest.raises(Exception, match="array"):
        desk.journal.append("i1", "p1", [Entry(event=started(1)), Entry(event=wrong)])
    assert desk.journal.chains() == ()
    assert desk.journal.append("i1", "p1", entries(1))[0].seq == 1


def test_the_version_grows_with_every_fact_and_other_openings_see_it(desk: Desk) -> None:
    other = desk.open_again()
    seen = other.version()
    desk.journal.append("i1", "p1", entries(2))
    grown = other.version()
    assert grown > seen
    assert other.version() == grown == desk.journal.version()
    desk.journal.append("i2", "p1", entries(1))
    assert other.version() > grown


def test_threads_may_share_one_opening(desk: Desk) -> None:
    def write(name: str) -> None:
        for number in range(20):
            desk.journal.append("i1", name, entries(1, first=number))

    threads = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(4)]
    run_together(threads)
    assert [fact.seq for fact in desk.journal.read("i1")] == list(range(1, 81))
    assert desk.journal.verify() == ()


def test_a_closed_journal_takes_nothing(desk: Desk) -> None:
    desk.journal.append("i1", "p1", entries(1))
    desk.journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        desk.journal.append("i1", "p1", entries(1))
    assert len(desk.open_again().read("i1")) == 1


# Deliveries


def test_parcels_are_queued_with_their_fact_and_once_only(desk: Desk) -> None:
    desk.journal.append("i1", "p1", [notice(("u1", "u2"))])
    queued = desk.journal.deliveries("i1")
    assert [(each.person, each.state, each.attempts, each.due_at) for each in queued] == [
        ("u1", "queued", 0, START),
        ("u2", "queued", 0, START),
    ]
    assert queued[0].message.body == "Said plainly."
    assert queued[0].key != queued[1].key
    desk.clock.move(60)
    desk.journal.append("i1", "p1", [notice(("u1", "u2", "u3"), subject="Said again")])
    again = desk.journal.deliveries("i1")
    assert again[:2] == queued
    assert [each.person for each in again] == ["u1", "u2", "u3"]


def test_the_same_words_in_another_notice_or_incident_are_another_delivery(desk: Desk) -> None:
    for chain, name in (("i1", "first"), ("i1", "second"), ("i2", "first")):
        desk.journal.append(chain, "p1", [notice(("u1",), name)])
    found = (*desk.journal.deliveries("i1"), *desk.journal.deliveries("i2"))
    assert len({each.key for each in found}) == 3
    assert [each.notice for each in desk.journal.deliveries("i1", "second")] == ["second"]
    assert desk.journal.deliveries("i1", "third") == ()


def test_a_delivery_goes_through_its_states_and_counts_its_attempts(desk: Desk) -> None:
    journal = desk.journal
    journal.append("i1", "p1", [notice(("u1",))])
    key = only_delivery(journal).key
    journal.move_delivery(key, "sending")
    later = START + timedelta(seconds=7)
    journal.move_delivery(key, "queued", due_at=later, reason="busy")
    waiting = only_delivery(desk.open_again())
    assert (waiting.attempts, waiting.due_at, waiting.reason) == (1, later, "busy")
    journal.move_delivery(key, "sending")
    journal.move_delivery(key, "accepted", receipt="<m1>")
    done = only_delivery(journal)
    assert (done.state, done.attempts, done.receipt, done.reason) == ("accepted", 2, "<m1>", "")


def test_an_illegal_move_is_refused_and_changes_nothing(desk: Desk) -> None:
    desk.journal.append("i1", "p1", [notice(("u1",))])
    before = only_delivery(desk.journal)
    with pytest.raises(IllegalMove):
        desk.journal.move_delivery(before.key, "accepted", receipt="<m1>")
    assert only_delivery(desk.journal) == before
    with pytest.raises(Refused, match="No delivery has the key"):
        desk.journal.move_delivery("unheard-of", "sending")


def test_of_many_senders_one_gets_the_delivery(desk: Desk) -> None:
    desk.journal.append("i1", "p1", [notice(("u1",))])
    key = only_delivery(desk.journal).key
    outcomes: list[str] = []

    def send() -> None:
        try:
            desk.journal.move_delivery(key, "sending")
            outcomes.append("sent")
        except IllegalMove:
            outcomes.append("refused")

    threads = [threading.Thread(target=send) for _ in range(6)]
    run_together(threads)
    assert sorted(outcomes) == ["refused"] * 5 + ["sent"]


def test_due_are_those_whose_time_has_come_earliest_first(desk: Desk) -> None:
    journal = desk.journal

    def due(now: datetime, limit: int = 10) -> list[str]:
        return [each.person for each in journal.due_deliveries("i1", now, limit)]

    journal.append("i1", "p1", [notice(("u1", "u2", "u3"))])
    first = journal.deliveries("i1")[0].key
    journal.move_delivery(first, "sending")
    journal.move_delivery(first, "queued", due_at=START + timedelta(seconds=5))
    assert due(START - timedelta(seconds=1)) == []
    assert due(START) == ["u2", "u3"]
    assert due(START, limit=1) == ["u2"]
    assert due(START + timedelta(seconds=5)) == ["u2", "u3", "u1"]


def test_many_messages_of_one_channel_do_not_stand_before_those_of_another(desk: Desk) -> None:
    desk.journal.append("i1", "p1", [notice(("u1", "u2", "u3"))])
    desk.journal.append("i1", "p1", [notice(("p1",), "asked", channel="staff")])
    due = desk.journal.due_deliveries("i1", desk.clock.now(), 2)
    assert [each.person for each in due] == ["u1", "u2", "p1"]


def test_what_a_dead_sender_left_is_reported_after_its_lease(desk: Desk) -> None:
    desk.journal.append("i1", "p1", [notice(("u1",))])
    key = only_delivery(desk.journal).key
    desk.journal.move_delivery(key, "sending")
    assert desk.journal.due_deliveries("i1", START + timedelta(seconds=29.9), 10) == ()
    (left,) = desk.journal.due_deliveries("i1", START + timedelta(seconds=30), 10)
    assert (left.key, left.state) == (key, "sending")
    desk.journal.move_delivery(key, "uncertain", reason="the sender died")
    assert desk.journal.due_deliveries("i1", START + timedelta(days=1), 10) == ()
    desk.clock.move(31)
    desk.journal.move_delivery(key, "queued")
    assert len(desk.journal.due_deliveries("i1", desk.clock.now(), 10)) == 1


# Contacts

ADA = AffectedPerson(id="u1", name="Ada", addresses={"email": "ada@example.com", "slack": "U1"})
BOB = AffectedPerson(id="u2", name="Bob", addresses={"email": "bob@example.com"})


def test_people_are_remembered_by_audience_and_brought_up_to_date(desk: Desk) -> None:
    assert desk.journal.remember_people("users", (ADA, BOB)) == 2
    moved = AffectedPerson(id="u1", name="Ada", addresses={"email": "ada@example.org"})
    assert desk.journal.remember_people("users", (moved,)) == 1
    assert desk.journal.remember_people("staff", ()) == 0
    again = desk.open_again()
    assert again.audience("users") == ("u1", "u2")
    assert again.audience("staff") == ()
    assert again.address_of("u1", "email") == "ada@example.org"
    assert again.address_of("u1", "slack") == "U1"
    assert again.address_of("u2", "slack") is None
    assert again.address_of("u3", "email") is None


def test_an_erased_person_is_forgotten_and_the_chains_still_verify(desk: Desk) -> None:
    journal = desk.journal
    journal.remember_people("users", (ADA, BOB))
    journal.append("i1", "p1", [notice(("u1", "u2"), "first"), notice(("u1",), "second")])
    sent = journal.deliveries("i1", "first")[0].key
    journal.move_delivery(sent, "sending")
    journal.move_delivery(sent, "accepted", receipt="<m1>")
    facts = journal.read("i1")
    journal.erase_person("u1")
    assert journal.address_of("u1", "email") is None
    assert journal.audience("users") == ("u2",)
    assert journal.address_of("u2", "email") == "bob@example.com"
    of_ada = [each for each in journal.deliveries("i1") if each.person == "u1"]
    assert [(each.state, each.message.body) for each in of_ada] == [
        ("accepted", ""),
        ("refused", ""),
    ]
    (of_bob,) = journal.due_deliveries("i1", START, 10)
    assert (of_bob.person, of_bob.message.body) == ("u2", "Said plainly.")
    assert journal.read("i1") == facts
    assert journal.verify() == ()


def test_what_is_in_flight_to_an_erased_person_keeps_its_text(desk: Desk) -> None:
    desk.journal.append("i1", "p1", [notice(("u1",))])
    key = only_delivery(desk.journal).key
    desk.journal.move_delivery(key, "sending")
    desk.journal.erase_person("u1")
    left = only_delivery(desk.journal)
    assert (left.state, left.message.body) == ("sending", "Said plainly.")


# Claims


def test_one_holder_drives_and_its_token_stays_while_it_renews(desk: Desk) -> None:
    other = desk.open_again()
    assert desk.journal.claim("i1", "a", 10) == 1
    assert other.claim("i1", "b", 10) is None
    desk.clock.move(9)
    assert desk.journal.claim("i1", "a", 10) == 1
    desk.clock.move(9)
    assert other.claim("i1", "b", 10) is None
    assert other.claim("i2", "b", 10) == 1


def test_an_expired_or_returned_claim_passes_on_with_a_greater_token(desk: Desk) -> None:
    assert desk.journal.claim("i1", "a", 10) == 1
    desk.clock.move(10)
    assert desk.journal.claim("i1", "b", 10) == 2
    assert desk.journal.claim("i1", "a", 10) is None
    desk.journal.release("i1", "a")  # no longer its own to give back
    assert desk.journal.claim("i1", "a", 10) is None
    desk.journal.release("i1", "b")
    assert desk.journal.claim("i1", "b", 10) == 3
    desk.journal.release("i1", "b")
    assert desk.journal.claim("i1", "a", 10) == 4


def test_of_many_that_claim_at_once_one_is_given_the_token(desk: Desk) -> None:
    given: list[int | None] = []

    def claim_as(holder: str) -> None:
        given.append(desk.journal.claim("i1", holder, 9))

    threads = [threading.Thread(target=claim_as, args=(f"h{n}",)) for n in range(6)]
    run_together(threads)
    assert sorted(given, key=str) == [1, *[None] * 5]


def test_an_outdated_holder_can_append_to_no_chain(desk: Desk) -> None:
    token = desk.journal.claim("i1", "a", 10)
    assert token is not None
    fenced = desk.journal.with_fence("i1", token)
    fenced.append("i1", "a", entries(1))
    desk.clock.move(11)
    fenced.append("i1", "a", entries(1, first=2))  # late, and nobody else was there
    newer = desk.open_again().claim("i1", "b", 10)
    assert newer is not None
    for chain in ("i1", INSTALLATION):
        with pytest.raises(Refused, match="driven by another program"):
            fenced.append(chain, "a", [notice(("u1",))])
    assert attempts_of(desk.journal, "i1") == [1, 2]
    assert desk.journal.deliveries("i1") == ()
    desk.journal.with_fence("i1", newer).append("i1", "b", entries(1, first=3))
    desk.journal.append("i1", "p1", entries(1, first=4))  # a person's word needs no claim
    assert attempts_of(fenced, "i1") == [1, 2, 3, 4]


# Progress


def test_progress_keeps_the_newest_of_each_subject_and_is_no_fact(desk: Desk) -> None:
    for done in range(100):
        desk.journal.note_progress("i1", "restore", done, 100, "MiB")
    desk.journal.note_progress("i1", "deploy", 1, 2, "files")
    desk.journal.note_progress("i2", "restore", 0.5, 1, "MiB")
    assert desk.open_again().progress("i1") == (
        ("restore", 99.0, 100.0, "MiB"),
        ("deploy", 1.0, 2.0, "files"),
    )
    assert desk.journal.version() == 0
    assert desk.journal.verify() == ()


def test_a_queued_notice_keeps_the_count_that_the_caller_gave(desk: Desk) -> None:
    (fact,) = desk.journal.append("i1", "p1", [notice(("u1", "u2"))])
    assert isinstance(fact.event, NoticeQueued)
    assert fact.event.recipients == 2
