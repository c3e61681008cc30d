# SPDX-License-Identifier: Apache-2.0
"""Carries out one action: fills its parameters in, acts or looks first, and records the end.

The start of the attempt stands in the journal before `carry_out` is called (record, act, record).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import TypeVar, assert_never

from blackstart.engine.installation import Installation
from blackstart.engine.offered import build
from blackstart.engine.patience import keep_in_time, record_in_time
from blackstart.engine.probe import look_from
from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.errors import BlackstartError, JournalFailed, Superseded
from blackstart.model.incident import Incident, RunView, StepView
from blackstart.model.notices import customer_audience
from blackstart.model.plan import Target
from blackstart.model.references import fill
from blackstart.model.runbook import MANUAL, ActionSpec, Param, StepSpec
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
    Undoable,
    Unknown,
    without_secrets,
)
from blackstart.ports.crew import Signal
from blackstart.ports.journal import Entry, Journal
from blackstart.ports.roster import AffectedPerson
from blackstart.world.clock import countdown

_LOOK_AGAIN_S = 1.0
_PROGRESS_EVERY_S = 0.2
_BY_HAND = "what was done by hand"  # among the actions that were kept: no verb knows it
T = TypeVar("T")


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
    given: Mapping[str, Mapping[str, Param]]  # what other actions gave: step → output → value

    @property
    def params(self) -> dict[str, Param]:
        """The parameters, filled in. Raises Refused when an output that they name is not there."""
        return fill(self.spec.params, self.given)

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
    """Return the job, with what other actions gave so far."""
    return Job(
        incident=incident,
        run=run.started.run,
        system=run.started.system,
        marker=run.started.marker,
        target=target,
        step=step,
        spec=spec,
        attempt=attempt,
        given=run.outputs(),
    )


def carry_out(
    house: Installation, journal: Journal, job: Job, halt: Signal, *, is_in_doubt: bool
) -> None:
    """Do the job to its end and record it. Expected failures end the action, not the caller.

    Raises JournalFailed when the end cannot be recorded; the attempt is then in doubt for
    whoever drives next.
    """

    if halt.is_set():
        return  # it waited for its turn until the driver stopped: nothing was begun

    def act() -> tuple[Job, Outcome | None]:
        provider = build(house.verbs, job.spec.use, job.params)
        if isinstance(provider, Check):
            return job, _ask(house, journal, job, provider, halt)
        if is_in_doubt:
            return _look_then_act(house, journal, job, provider, halt)
        return job, provider.perform(_context(house, journal, job, halt))

    done = _safely(house, job, act)
    job, seen = (job, done) if isinstance(done, Failed) else done
    outcome = seen or _not_seen(job)
    if halt.is_set() and isinstance(outcome, Failed):
        return  # stopped by us, not by the world: it stays in doubt, whoever drives next looks
    ended = _ended(house, job, outcome, in_doubt=seen is None)
    record_in_time(house, halt, lambda: _record(journal, house, job, ended))


def _safely(house: Installation, job: Job, act: Callable[[], T]) -> T | Failed:
    """Return what `act` returns; expected errors and a provider's bugs become Failed.

    Raises JournalFailed, Superseded: what cannot be recorded ends the driver.
    """
    try:
        return act()
    except (JournalFailed, Superseded):
        raise
    except BlackstartError as error:
        return Failed(summary=error.what, hint=error.hint)
    except Exception as error:  # noqa: BLE001  a provider's bug must not take the driver along
        return _bug(house, job, error)


def _not_seen(job: Job) -> Failed:
    return Failed(
        summary=f"nobody could see how {job.spec.use} ended",
        hint="Look at the place yourself. Then retry, which looks again before it does anything, "
        "or finish the step by hand.",
    )


def _ask(house: Installation, journal: Journal, job: Job, check: Check, halt: Signal) -> Outcome:
    context = _context(house, journal, job, halt)
    if job.spec.vantage:
        vantage = house.plan.vantages[job.spec.vantage]
        return look_from(vantage, house.probe, job.spec.use, job.params, context, house.secrets)
    return check.check(context)


def _look_then_act(
    house: Installation, journal: Journal, job: Job, action: Action, halt: Signal
) -> tuple[Job, Outcome | None]:
    """Look at the world for what an attempt left whose end nobody saw, and go on from there.

    None when the world gave no answer before the deadline: nothing may be performed then.
    """
    context = _context(house, journal, job, halt)
    noted = ""
    while True:
        finding = action.inspect(context)
        kind = _FINDINGS[type(finding)]
        if kind != noted:
            noted = kind
            note = house.redact(getattr(finding, "note", ""))
            _record(journal, house, job, _inspected(job, kind, note))
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
                    return job, None
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


def _ended(house: Installation, job: Job, outcome: Outcome, *, in_doubt: bool) -> ev.ActionEnded:
    is_done = isinstance(outcome, Done)
    outputs = outcome.outputs if isinstance(outcome, Done) else {}
    return ev.ActionEnded(
        run=job.run,
        step=job.step,
        action=job.spec.name,
        key=job.key,
        outcome="done" if is_done else "failed",
        degraded=house.redact(outcome.degraded) if isinstance(outcome, Done) else "",
        outputs={name: without_secrets(house.redact, value) for name, value in outputs.items()},
        evidence=outcome.evidence,
        sightings=tuple(replace(seen, seen=house.redact(seen.seen)) for seen in outcome.sightings),
        summary=house.redact(outcome.summary),
        hint=house.redact(outcome.hint) if isinstance(outcome, Failed) else "",
        in_doubt=in_doubt,
    )


def _bug(house: Installation, job: Job, error: Exception) -> Failed:
    trace = house.redact("".join(traceback.format_exception(error)))
    digest = house.evidence.keep(f"{job.step}.{job.spec.name}.traceback.txt", trace.encode())
    return Failed(
        summary=f"{job.spec.use} broke: {type(error).__name__}: {error}",
        hint="This is a defect of the provider; the traceback is in the evidence. Finish by hand.",
        evidence=(digest,),
    )


def _context(house: Installation, journal: Journal, job: Job, halt: Signal) -> Context:
    left_s = countdown(house.clock, job.spec.limit_s)
    return Context(
        key=job.key,
        marker=job.marker,
        target=job.target,
        left_s=left_s,
        now=house.clock.now,
        cancelled=lambda: halt.is_set() or left_s() <= 0,
        progress=_progress(house, journal, job),
        keep=partial(keep_in_time, house, lambda: left_s() <= 0, halt),
        seal=lambda name, value: house.secrets.put(job.run, name, value),
        reveal=house.secrets.reveal,
        remember=lambda audience, people: _remember(journal, job, audience, people),
        verified_points=lambda item: verified_points(journal, job.system, item),
        redact=house.redact,
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


def audience_name(of: str, audience: str) -> str:
    """Return the name of an audience of a run, or of all runs of an incident."""
    return f"{of}:{audience}"


def _remember(journal: Journal, job: Job, audience: str, people: tuple[AffectedPerson, ...]) -> int:
    """Put people into the contact store, for their system, their teams and the whole incident.

    Systems number their users each for themselves, so an id is known together with its system.
    """
    named = tuple(replace(person, id=f"{job.system}/{person.id}") for person in people)
    for team in dict.fromkeys(team for person in named for team in person.teams):
        theirs = tuple(person for person in named if team in person.teams)
        journal.remember_people(audience_name(job.run, customer_audience(team)), theirs)
    journal.remember_people(audience_name(job.incident, audience), named)
    return journal.remember_people(audience_name(job.run, audience), named)


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
        job = job_of(incident.id, run, target, step.name, spec, attempt)
        outcome = _safely(house, job, partial(_undo, house, journal, job, halt))
        if isinstance(outcome, Failed):
            if not halt.is_set():
                _record(journal, house, job, _undo_failed(house, job, outcome))
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
    outcome = provider.undo(_context(house, journal, job, halt))
    return outcome if isinstance(outcome, Failed) else True


def _undo_failed(house: Installation, job: Job, outcome: Failed) -> orders.UndoFailed:
    return orders.UndoFailed(
        run=job.run,
        step=job.step,
        action=job.spec.name,
        summary=house.redact(outcome.summary),
        hint=house.redact(outcome.hint),
    )


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
