# SPDX-License-Identifier: Apache-2.0
"""Carries out one action: fills its parameters in, acts or looks first, and records the end.

The start of the attempt stands in the journal before `carry_out` is called (record, act, record).
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from blackstart.engine.installation import Installation, build
from blackstart.engine.probe import look_from
from blackstart.model import events as ev
from blackstart.model.codec import to_bytes
from blackstart.model.errors import BlackstartError, JournalFailed
from blackstart.model.incident import RunView
from blackstart.model.plan import Target
from blackstart.model.references import fill
from blackstart.model.runbook import ActionSpec, Param
from blackstart.ports.action import (
    Action,
    Check,
    Context,
    Done,
    Failed,
    NotDone,
    Outcome,
    Partial,
    Running,
    Unknown,
)
from blackstart.ports.journal import Entry, Journal
from blackstart.ports.roster import AffectedPerson

_LOOK_AGAIN_S = 1.0
_PROGRESS_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt at one action, with all that it needs to know."""

    incident: str
    run: str
    system: str
    marker: str
    target: Target
    step: str
    spec: ActionSpec
    attempt: int
    params: dict[str, Param]

    @property
    def key(self) -> str:
        """The name of this attempt, which the action leaves in the world."""
        return key_of(self.run, self.step, self.spec.name, self.attempt)


def key_of(run: str, step: str, action: str, attempt: int) -> str:
    """Return the key of an attempt; the run's name begins with the incident's."""
    return f"{run}/{step}/{action}/{attempt}"


def job_of(
    incident: str, run: RunView, target: Target, step: str, spec: ActionSpec, attempt: int
) -> Job:
    """Return the job, its parameters filled in with what other actions gave."""
    return Job(
        incident=incident,
        run=run.started.run,
        system=run.started.system,
        marker=run.started.marker,
        target=target,
        step=step,
        spec=spec,
        attempt=attempt,
        params=dict(fill(spec.params, run.outputs())),
    )


def carry_out(
    house: Installation, journal: Journal, job: Job, halt: threading.Event, *, is_in_doubt: bool
) -> None:
    """Do the job to its end and record it. Expected failures end the action, not the caller.

    Raises JournalFailed when the end cannot be recorded; the attempt is then in doubt for
    whoever drives next.
    """
    try:
        provider = build(house.verbs, job.spec.use, job.params)
        if isinstance(provider, Check):
            outcome = _ask(house, journal, job, provider, halt)
        elif is_in_doubt:
            job, outcome = _look_then_act(house, journal, job, provider, halt)
        else:
            outcome = provider.perform(_context(house, journal, job, halt))
    except JournalFailed:
        raise
    except BlackstartError as error:
        outcome = Failed(summary=error.what, hint=error.hint)
    except Exception as error:  # noqa: BLE001  a provider's bug must not take the driver along
        outcome = _bug(house, job, error)
    if halt.is_set() and isinstance(outcome, Failed):
        return  # stopped by us, not by the world: it stays in doubt, whoever drives next looks
    _record_end(house, journal, job, outcome)


def _ask(
    house: Installation, journal: Journal, job: Job, check: Check, halt: threading.Event
) -> Outcome:
    context = _context(house, journal, job, halt)
    if job.spec.vantage:
        vantage = house.plan.vantages[job.spec.vantage]
        return look_from(vantage, house.probe, job.spec.use, job.params, context, house.secrets)
    return check.check(context)


def _look_then_act(
    house: Installation, journal: Journal, job: Job, action: Action, halt: threading.Event
) -> tuple[Job, Outcome]:
    """Look at the world for what an attempt left whose end nobody saw, and go on from there."""
    context = _context(house, journal, job, halt)
    noted = ""
    while True:
        finding = action.inspect(context)
        kind = _FINDINGS[type(finding)]
        if kind != noted:
            noted = kind
            _record(journal, house, job, _inspected(job, kind, getattr(finding, "note", "")))
        match finding:
            case Done():
                return job, finding
            case NotDone():
                return job, action.perform(context)
            case Partial():
                again = replace(job, attempt=job.attempt + 1)
                _record(journal, house, again, started(again))
                return again, action.perform(_context(house, journal, again, halt))
            case Running() | Unknown():
                if halt.wait(_LOOK_AGAIN_S) or context.cancelled():
                    return job, Failed(
                        summary=f"{job.spec.use} is {kind}: {finding.note}",
                        hint="Look at the place yourself; then retry, or finish the step by hand.",
                    )
            case _:
                assert_never(finding)


_FINDINGS: dict[type, str] = {
    Done: "done",
    Running: "running",
    Partial: "partial",
    NotDone: "not_done",
    Unknown: "unknown",
}


def started(job: Job) -> ev.ActionStarted:
    """Return the fact that precedes the attempt."""
    return ev.ActionStarted(
        run=job.run, step=job.step, action=job.spec.name, attempt=job.attempt, key=job.key
    )


def _inspected(job: Job, finding: str, note: str) -> ev.ActionInspected:
    return ev.ActionInspected(
        run=job.run, step=job.step, action=job.spec.name, key=job.key, finding=finding, note=note
    )


def _record(journal: Journal, house: Installation, job: Job, event: ev.Event) -> None:
    journal.append(job.incident, house.holder, [Entry(event=event)])


def _record_end(house: Installation, journal: Journal, job: Job, outcome: Outcome) -> None:
    is_done = isinstance(outcome, Done)
    _record(
        journal,
        house,
        job,
        ev.ActionEnded(
            run=job.run,
            step=job.step,
            action=job.spec.name,
            key=job.key,
            outcome="done" if is_done else "failed",
            outputs=outcome.outputs if isinstance(outcome, Done) else {},
            evidence=outcome.evidence,
            sightings=outcome.sightings,
            summary=house.redact(outcome.summary),
            hint=house.redact(outcome.hint) if isinstance(outcome, Failed) else "",
        ),
    )


def _bug(house: Installation, job: Job, error: Exception) -> Failed:
    trace = house.redact("".join(traceback.format_exception(error)))
    digest = house.evidence.keep(f"{job.step}.{job.spec.name}.traceback.txt", trace.encode())
    return Failed(
        summary=f"{job.spec.use} broke: {type(error).__name__}: {error}",
        hint="This is a defect of the provider; the traceback is in the evidence. Finish by hand.",
        evidence=(digest,),
    )


def _context(house: Installation, journal: Journal, job: Job, halt: threading.Event) -> Context:
    deadline = house.clock.now() + timedelta(seconds=job.spec.limit_s)
    return Context(
        key=job.key,
        marker=job.marker,
        target=job.target,
        deadline=deadline,
        now=house.clock.now,
        cancelled=lambda: halt.is_set() or house.clock.now() > deadline,
        progress=_progress(house, journal, job),
        keep=house.evidence.keep,
        seal=lambda name, value: house.secrets.put(job.run, name, value),
        reveal=house.secrets.reveal,
        remember=lambda audience, people: remember(journal, job.incident, audience, people),
        verified_points=lambda item: verified_points(journal, job.system, item),
    )


def _progress(
    house: Installation, journal: Journal, job: Job
) -> Callable[[float, float, str], None]:
    last = [-_PROGRESS_EVERY_S]

    def note(done: float, total: float, unit: str) -> None:
        now = house.clock.monotonic_s()
        if now - last[0] >= _PROGRESS_EVERY_S or done >= total:
            last[0] = now
            journal.note_progress(job.incident, f"{job.step}.{job.spec.name}", done, total, unit)

    return note


def remember(
    journal: Journal, incident: str, audience: str, people: tuple[AffectedPerson, ...]
) -> int:
    """Put people into the contact store under an audience of this incident; return how many."""
    return journal.remember_people(f"{incident}:{audience}", people)


def verified_points(journal: Journal, system: str, item: str) -> tuple[str, ...]:
    """Return the restore points of a state item that were proven good, oldest first."""
    good: dict[str, datetime] = {}
    for fact in journal.read(ev.INSTALLATION):
        match fact.event:
            case ev.RestorePointVerified(system=of, item=name, point=point, taken_at=taken_at):
                if (of, name) == (system, item):
                    good[point] = taken_at
            case ev.RestorePointRejected(system=of, item=name, point=point):
                if (of, name) == (system, item):
                    good.pop(point, None)
            case _:
                continue
    return tuple(sorted(good, key=lambda point: (good[point], point)))


def digest_of_runbook(house: Installation, system: str) -> str:
    """Keep the compiled runbook as evidence and return its digest."""
    return house.evidence.keep(f"runbook-{system}.json", to_bytes(house.runbooks[system]))
