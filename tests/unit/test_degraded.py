# SPDX-License-Identifier: Apache-2.0
"""Done, but degraded: it goes on, and whoever reads of the recovery hears what is not whole."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.cli.incident import require_whole_end
from blackstart.cli.outcome import empty_record, seen_end
from blackstart.model.errors import RecoveredDegraded
from blackstart.model.events import ActionEnded
from blackstart.model.incident import Incident, fold
from blackstart.model.runbook import Runbook
from blackstart.model.states import StepState
from blackstart.ports.action import Done, NotDone
from blackstart.providers.traces import begin, finding, finish
from blackstart.reports.handover import handover_card
from blackstart.reports.phrases import Tone
from blackstart.reports.scorecard import score
from blackstart.reports.timeline import timeline
from blackstart.reports.verdict import judge, shortfalls
from blackstart.sandbox.injection import degrades
from blackstart.world.clock import SystemClock
from tests.engine_people import is_asked, state_of
from tests.engine_verbs import AT
from tests.engine_world import (
    INCIDENT,
    World,
    close_all,
    drive_to_end,
    journal_in,
    make_world,
    report,
)
from tests.provider_stage import Stage

WORSE = "the newest backup is damaged, an older one was restored instead"


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


def with_older_backup(runbook: Runbook) -> Runbook:
    """Return the runbook in which `restore_data.database` is done, but degraded."""
    steps = []
    for step in runbook.steps:
        do = tuple(
            replace(spec, params={**spec.params, "worse": WORSE})
            if (step.name, spec.name) == ("restore_data", "database")
            else spec
            for spec in step.do
        )
        steps.append(replace(step, do=do))
    return replace(runbook, steps=tuple(steps))


def as_it_is(runbook: Runbook) -> Runbook:
    return runbook


def body_of(world: World, incident: Incident, kind: str) -> str:
    told = next(n for n in incident.notices.values() if n.queued.kind == kind)
    return (world.root / "evidence" / told.queued.body[:2] / told.queued.body).read_text()


@pytest.mark.parametrize("is_whole", [True, False])
def test_whoever_reads_of_it_hears_what_is_not_whole(tmp_path: Path, *, is_whole: bool) -> None:
    world = make_world(tmp_path / "w", change=with_older_backup if not is_whole else as_it_is)
    journal = journal_in(world)
    report(journal)
    asked = drive_to_end(
        world,
        journal,
        says={"acknowledge": "acknowledged", "decision": "rebuild"},
        is_enough=is_asked("gate"),
    )
    gate = next(ask for ask in asked.open_asks() if ask.opened.kind == "gate").opened
    incident = drive_to_end(world, journal)
    facts = journal.read(INCIDENT)
    record = replace(
        empty_record(), facts=facts, runbooks=tuple(world.runbooks.values()), organisation="Shop"
    )
    card = score(facts, record.runbooks, record.objectives)
    verdict = judge(record, card)
    places = {
        "gate": "\n".join((gate.text, *gate.facts)),
        "users": body_of(world, incident, "recovered"),
        "staff": body_of(world, incident, "restored"),
        "timeline": "\n".join(row.sentence for row in timeline(facts) if not row.is_detail),
        "verdict": "\n".join(shortfalls(record, card)),
        "card": handover_card(facts, record.runbooks, world.plan, SystemClock().now()),
    }
    assert {name: WORSE in text for name, text in places.items()} == dict.fromkeys(
        places, not is_whole
    )
    assert ("NOT all is verified (restore_data degraded)" in gate.text) is not is_whole
    assert "What was written after that moment is lost" in places["users"]
    assert f"{AT:%Y-%m-%d %H:%M:%S} UTC" in places["users"]
    assert "database" not in places["users"]
    run = next(iter(incident.runs.values()))
    assert run.step("restore_data").state is (
        StepState.VERIFIED if is_whole else StepState.DEGRADED
    )
    assert run.step("update_dns").state is StepState.VERIFIED
    if is_whole:
        require_whole_end(incident)
        return
    assert run.step("restore_data").reason == WORSE
    assert verdict.tone is not Tone.GOOD
    assert seen_end(record, fold(facts)) == degrades("restore_data")
    with pytest.raises(RecoveredDegraded, match=WORSE):
        require_whole_end(incident)


def test_an_attempt_that_is_whole_ends_it(tmp_path: Path) -> None:
    world = make_world(tmp_path / "w")
    journal = journal_in(world)
    report(journal)
    incident = drive_to_end(world, journal)
    assert state_of(incident, "restore_data") is StepState.VERIFIED
    step = next(iter(incident.runs.values())).steps["restore_data"]
    assert step.degradations() == ()
    step.actions["database"].degraded = WORSE
    assert step.degradations() == (WORSE,)


def test_an_older_record_knows_nothing_degraded() -> None:
    event = ActionEnded(run="r", step="s", action="a", key="k", outcome="done")
    assert event.degraded == ""


def test_it_is_found_again_after_a_death(tmp_path: Path) -> None:
    context = Stage().context()
    assert isinstance(finding(tmp_path, "a.verb", context), NotDone)
    begin(tmp_path, "a.verb", context)
    done = finish(tmp_path, "a.verb", context, Done(summary="restored", degraded=WORSE))
    assert finding(tmp_path, "a.verb", context) == done
