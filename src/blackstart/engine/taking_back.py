# SPDX-License-Identifier: Apache-2.0
"""Takes back what a step did, its last action first, as far as the verbs can."""

from __future__ import annotations

from functools import partial
from operator import itemgetter

from blackstart.engine.acting import Job, Reins, context_of, job_of, record, safely
from blackstart.engine.installation import Installation
from blackstart.engine.offered import build
from blackstart.model import orders
from blackstart.model.incident import Incident, RunView, StepView
from blackstart.model.plan import Target
from blackstart.model.runbook import MANUAL, ActionSpec, StepSpec
from blackstart.ports.action import Check, Failed, Undoable
from blackstart.ports.crew import Signal
from blackstart.ports.journal import Entry, Journal

_BY_HAND = "what was done by hand"  # among the actions that were kept: no verb knows it


def take_back(
    house: Installation,
    journal: Journal,
    incident: Incident,
    run: RunView,
    target: Target,
    step: StepSpec,
    halt: Signal,
) -> None:
    """Take back what the step did, its last action first, and record how that went.

    Undoing may be repeated, so a death in between needs no record of its own.
    """
    undone: list[str] = []
    kept = [_BY_HAND] if run.step(step.name).evidence else []
    for spec, attempt in _begun_last_first(run.step(step.name), step):
        if halt.is_set():
            return  # somebody else may drive by now, and may have begun the step again
        job = job_of(incident.id, run, target, step.name, spec, attempt)
        outcome = safely(house, job, partial(_undo, house, journal, job, halt))
        if isinstance(outcome, Failed):
            if not halt.is_set():
                record(journal, house, job, _undo_failed(house, job, outcome))
            return
        if outcome is not None:
            (undone if outcome else kept).append(spec.name)
    done = orders.StepUndone(
        run=run.started.run, step=step.name, undone=tuple(undone), kept=tuple(kept)
    )
    journal.append(incident.id, house.holder, [Entry(event=done)])


def _begun_last_first(view: StepView, step: StepSpec) -> list[tuple[ActionSpec, int]]:
    begun = [
        (action.started_at, index, spec, action.attempt)
        for index, spec in enumerate(step.do)
        if (action := view.actions.get(spec.name)) and action.started_at
    ]
    return [(spec, attempt) for _, _, spec, attempt in sorted(begun, key=itemgetter(0, 1))[::-1]]


def _undo(house: Installation, journal: Journal, job: Job, halt: Signal) -> Failed | bool | None:
    """Return Failed, True when it was taken back, False when its verb cannot, None for a check."""
    if job.spec.use == MANUAL:
        return False
    provider = build(house.verbs, job.spec.use, job.params)
    if isinstance(provider, Check):
        return None
    if not isinstance(provider, Undoable):
        return False
    outcome = provider.undo(context_of(house, journal, job, Reins(halt=halt, cancel=halt)))
    return outcome if isinstance(outcome, Failed) else True


def _undo_failed(house: Installation, job: Job, outcome: Failed) -> orders.UndoFailed:
    return orders.UndoFailed(
        run=job.run,
        step=job.step,
        action=job.spec.name,
        summary=house.redact(outcome.summary),
        hint=house.redact(outcome.hint),
    )
