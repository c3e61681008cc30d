# SPDX-License-Identifier: Apache-2.0
"""A drill that hangs, is interrupted or cannot be counted leaves a report, its logs, its record."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blackstart.bootstrap import Home, open_home
from blackstart.cli.drill import judge_loss
from blackstart.cli.ending import Counted, copy_traces, count_loss
from blackstart.cli.follow import Followed, follow, is_over
from blackstart.cli.outcome import make_record, write_reports
from blackstart.model.errors import Stopped, WorldFailed
from blackstart.model.incident import fold
from blackstart.model.runbook import ActionSpec, StepSpec
from blackstart.reports.record import Loss
from blackstart.sandbox.disaster import Destroyed
from blackstart.sandbox.layout import SandboxError
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock
from tests.engine_world import close_all, drive_to_end, house_in, journal_in, make_world, report
from tests.journals import entries
from tests.sample_facts import complete_drill, half_done
from tests.sample_records import sample_record

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
GONE = Destroyed(at=AT, gone_at=AT + timedelta(seconds=1), processes=1, removed=())

# Acknowledged before the first kill, during the killing, just after it, by the new platform.
LOG = ((1, -1.0), (2, 0.5), (3, 1.01), (9, 60.0))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = open_home(tmp_path / "run" / "home")
    yield opened
    opened.journal.close()


def followed_until(home: Home, *, limit_s: float, is_alive: bool, stopped: bool) -> None:
    stop = threading.Event()
    if stopped:
        stop.set()
    follow(
        Followed(home=home),
        answer=lambda _followed, _ask: None,
        is_alive=lambda: is_alive,
        show=lambda: None,
        limit_s=limit_s,
        stop=stop,
    )


def test_each_early_end_says_where_to_read(home: Home) -> None:
    with pytest.raises(Stopped, match=r"not over after 0 s[^$]*agent\.log beside it"):
        followed_until(home, limit_s=0.0, is_alive=True, stopped=False)
    with pytest.raises(
        Stopped, match=r"agent died again and again[^$]*agent\.log beside the report"
    ):
        followed_until(home, limit_s=60.0, is_alive=False, stopped=False)
    with pytest.raises(KeyboardInterrupt):
        followed_until(home, limit_s=60.0, is_alive=True, stopped=True)


def test_a_drill_without_an_incident_has_a_report_too(home: Home, tmp_path: Path) -> None:
    followed = Followed(home=home)
    record = make_record(followed, peak_memory=None, loss=None)
    paths = write_reports(record, followed, tmp_path / "reports")
    assert "nothing is proven yet" in paths["Report"].read_text()
    assert paths["Record"].stat().st_size > 0


def test_logs_and_record_are_copied_before_the_run_goes(home: Home, tmp_path: Path) -> None:
    home.journal.append("i1", "test", entries(1))
    run, kept = tmp_path / "run", tmp_path / "reports" / "i1"
    (run / "agent.log").write_text("the agent said this\n")
    copy_traces(run, kept)
    assert (kept / "agent.log").read_text() == "the agent said this\n"
    assert not (kept / "watch.log").exists()
    assert (kept / "journal.db").stat().st_mode & 0o777 == 0o600
    journal = open_journal(kept / "journal.db", SystemClock())
    try:
        assert len(journal.read("i1")) == 1
        assert journal.verify() == ()
    finally:
        journal.close()


def unreadable() -> frozenset[int]:
    raise SandboxError("the rows of the platform cannot be read", "is it up?")


def test_a_count_that_fails_is_told_and_loses_no_report(tmp_path: Path) -> None:
    for name in ("sent.log", "acknowledged.log"):
        (tmp_path / name).write_text(f"1 {(AT - timedelta(seconds=1)).isoformat()}\n")
    ended = fold(complete_drill())
    good = count_loss(ended, tmp_path, GONE, lambda: frozenset({1}))
    assert good.loss is not None
    assert (good.loss.acknowledged, good.loss.lost, good.problem) == (1, (), "")
    bad = count_loss(ended, tmp_path, GONE, unreadable)
    assert bad.loss is None
    assert bad.problem == (
        "The loss could not be counted: the rows of the platform cannot be read."
    )


def test_what_was_acknowledged_while_production_died_counts(tmp_path: Path) -> None:
    lines = [f"{n} {(AT + timedelta(seconds=at_s)).isoformat()}\n" for n, at_s in LOG]
    for name in ("sent.log", "acknowledged.log"):
        (tmp_path / name).write_text("".join(lines))
    counted = count_loss(fold(complete_drill()), tmp_path, GONE, lambda: frozenset({1, 9}))
    assert counted.loss is not None
    assert counted.loss.lost == (2, 3)
    assert counted.loss.acknowledged == 3


def test_nothing_is_counted_before_the_end(tmp_path: Path) -> None:
    for incident in (None, fold(half_done(30.0))):
        counted = count_loss(incident, tmp_path, GONE, unreadable)
        assert (counted.loss, counted.problem) == (None, "")


def test_a_loss_that_is_not_counted_fails_the_drill(tmp_path: Path) -> None:
    counted = Counted(problem="The loss could not be counted: no answer.")
    with pytest.raises(WorldFailed, match="could not be counted"):
        judge_loss(sample_record(), counted)
    judge_loss(sample_record(), Counted())
    surplus = replace(sample_record(), loss=Loss(acknowledged=1, lost=0, surplus=2))
    with pytest.raises(WorldFailed, match="2 rows are there that nobody wrote"):
        judge_loss(surplus, Counted())


def test_a_stopped_branch_is_not_the_end_while_another_can_go_on(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    (world.root / "not-ready").touch()
    journal = journal_in(world)
    try:
        report(journal)
        house = house_in(world, journal)
        now = house.clock.now()
        incident = drive_to_end(
            world, journal, is_enough=lambda i: is_over(house.plan, house.runbooks, i, now)
        )
        assert "stopped" in {ask.opened.kind for ask in incident.open_asks()}
        shop = house.runbooks["shop"]
        parallel = StepSpec(
            name="other",
            title="Another branch, between two actions",
            do=(ActionSpec(name="next", use="look.it"),),
        )
        longer = replace(shop, steps=(*shop.steps, parallel))
        assert not is_over(house.plan, {"shop": longer}, incident, now)
    finally:
        close_all()
