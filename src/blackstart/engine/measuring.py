# SPDX-License-Identifier: Apache-2.0
"""The exact measures, taken from what actions reported. Pure. Definitions: `docs/GLOSSARY.md`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from blackstart.model import events as ev
from blackstart.model.graph import critical_path
from blackstart.model.incident import Incident, RunView
from blackstart.model.plan import Plan
from blackstart.model.runbook import Param, Phase, Runbook
from blackstart.model.states import StepState, lets_others_go

_NO_HISTORY = "the plan's expected times along the critical path; there is no history yet"


def estimate_of(plan: Plan, runbook: Runbook, run: RunView) -> Iterator[ev.EstimateMade]:
    """Yield the estimate once the impact was assessed (or failed to be)."""
    first = [step for step in runbook.steps if step.phase is Phase.NOTIFICATION]
    ended = (StepState.FAILED, StepState.VERIFIED, StepState.DEGRADED, StepState.SKIPPED)
    if run.estimate is None and all(run.step(step.name).state in ended for step in first):
        expected_s, path = critical_path(runbook)
        yield ev.EstimateMade(
            run=run.started.run,
            expected_s=expected_s,
            goal_s=plan.policy.objectives.rto_s,
            basis=_NO_HISTORY,
            critical_path=path,
        )


def measures_of(runbook: Runbook, incident: Incident, run: RunView) -> Iterator[ev.MeasureTaken]:
    """Yield first service, full service and the recovery point, each once, when it is known."""
    outputs = run.outputs()
    start = incident.reported.outage_start
    for step in runbook.steps:
        given = outputs.get(step.name, {})
        if not lets_others_go(run.step(step.name).state):
            continue
        for name in ("first_service", "full_service"):
            at = _moment(given.get(f"{name}_at"))
            if at:
                yield from _new(incident, run, name, start, max(at, start))
        recovered_to = _moment(given.get("recovered_to"))
        if recovered_to:
            yield from _new(
                incident,
                run,
                "rpo:database",
                recovered_to,
                max(start, recovered_to),
                label="at most: from the last recovered transaction to the start of the outage",
                is_bound=True,
            )


def _new(
    incident: Incident,
    run: RunView,
    name: str,
    start: datetime,
    end: datetime,
    *,
    label: str = "",
    is_bound: bool = False,
) -> Iterator[ev.MeasureTaken]:
    if f"{run.started.system}:{name}" not in incident.measures:
        yield ev.MeasureTaken(
            name=name,
            start=start,
            end=end,
            system=run.started.system,
            label=label,
            is_bound=is_bound,
        )


def _moment(value: Param) -> datetime | None:
    if not isinstance(value, str) or not value:
        return None
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else None
