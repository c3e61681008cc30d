# SPDX-License-Identifier: Apache-2.0
"""The exact measures, taken from what actions reported. Pure. Definitions: `docs/GLOSSARY.md`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from blackstart.model import events as ev
from blackstart.model.graph import action_id, critical_path
from blackstart.model.incident import Incident, RunView
from blackstart.model.plan import Plan
from blackstart.model.runbook import Param, Phase, Runbook
from blackstart.model.states import StepState, lets_others_go
from blackstart.model.words import read_moment

_RPO = "rpo:database"
_BOUND = "at most: from the last recovered transaction to the start of the outage"
_NO_HISTORY = "the plan's expected times along the critical path; there is no history yet"
_HISTORY = "what three of four of the last {of} runs took at most, along the critical path"


def estimate_of(
    plan: Plan, runbook: Runbook, incident: Incident, run: RunView
) -> Iterator[ev.EstimateMade]:
    """Yield the estimate once the impact was assessed (or failed to be).

    It rests on earlier runs as far as there were enough of them, else on the plan's figures.
    """
    first = [step for step in runbook.steps if step.phase is Phase.NOTIFICATION]
    ended = (StepState.FAILED, StepState.VERIFIED, StepState.DEGRADED, StepState.SKIPPED)
    if run.estimate is None and all(run.step(step.name).state in ended for step in first):
        known = [each for each in incident.reported.usual if each.system == runbook.system]
        took_s = {action_id(each.step, each.action): each.p75_s for each in known}
        expected_s, path = critical_path(runbook, took_s)
        most = max((each.of for each in known), default=0)
        yield ev.EstimateMade(
            run=run.started.run,
            expected_s=expected_s,
            goal_s=plan.policy.objectives.rto_s,
            basis=_HISTORY.format(of=most) if known else _NO_HISTORY,
            critical_path=path,
        )


def measures_of(runbook: Runbook, incident: Incident, run: RunView) -> Iterator[ev.MeasureTaken]:
    """Yield first service, full service and the recovery point when they are known.

    The first step that gives one counts. A corrected start of the outage takes them anew.
    """
    outputs = run.outputs()
    start = incident.outage_start
    found: dict[str, ev.MeasureTaken] = {}
    for step in runbook.steps:
        given = outputs.get(step.name, {})
        if not lets_others_go(run.step(step.name).state):
            continue
        for name in ("first_service", "full_service"):
            at = _moment(given.get(f"{name}_at"))
            if at:
                found.setdefault(name, _measure(run, name, start, max(at, start)))
        recovered_to = _moment(given.get("recovered_to"))
        if recovered_to:
            bound = _measure(run, _RPO, recovered_to, max(start, recovered_to))
            found.setdefault(_RPO, replace(bound, label=_BOUND, is_bound=True))
    for name, measure in found.items():
        if incident.measures.get(f"{run.started.system}:{name}") != measure:
            yield measure


def _measure(run: RunView, name: str, start: datetime, end: datetime) -> ev.MeasureTaken:
    return ev.MeasureTaken(name=name, start=start, end=end, system=run.started.system)


def _moment(value: Param) -> datetime | None:
    return read_moment(value) if isinstance(value, str) else None
