# SPDX-License-Identifier: Apache-2.0
"""What a drill came to: its record, its reports on disk, and the cross-check by other witnesses."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from blackstart import __version__
from blackstart.bootstrap import house_of
from blackstart.cli.follow import Followed, place_of_stop
from blackstart.cli.telling import false_news
from blackstart.model import events as ev
from blackstart.model.errors import RecoveredDegraded, Stopped, WorldFailed
from blackstart.model.incident import Incident
from blackstart.model.plan import Objectives
from blackstart.reports.drill import render_html, render_json
from blackstart.reports.phrases import Tone
from blackstart.reports.record import (
    DrillRecord,
    Figures,
    Injection,
    Loss,
    artefacts_of,
    path_of_artefact,
)
from blackstart.reports.scorecard import score
from blackstart.reports.told import DeliveryCount
from blackstart.reports.verdict import judge
from blackstart.sandbox.injection import HEALTHY, TOLD, broken_haunt, degrades, stops_at
from blackstart.sandbox.injection import Injection as Chosen
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.loss import Loss as Counted

PLAN_NAME = "blackstart.yaml"


def measure_start_up_s() -> float:
    """Return the best of three times that `blackstart --help` takes, in seconds."""
    argv = [sys.executable, "-m", "blackstart", "--help"]

    def once() -> float:
        began = time.perf_counter()
        subprocess.run(argv, check=True, capture_output=True)
        return time.perf_counter() - began

    return min(once() for _ in range(3))


def empty_record() -> DrillRecord:
    """Return the record of a drill of which nothing is known yet."""
    return DrillRecord(
        facts=(),
        runbooks=(),
        organisation="",
        plan_name=PLAN_NAME,
        objectives=Objectives(),
        version=__version__,
    )


def frame_of(followed: Followed) -> DrillRecord:
    """Return the record with the plan's part and the facts so far, nothing measured yet."""
    house = house_of(followed.home, followed.id)
    plan = house.plan
    return DrillRecord(
        facts=followed.facts,
        runbooks=tuple(house.runbooks.values()),
        organisation=plan.organisation,
        plan_name=PLAN_NAME,
        objectives=plan.policy.objectives,
        version=__version__,
        item_goals={i.name: i.rpo_s for s in plan.systems.values() for i in s.state},
        people={person.id: person.name for person in plan.people.values()},
        roles={role.name: role.title for role in plan.roles.values()},
    )


def make_record(
    followed: Followed,
    *,
    peak_memory: int | None,
    loss: Counted | None,
) -> DrillRecord:
    """Return everything that is to be shown of the drill; without an incident there is little."""
    facts = followed.home.journal.read(followed.id) if followed.id else ()
    return replace(
        frame_of(followed) if followed.id else empty_record(),
        facts=facts,
        deliveries=tuple(_counts(followed)),
        loss=_loss(loss),
        figures=Figures(peak_memory_bytes=peak_memory, start_up_s=measure_start_up_s()),
        machine=_machine(),
        evidence_names=_names(followed, facts),
        journal_faults=followed.home.journal.verify(),
    )


def _counts(followed: Followed) -> Iterable[DeliveryCount]:
    incident = followed.incident
    for notice in incident.notices if incident else ():
        states = [row.state for row in followed.home.journal.deliveries(followed.id, notice)]
        yield DeliveryCount(
            notice=notice,
            accepted=states.count("accepted"),
            refused=states.count("refused"),
            uncertain=states.count("uncertain"),
        )


def _loss(counted: Counted | None) -> Loss | None:
    if counted is None:
        return None
    return Loss(
        acknowledged=counted.acknowledged,
        lost=len(counted.lost),
        in_flight=len(counted.in_flight_present),
        surplus=len(counted.surplus),
    )


def _machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "System": f"{platform.system()} {platform.release()}",
        "Processors": str(os.cpu_count()),
        "Memory": f"{memory / 2**30:.0f} GiB",
        "Python": platform.python_version(),
    }


def _names(followed: Followed, facts: tuple[ev.Fact, ...]) -> dict[str, str]:
    """Return digest → name of each artefact that is to be had; a report is written without too."""
    found = {}
    for digest in sorted(artefacts_of(facts)):
        with suppress(WorldFailed):
            found[digest] = followed.home.evidence.name_of(digest)
    return found


def write_reports(record: DrillRecord, followed: Followed, folder: Path) -> dict[str, Path]:
    """Write report, record and post-mortem draft, copy the evidence beside them; title → path."""
    (folder / "evidence").mkdir(parents=True, exist_ok=True)
    paths = {"Report": folder / "report.html", "Record": folder / "record.json"}
    paths["Report"].write_text(render_html(record), encoding="utf-8")
    paths["Record"].write_bytes(render_json(record))
    if followed.incident and followed.incident.postmortem:
        paths["Post-mortem draft"] = folder / "postmortem.md"
        draft = followed.home.evidence.fetch(followed.incident.postmortem)
        paths["Post-mortem draft"].write_bytes(draft)
    for digest, name in record.evidence_names.items():
        content = followed.home.evidence.fetch(digest)
        (folder / path_of_artefact(digest, name)).write_bytes(content)
    return paths


def seen_end(record: DrillRecord, incident: Incident) -> str:
    """Return the end that the drill came to, in the words in which injections expect it."""
    place = place_of_stop(incident)
    if place:
        return stops_at(place)
    if not incident.runs or not all(run.outcome for run in incident.runs.values()):
        return "no end"
    card = score(record.facts, record.runbooks, record.objectives, record.item_goals)
    if judge(record, card).tone is Tone.GOOD:
        return HEALTHY
    short = [
        name
        for run in incident.runs.values()
        for name, step in run.steps.items()
        if step.state in ("degraded", "skipped")
    ]
    return degrades(*short) if short else TOLD


def exit_code_of(end: str) -> int:
    """Return the exit code of a drill that came to this end, and to no other harm."""
    if end == HEALTHY:
        return 0
    is_recovered = end == TOLD or end.startswith(degrades(""))
    return (RecoveredDegraded if is_recovered else Stopped).exit_code


def with_injection(
    record: DrillRecord, chosen: Chosen, layout: Layout, incident: Incident
) -> DrillRecord:
    """Return the record with the injection, the end it came to, and what witnesses saw."""
    broken = broken_haunt(layout)
    suffered = (
        f"the injection broke: {broken.read_text()}" if broken.exists() else chosen.witness(layout)
    )
    seen = seen_end(record, incident) + (f", and {suffered}" if suffered else "")
    injection = Injection(
        name=chosen.name,
        meaning=chosen.what,
        expected=chosen.expected,
        seen=seen,
        false_news=false_news(layout, record.facts) if place_of_stop(incident) else (),
    )
    return replace(record, injection=injection)
