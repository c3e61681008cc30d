# SPDX-License-Identifier: Apache-2.0
"""What the texts of all notices are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from blackstart.model.runbook import POLICY_STEPS
from blackstart.model.states import StepState, lets_others_go
from blackstart.model.views import Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Subject and body of a notice; `tone` is bad, good or neutral."""

    subject: str
    body: str
    tone: str = "neutral"


def systems_of(incident: Incident) -> str:
    """Return the names of the systems that are affected."""
    return " and ".join(incident.reported.systems)


def work_rows(incident: Incident) -> Iterator[str]:
    """Yield how far the recovery of each system is, in words that everybody knows."""
    for run in incident.runs.values():
        done = [n for n, step in run.steps.items() if lets_others_go(step.state)]
        busy = [n for n, step in run.steps.items() if step.state is StepState.RUNNING]
        stuck = [n for n, step in run.steps.items() if step.state is StepState.FAILED]
        yield f"{run.started.system}: {len(done)} steps are done"
        if busy:
            yield f"- in progress: {plainly(busy)}"
        if stuck:
            yield f"- being put right by people: {plainly(stuck)}"


def plainly(steps: list[str]) -> str:
    """Return steps in the policy's words."""
    return ", ".join(POLICY_STEPS.get(name, name.replace("_", " ")).lower() for name in steps)
