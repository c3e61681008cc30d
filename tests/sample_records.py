# SPDX-License-Identifier: Apache-2.0
"""Records of sample drills, good and stopped, to render and to look at."""

from __future__ import annotations

from blackstart.model.events import Fact
from blackstart.model.plan import Objectives
from blackstart.reports.record import DrillRecord, Figures, Injection, Loss
from tests.sample_facts import LINES, complete_drill, evidence_of, stopped_drill
from tests.sample_steps import sample_runbook

PEOPLE = {
    "p1": "Ada Northcote",
    "p2": "Jonas Weir",
    "p3": "Miriam Okafor",
    "p4": "Lena Hartwig",
    "p5": "Tom Aldous",
    "p6": "Ines Caruana",
}
ROLES = {"incident_commander": "CTO", "ceo": "CEO"}
NO_WRITE_LOST = Loss(acknowledged=605, lost=0, in_flight=2)


def sample_record() -> DrillRecord:
    """Return the record of the good drill."""
    return _record(complete_drill())


def stopped_record() -> DrillRecord:
    """Return the record of a drill with an injected defect that was caught."""
    place = "restore_data.credentials"
    injection = Injection(
        name="wrong-credential-secret",
        meaning="The platform gets another credential secret than the one that sealed its flows.",
        expected=f"stops at {place}",
        seen=f"stops at {place}",
    )
    return _record(stopped_drill(place), injection=injection, loss=None)


def _record(
    facts: tuple[Fact, ...],
    *,
    injection: Injection | None = None,
    loss: Loss | None = NO_WRITE_LOST,
) -> DrillRecord:
    return DrillRecord(
        facts=facts,
        runbooks=(sample_runbook(),),
        organisation="FlowFuse",
        plan_name="blackstart.yaml",
        objectives=Objectives(),
        version="0.1.0",
        item_goals={"database": 300.0},
        people=PEOPLE,
        roles=ROLES,
        loss=loss,
        figures=Figures(peak_memory_bytes=91_226_112, start_up_s=0.14),
        injection=injection,
        journal_faults=(),
        machine={
            "Processor": "2 cores, x86_64",
            "Memory": "8 GiB",
            "System": "Debian 12, Linux 6.1",
        },
        evidence_names={
            digest: f"{step}.{action}.json"
            for step, line in LINES.items()
            for action in (act.name for act in line.acts)
            for digest in [evidence_of(step, action)]
        },
    )
