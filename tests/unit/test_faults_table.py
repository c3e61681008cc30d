# SPDX-License-Identifier: Apache-2.0
"""The end of an injected drill: read from its record, in the words in which it was expected."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.cli.drill import judge_end
from blackstart.cli.faults import MOST_LANES, Trial, lanes_for, seen_in, steps_before_end
from blackstart.cli.follow import has_come_through, has_stopped
from blackstart.cli.outcome import exit_code_of, seen_end, with_injection
from blackstart.model.errors import RecoveredDegraded, Stopped
from blackstart.model.events import NoticeSettled, RunEnded, StepEnded
from blackstart.model.incident import fold
from blackstart.reports.record import DrillRecord
from blackstart.sandbox.injection import HEALTHY, TOLD, Injection, degrades, refuses, stops_at
from blackstart.sandbox.layout import Layout
from tests.sample_records import sample_record, stopped_record

STOP = stops_at("restore_data.credentials")
INJECTION = Injection(name="wrong-credential-secret", what="A key.", expected=STOP)


def left(folder: Path, **injection: str) -> Path:
    """Leave what a drill leaves: its log, and with `injection` a record."""
    (folder / "drill.log").write_text("first\nlast words\n")
    if injection:
        (folder / "i1").mkdir()
        record = {"record": {"injection": injection, "more": 1}, "result": {}}
        (folder / "i1" / "record.json").write_text(json.dumps(record))
    return folder


def test_the_end_is_what_the_record_says(tmp_path: Path) -> None:
    folder = left(tmp_path, expected=STOP, seen=STOP)
    assert seen_in(folder, set(), 5) == STOP
    trial = Trial(injection=INJECTION, seen=STOP, took_s=1.0, folder=folder)
    assert trial.is_as_expected
    assert not replace(trial, seen=HEALTHY).is_as_expected


def test_a_good_end_with_a_bad_exit_code_is_not_good(tmp_path: Path) -> None:
    folder = left(tmp_path, expected=STOP, seen=STOP)
    for code in (0, 3, 6):
        assert f"exit code {code}" in seen_in(folder, set(), code)


def test_each_end_has_its_exit_code() -> None:
    assert [exit_code_of(end) for end in (HEALTHY, TOLD, degrades("notify_users"), STOP)] == [
        0,
        3,
        3,
        5,
    ]
    assert exit_code_of("no end") == 5
    judge_end(HEALTHY, "")
    with pytest.raises(RecoveredDegraded, match="recovers degraded: notify_users"):
        judge_end(degrades("notify_users"), "")
    with pytest.raises(Stopped):
        judge_end("no end", "")


def test_an_earlier_record_does_not_count(tmp_path: Path) -> None:
    folder = left(tmp_path, expected=STOP, seen=STOP)
    before = set(folder.glob("*/record.json"))
    assert seen_in(folder, before, 0).startswith("no record, exit code 0: first last words")


@pytest.mark.parametrize("code", [4, 8, 9])
def test_a_refusal_is_an_end(tmp_path: Path, code: int) -> None:
    assert seen_in(left(tmp_path), set(), code) == refuses(code)


def test_each_end_has_its_words() -> None:
    good, stopped = sample_record(), stopped_record()
    assert seen_end(good, fold(good.facts)) == HEALTHY
    assert seen_end(stopped, fold(stopped.facts)) == STOP
    worse = degraded(good)
    assert seen_end(worse, fold(worse.facts)) == degrades("announce_recovery")
    half = replace(good, facts=good.facts[: len(good.facts) // 2])
    assert seen_end(half, fold(half.facts)) == "no end"


def degraded(record: DrillRecord) -> DrillRecord:
    facts = list(record.facts)
    for number, fact in enumerate(facts):
        event = fact.event
        if isinstance(event, StepEnded) and event.step == "announce_recovery":
            worse = replace(event, outcome="degraded", reason="a device was held off.")
            facts[number] = replace(fact, event=worse)
    return replace(record, facts=tuple(facts))


def test_the_long_drills_begin_first() -> None:
    ends = (degrades("announce_recovery"), stops_at("update_dns.admit"), STOP, refuses(8))
    drills = [replace(INJECTION, expected=end) for end in ends]
    drills[-1] = replace(drills[-1], environment={"PATH": "/nonexistent"})
    lengths = [steps_before_end(drill) for drill in drills]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[1] > lengths[2] > lengths[3]


def test_an_end_is_known_before_everything_is_said() -> None:
    good, stopped = sample_record().facts, stopped_record().facts
    ended = next(n for n, fact in enumerate(good) if isinstance(fact.event, RunEnded))
    assert has_come_through(fold(good[: ended + 1]))
    assert not has_come_through(fold(good[:ended]))
    assert not has_come_through(fold(stopped))
    untold = [n for n, fact in enumerate(good[:ended]) if isinstance(fact.event, NoticeSettled)]
    facts = tuple(fact for n, fact in enumerate(good[: ended + 1]) if n != untold[0])
    lacking = tuple(replace(fact, seq=number) for number, fact in enumerate(facts, start=1))
    assert not has_come_through(fold(lacking))
    assert not has_stopped(fold(good))
    assert has_stopped(fold(stopped))


def test_what_a_witness_saw_is_part_of_the_end(tmp_path: Path) -> None:
    record, layout = stopped_record(), Layout(tmp_path)
    (layout.elsewhere / "mail").mkdir(parents=True)
    seen = with_injection(record, INJECTION, layout, fold(record.facts)).injection
    assert seen is not None
    assert seen.is_caught
    harmed = replace(INJECTION, witness=lambda _: "its device cleared its configuration")
    seen = with_injection(record, harmed, layout, fold(record.facts)).injection
    assert seen is not None
    assert seen.seen == f"{STOP}, and its device cleared its configuration"
    assert not seen.is_caught


@pytest.mark.parametrize(("cores", "lanes"), [(1, 2), (2, 3), (4, 5), (64, MOST_LANES)])
def test_one_drill_more_than_cores_runs_at_once(cores: int, lanes: int) -> None:
    assert lanes_for(cores) == lanes
