# SPDX-License-Identifier: Apache-2.0
"""What the texts of all notices are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from blackstart.model.plan import Mode
from blackstart.model.runbook import POLICY_STEPS
from blackstart.model.states import StepState, lets_others_go
from blackstart.model.views import Incident, RunView
from blackstart.model.words import say_count, say_moment

TELLING = ("notify_users", "announce_recovery")  # who reads of it sees himself whether he was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Subject and body of a notice; `tone` is bad, good or neutral."""

    subject: str
    body: str
    tone: str = "neutral"


def question_text(incident: Incident, text: str) -> str:
    """Return what a person is asked; in a drill it says so first, wherever it is read."""
    return f"DRILL: {text}" if incident.reported.mode == Mode.DRILL else text


def systems_of(incident: Incident) -> str:
    """Return the names of the systems that are affected."""
    return " and ".join(incident.reported.systems)


def is_or_are(incident: Incident) -> str:
    """Return the verb that follows the names of the systems."""
    return "is" if len(incident.reported.systems) == 1 else "are"


def runs_out(incident: Incident) -> tuple[RunView, ...]:
    """Return the runs of the systems that nobody has seen working again from outside."""
    return tuple(run for run in incident.runs.values() if not _back_since(incident, run))


def _back_since(incident: Incident, run: RunView) -> datetime | None:
    first = incident.measures.get(f"{run.started.system}:first_service")
    return first.end if first else None


def reach_rows(incident: Incident) -> Iterator[str]:
    """Yield which systems work again, and which cannot be reached yet."""
    for run in incident.runs.values():
        at = _back_since(incident, run)
        if at:
            yield f"{run.started.system} works again since {say_moment(at)}."
    out = [run.started.system for run in runs_out(incident)]
    out = out if incident.runs else list(incident.reported.systems)
    if out:
        since = say_moment(incident.outage_start)
        yield f"{' and '.join(out)} cannot be reached since {since}."


def work_rows(incident: Incident) -> Iterator[str]:
    """Yield how far each system that is still out has come, in words that everybody knows."""
    for run in runs_out(incident):
        steps = {name: step for name, step in run.steps.items() if name not in TELLING}
        done = sum(lets_others_go(step.state) for step in steps.values())
        busy = [name for name, step in steps.items() if step.state is StepState.RUNNING]
        stuck = [name for name, step in steps.items() if step.state is StepState.FAILED]
        verb = "is" if done == 1 else "are"
        yield f"{run.started.system}: {say_count(done, 'step')} {verb} done"
        if busy:
            yield f"- in progress: {plainly(busy)}"
        if stuck:
            yield f"- being put right by people: {plainly(stuck)}"


def plainly(steps: list[str]) -> str:
    """Return steps in the policy's words."""
    return ", ".join(POLICY_STEPS.get(name, name.replace("_", " ")).lower() for name in steps)
