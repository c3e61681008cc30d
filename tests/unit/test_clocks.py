# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump: the engine's own never runs back or stands still, and claims do not notice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackstart.cli.options import moment_of
from blackstart.engine.claiming import CLAIM_S
from blackstart.model.words import say_moment
from blackstart.reports import phrases
from blackstart.store.sqlite import SqliteJournal, open_journal
from blackstart.world.clock import SteadyClock, SystemClock, boot_id, countdown
from tests.engine_verbs import AT
from tests.journals import entries, notice, tampering
from tests.unsteady_clock import TwoClocks

HOUR_S = 3_600.0


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def test_the_clock_that_goes_on_in_a_sleeping_machine_never_falls_behind_and_is_not_set() -> None:
    clock = SystemClock()
    apart_s = clock.boottime_s() - clock.monotonic_s()  # how long this machine has slept
    uptime_s = float(Path("/proc/uptime").read_text("ascii").split()[0])  # sleep included
    assert abs(clock.boottime_s() - uptime_s) < 5.0
    assert apart_s > -0.001
    clocks = TwoClocks()
    steady = SteadyClock(clocks)
    clocks.set_by_s(HOUR_S)
    assert steady.boottime_s() == clocks.boottime_s() == 1_000.0


def test_it_shows_the_machine_s_time_while_that_is_sound() -> None:
    clocks = TwoClocks()
    steady = SteadyClock(clocks)
    assert steady.now() == AT
    clocks.pass_s(7.5)
    assert steady.now() == after(7.5)
    clocks.set_by_s(HOUR_S)
    assert steady.now() == after(7.5 + HOUR_S), "forth it follows at once"


def test_an_hour_back_neither_turns_it_back_nor_stops_it() -> None:
    clocks = TwoClocks()
    steady = SteadyClock(clocks)
    steady.now()
    clocks.set_by_s(-HOUR_S)
    assert steady.now() == AT
    clocks.pass_s(600)
    assert steady.now() == after(540), "a tenth slower than time itself"
    clocks.pass_s(9 * HOUR_S)
    assert steady.now() - clocks.now() == timedelta(minutes=5), "nearly"
    clocks.pass_s(HOUR_S)
    assert steady.now() == clocks.now(), "it has caught up"


def test_a_leap_second_is_made_up_for_within_moments() -> None:
    clocks = TwoClocks(datetime(2016, 12, 31, 23, 59, 59, 900_000, UTC))
    steady = SteadyClock(clocks)
    seen, is_inserted = [], False
    for _ in range(130):
        seen.append(steady.now())
        clocks.pass_s(0.1)
        if not is_inserted and clocks.now() >= datetime(2017, 1, 1, tzinfo=UTC):
            is_inserted = True
            clocks.set_by_s(-1.0)  # as the kernel does when it inserts the second
    assert all(one < two for one, two in pairwise(seen))
    assert steady.now() == clocks.now()


def test_what_was_seen_already_is_never_shown_again() -> None:
    clocks = TwoClocks()
    steady = SteadyClock(clocks)
    steady.not_before(after(HOUR_S))
    clocks.pass_s(10)
    assert steady.now() == after(HOUR_S + 9)
    steady.not_before(AT)
    assert steady.now() == after(HOUR_S + 9)


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(-7_200, 7_200)), max_size=40))
def test_whatever_is_done_to_the_machine_s_clock(moves: list[tuple[float, float]]) -> None:
    clocks = TwoClocks()
    steady = SteadyClock(clocks)
    shown = steady.now()
    for passes_s, set_by_s in moves:
        clocks.set_by_s(set_by_s)
        clocks.pass_s(passes_s)
        before, shown = shown, steady.now()
        went_on_s = (shown - before).total_seconds()
        assert went_on_s >= 0.9 * passes_s - 0.002
        assert shown >= clocks.now() - timedelta(milliseconds=1)
        assert went_on_s <= passes_s + max(0.0, set_by_s) + 0.002 or shown == clocks.now()


def test_a_limit_does_not_move_with_the_wall_clock() -> None:
    clocks = TwoClocks()
    left_s = countdown(clocks, 60.0)
    clocks.set_by_s(HOUR_S)
    assert left_s() == 60.0
    clocks.set_by_s(-2 * HOUR_S)
    clocks.pass_s(61.0)
    assert left_s() == -1.0


@pytest.fixture
def clocks() -> TwoClocks:
    return TwoClocks()


@pytest.fixture
def journal(tmp_path: Path, clocks: TwoClocks) -> SqliteJournal:
    return open_journal(tmp_path / "journal.db", clocks)


@pytest.mark.parametrize("set_by_s", [HOUR_S, -HOUR_S])
def test_a_living_claim_outlasts_a_jump_of_the_clock(
    journal: SqliteJournal, clocks: TwoClocks, set_by_s: float
) -> None:
    assert journal.claim("i1", "a", CLAIM_S) == 1
    clocks.pass_s(CLAIM_S / 2)
    clocks.set_by_s(set_by_s)
    assert journal.claim("i1", "b", CLAIM_S) is None, "two drivers"
    assert journal.holder("i1") == "a"
    assert journal.claim("i1", "a", CLAIM_S) == 1


@pytest.mark.parametrize("set_by_s", [HOUR_S, -HOUR_S])
def test_a_dead_driver_s_claim_ends_on_time_whatever_the_clock_says(
    journal: SqliteJournal, clocks: TwoClocks, set_by_s: float
) -> None:
    assert journal.claim("i1", "a", CLAIM_S) == 1
    clocks.set_by_s(set_by_s)
    clocks.pass_s(CLAIM_S + 0.1)
    assert journal.holder("i1") == ""
    assert journal.claim("i1", "b", CLAIM_S) == 2


def test_after_another_start_of_the_machine_every_claim_has_lapsed(
    tmp_path: Path, journal: SqliteJournal
) -> None:
    assert journal.claim("i1", "a", CLAIM_S) == 1
    assert journal.claim("i2", "a", CLAIM_S) == 1
    journal.close()
    with tampering(tmp_path / "journal.db") as database:
        changed = database.execute(
            "UPDATE claims SET holder = 'an earlier start' WHERE holder = ?", (boot_id(),)
        )
        assert changed.rowcount == 1
    # the monotonic clock began anew, so the old claims look far from their end
    again = open_journal(tmp_path / "journal.db", TwoClocks())
    assert again.holder("i1") == ""
    assert again.claim("i1", "b", CLAIM_S) == 2, "the number goes on"
    assert again.holder("i1") == "b"
    assert again.holder("i2") == ""


def test_facts_go_on_in_time_while_the_wall_clock_is_an_hour_behind(
    journal: SqliteJournal, clocks: TwoClocks, tmp_path: Path
) -> None:
    (first,) = journal.append("i1", "a", entries(1))
    clocks.set_by_s(-HOUR_S)
    clocks.pass_s(100)
    (second,) = journal.append("i1", "a", entries(1, first=2))
    assert (first.at, second.at) == (AT, after(90))
    journal.close()
    again = open_journal(tmp_path / "journal.db", clocks)  # another process, just as far behind
    assert again.read("i1")[-1].at == after(90)
    clocks.pass_s(100)
    (third,) = again.append("i1", "a", entries(1, first=3))
    assert third.at == after(180)
    (other,) = again.append("i2", "a", entries(1))
    assert other.at == clocks.now(), "another incident's clock is its own"


def test_a_message_queued_before_the_clock_went_back_is_due(
    journal: SqliteJournal, clocks: TwoClocks
) -> None:
    journal.append("i1", "a", [notice(("u1",))])
    clocks.set_by_s(-HOUR_S)
    steady = SteadyClock(clocks)
    assert journal.due_deliveries("i1", steady.now(), 9) == ()
    steady.not_before(journal.read("i1")[-1].at)  # as every driver does
    assert len(journal.due_deliveries("i1", steady.now(), 9)) == 1


def test_the_hour_that_comes_twice_is_two_hours_and_is_shown_as_such() -> None:
    first = moment_of("2026-10-25T02:30:00+02:00")  # Berlin, summer time
    second = moment_of("2026-10-25T02:30:00+01:00")  # the same hands of the clock, an hour later
    assert second - first == timedelta(hours=1)
    assert say_moment(first) == "2026-10-25 00:30:00 UTC"
    assert say_moment(second) == "2026-10-25 01:30:00 UTC"
    assert phrases.say_time(second) == "01:30:00.000"


def test_a_leap_second_that_a_person_types_is_understood_and_nonsense_is_not() -> None:
    assert moment_of("2016-12-31T23:59:60Z") == datetime(2017, 1, 1, tzinfo=UTC)
    assert moment_of("2016-12-31T23:59:60.500+00:00") == datetime(2017, 1, 1, 0, 0, 0, 500_000, UTC)
    for text in ("2016-12-31T23:59:61Z", "2016-12-31T23:60:00Z", "2016-12-31T23:59:59"):
        with pytest.raises(click.BadParameter):
            moment_of(text)


SHOWS = """
from datetime import UTC, datetime
from tests.paper_driver import Paper, hours
from blackstart.reports.timeline import timeline
from blackstart.reports.phrases import say_time
from blackstart.cli.standing import lines_of
from blackstart.world.clock import SystemClock
at = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
paper = Paper()
paper.report(at)
paper.run_until(at, at + hours(2.5))
class Records:
    def holder(self, incident): return ""
    def progress(self, incident): return ()
    def deliveries(self, incident): return ()
print(SystemClock().now().tzinfo)
for row in timeline(tuple(paper.facts)):
    print(say_time(row.at), row.sentence)
for line in lines_of(Records(), (paper.incident,), at + hours(3)):
    print(line)
for text in paper.texts.values():
    print(text.subject, text.body)
"""


@pytest.fixture(scope="module")
def shown_in() -> Callable[[str], str]:
    def show(zone: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", SHOWS],
            env={**os.environ, "TZ": zone},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return show


def test_summer_time_changes_nothing_that_is_kept_or_shown(
    shown_in: Callable[[str], str],
) -> None:
    in_utc = shown_in("UTC")
    assert shown_in("Europe/Berlin") == in_utc
    assert "Please answer by 2026-10-25 00:40:00 UTC" in in_utc
    assert "01:30:00.000 Prolonged outage" in in_utc, "an hour after it began, in the second 02:30"


def test_the_machine_s_clock_is_read_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
