# SPDX-License-Identifier: Apache-2.0
"""The driver, whole: an incident from report to its sign-off, on a small world that keeps marks."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.cli.incident import require_whole_end
from blackstart.engine.outbox import recipients_of
from blackstart.engine.telling import Notice
from blackstart.model import events as ev
from blackstart.model.errors import RecoveredDegraded, Refused, Stopped
from blackstart.model.incident import Incident, fold
from blackstart.model.notices import EVERYONE
from blackstart.model.states import IncidentState, StepState
from tests.engine_world import (
    ANSWERS,
    INCIDENT,
    close_all,
    drive_to_end,
    house_in,
    journal_in,
    make_world,
    report,
)


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


def run_of(incident: Incident) -> str:
    return next(iter(incident.runs))


def test_incident_goes_from_report_to_sign_off_and_everybody_is_told_once(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    incident = drive_to_end(world, journal)
    run = incident.runs[run_of(incident)]
    assert {name: step.state for name, step in run.steps.items()} == dict.fromkeys(
        (
            "assess_impact",
            "notify_users",
            "create_environment",
            "restore_data",
            "update_dns",
            "announce_recovery",
        ),
        StepState.VERIFIED,
    )
    assert set(world.done().values()) == {1}
    assert len(world.done()) == 4
    assert set(world.told().values()) == {1}
    subjects = {view.queued.kind for view in incident.notices.values()}
    assert subjects == {"announced", "asked", "activated", "outage", "recovered", "restored"}
    outage = next(v for v in incident.notices.values() if v.queued.kind == "outage")
    assert outage.queued.recipients == 2
    assert incident.activation is not None
    assert incident.activation.by == "p1"
    assert "shop:rpo:database" in incident.measures
    assert journal.verify() == ()


def test_outputs_reach_the_actions_that_name_them(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    drive_to_end(world, journal)
    database = next(m for m in world.marks.iterdir() if "database" in m.name)
    assert database.read_text() in ("site-1\n", "x\n")


def test_nothing_of_the_recovery_starts_before_the_commander_activates_it(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    incident = drive_to_end(
        world,
        journal,
        says={"acknowledge": "acknowledged"},
        is_enough=lambda i: "decision" in i.asks and all(n.settled for n in i.notices.values()),
    )
    assert incident.state is IncidentState.ACKNOWLEDGED
    assert world.done() == {}
    assert not any(view.queued.kind == "outage" for view in incident.notices.values())


def test_a_gate_holds_back_until_it_is_opened(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    incident = drive_to_end(
        world,
        journal,
        says={"acknowledge": "acknowledged", "decision": "rebuild"},
        is_enough=lambda i: any(ask.opened.kind == "gate" for ask in i.open_asks()),
    )
    run = incident.runs[run_of(incident)]
    assert run.step("update_dns").state is StepState.WAITING
    assert run.step("restore_data").state is StepState.VERIFIED


def test_a_failing_action_stops_there_and_is_retried_when_a_person_says_so(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    not_ready = world.root / "not-ready"
    not_ready.touch()
    journal = journal_in(world)
    report(journal)
    stopped = drive_to_end(
        world,
        journal,
        is_enough=lambda i: any(ask.opened.kind == "stopped" for ask in i.open_asks()),
    )
    run = stopped.runs[run_of(stopped)]
    assert run.step("restore_data").state is StepState.FAILED
    assert run.step("restore_data").reason == "the world is not ready"
    assert run.step("update_dns").state is StepState.WAITING
    ask = next(a for a in stopped.open_asks() if a.opened.kind == "stopped")
    assert "make it ready, then retry" in ask.opened.facts

    not_ready.unlink()
    incident = drive_to_end(world, journal, says={**ANSWERS, "stopped": "retry"})
    assert incident.runs[run_of(incident)].step("restore_data").state is StepState.VERIFIED
    assert set(world.done().values()) == {1}
    assert sum("relocate" in name for name in world.done()) == 1


def test_users_are_never_told_that_it_works_when_it_was_not_verified(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    (world.root / "not-ready").touch()
    journal = journal_in(world)
    report(journal)
    stopped = drive_to_end(
        world,
        journal,
        is_enough=lambda i: (
            any(n.queued.kind == "stopped" for n in i.notices.values())
            and all(n.settled for n in i.notices.values())
        ),
    )
    kinds = {view.queued.kind for view in stopped.notices.values()}
    assert "recovered" not in kinds
    assert "stopped" in kinds


def test_a_channel_that_refuses_is_loud_and_stalls_nothing(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    (world.root / "box-is-shut").touch()
    journal = journal_in(world)
    report(journal)
    incident = drive_to_end(world, journal)
    run = incident.runs[run_of(incident)]
    assert run.step("notify_users").state is StepState.DEGRADED
    assert "0 of 2 told, 2 refused" in run.step("notify_users").reason
    assert run.step("update_dns").state is StepState.VERIFIED
    assert run.outcome == "recovered_degraded"
    with pytest.raises(RecoveredDegraded, match=r"notify_users is degraded .*0 of 2 told"):
        require_whole_end(incident)


def test_how_an_incident_ended_is_its_exit_code(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    with pytest.raises(Stopped, match="waits for a person"):
        require_whole_end(drive_to_end(world, journal, says={}, is_enough=lambda i: bool(i.asks)))
    require_whole_end(drive_to_end(world, journal))


def test_only_one_process_drives_at_a_time(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    assert journal.claim(INCIDENT, "somebody else", 60.0) is not None
    with pytest.raises(Refused, match="Another process drives"):
        drive_to_end(world, journal)
    assert world.done() == {}


def test_standing_down_ends_it_and_the_post_mortem_waits(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    incident = drive_to_end(
        world,
        journal,
        says={"acknowledge": "acknowledged", "decision": "stand-down", "signoff": "signed"},
        is_enough=lambda i: i.state is IncidentState.CLOSED,
    )
    assert incident.postmortem
    assert world.done() == {}
    assert any(isinstance(f.event, ev.StoodDown) for f in journal.read(INCIDENT))


def test_everyone_is_told_one_by_one_where_the_channel_has_no_place_of_its_own(
    tmp_path: Path,
) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    house = house_in(world, journal)
    incident = fold(journal.read(INCIDENT))
    told = Notice(name="announced", kind="announced", channel="incident", audience=EVERYONE)
    assert recipients_of(house, journal, incident, told) == ("",)
    by_mail = replace(told, channel="staff")
    assert recipients_of(house, journal, incident, by_mail) == ("p1", "p2", "p3", "p4")
