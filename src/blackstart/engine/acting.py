# SPDX-License-Identifier: Apache-2.0
"""Carries out one action: fills its parameters in, acts or looks first, and records the end.

The start of the attempt stands in the journal before `carry_out` is called (record, act, record).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from blackstart.engine.installation import Installation
from blackstart.engine.offered import build
from blackstart.engine.patience import keep_in_time, record_in_time
from blackstart.engine.probe import look_from
from blackstart.model import events as ev
from blackstart.model.errors import (
    BlackstartError,
    JournalFailed,
    JournalUnavailable,
    Superseded,
    WorldFailed,
)
from blackstart.model.incident import RunView
from blackstart.model.notices import customer_audience
from blackstart.model.plan import Target
from blackstart.model.references import fill
from blackstart.model.runbook import ActionSpec, Param
from blackstart.ports.action import (
    Action,
    Cancellable,
    Check,
    Context,
    Done,
    Failed,
    NotDone,
    Outcome,
    Partial,
    Running,
    Unknown,
    without_secrets,
)
from blackstart.ports.crew import Signal
from blackstart.ports.journal import Entry, Journal
from blackstart.ports.roster import AffectedPerson
from blackstart.world.clock import countdown

_LOOK_AGAIN_S = 1.0
_PROGRESS_EVERY_S = 0.2
_NO_LIMIT_S = 30 * 86_400.0  # as long as anybody would wait: no clock ends what changes the world
_RETRY = "Retry, or finish the step by hand."
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reins:
    """What ends an action from outside: the driver stops (`halt`), or a person says so (`cancel`).

    What the driver left is in doubt for the next one; what a person ended has failed.
    """

    halt: Signal
    cancel: Signal

    def are_pulled(self) -> bool:
        """Say whether the action has to end now."""
        return self.halt.is_set() or self.cancel.is_set()


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
    house: Installation, journal: Journal, job: Job, reins: Reins, *, is_in_doubt: bool
) -> None:
    """Do the job to its end and record it. Expected failures end the action, not the caller.

    Raises JournalFailed when the end cannot be recorded; the attempt is then in doubt for
    whoever drives next.
    """

    if reins.halt.is_set():
        return  # it waited for its turn until the driver stopped: nothing was begun

    def act() -> tuple[Job, Outcome | None]:
        provider = build(house.verbs, job.spec.use, job.params)
        if isinstance(provider, Check):
            return job, _ask(house, journal, job, provider, reins)
        if is_in_doubt:
            return _look_then_act(house, journal, job, provider, reins)
        return job, provider.perform(_unlimited(house, journal, job, reins))

    done = safely(house, job, act)
    job, seen = (job, done) if isinstance(done, Failed) else done
    outcome = seen or _not_seen(job)
    if reins.halt.is_set() and isinstance(outcome, Failed):
        return  # stopped by us, not by the world: it stays in doubt, whoever drives next looks
    if reins.cancel.is_set() and isinstance(outcome, Failed):
        outcome = _ended_early(outcome)
    ended = _ended(house, job, outcome, in_doubt=seen is None)
    record_in_time(house, reins.halt, lambda: record(journal, house, job, ended))


def safely(house: Installation, job: Job, act: Callable[[], T]) -> T | Failed:
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
        hint="Look at the place yourself. Then finish the step by hand, or take it back "
        "(`step undo`) so that it is done anew. A retry looks again before it does anything.",
    )


def _ended_early(outcome: Failed) -> Failed:
    """Return the end of an action that a person ended: what it said, and what that leaves."""
    return replace(
        outcome,
        summary=f"ended on request: {outcome.summary}",
        hint=f"What it had begun is left as it is; a retry clears it first. {outcome.hint}".strip(),
    )


def _ask(house: Installation, journal: Journal, job: Job, check: Check, reins: Reins) -> Outcome:
    context = context_of(house, journal, job, reins)
    if job.spec.vantage:
        vantage = house.plan.vantages[job.spec.vantage]
        seen = look_from(vantage, house.probe, job.spec.use, job.params, context, house.secrets)
    else:
        seen = check.check(context)
    if reins.are_pulled() and isinstance(seen, Done):  # whatever it says was not seen to its end
        return Failed(summary="the look was ended before it saw everything", hint=_RETRY)
    return seen


def _look_then_act(
    house: Installation, journal: Journal, job: Job, action: Action, reins: Reins
) -> tuple[Job, Outcome | None]:
    """Look at the world for what an attempt left whose end nobody saw, and go on from there.

    None when the world gave no answer within the action's limit, or what goes on there cannot be
    ended: nothing may be performed then. What goes on and is seen to has no limit here: people are
    asked about it.
    """
    left_s = countdown(house.clock, job.spec.limit_s)
    noted = ""
    while True:
        finding = action.inspect(context_of(house, journal, job, reins))
        kind = _FINDINGS[type(finding)]
        if kind != noted:
            noted = kind
            note = house.redact(getattr(finding, "note", ""))
            record(journal, house, job, _inspected(job, kind, note))
        if isinstance(finding, Running | Unknown):
            if reins.cancel.is_set() and isinstance(action, Cancellable):
                return job, _end_in_the_world(action, context_of(house, journal, job, reins))
            is_late = isinstance(finding, Unknown) and (finding.for_good or left_s() <= 0)
            if is_late or reins.halt.wait(_LOOK_AGAIN_S) or reins.cancel.is_set():
                return job, None
            continue
        return _go_on(house, journal, job, action, finding, reins)


def _go_on(
    house: Installation,
    journal: Journal,
    job: Job,
    action: Action,
    finding: Done | NotDone | Partial,
    reins: Reins,
) -> tuple[Job, Outcome]:
    """Do what is left to do after a look that showed where the attempt stands."""
    if isinstance(finding, Done):
        return job, finding
    if reins.are_pulled():
        return job, Failed(summary="nothing of it goes on", hint=_RETRY)
    if isinstance(finding, Partial):
        job = replace(job, attempt=job.attempt + 1)
        record(journal, house, job, started(job, house.verbs))
    return job, action.perform(_unlimited(house, journal, job, reins))


_FINDINGS: dict[type, str] = {
    Done: "done",
    Running: "running",
    Partial: "partial",
    NotDone: "not_done",
    Unknown: "unknown",
}


def _end_in_the_world(action: Cancellable, context: Context) -> Outcome | None:
    """End what goes on without us; None when it could not be, so that nobody takes it for ended."""
    ended = action.cancel(context)
    return None if isinstance(ended, Failed) else Failed(summary=ended.summary, hint=_RETRY)


def started(job: Job, verbs: Mapping[str, type[Any]]) -> ev.ActionStarted:
    """Return the fact that precedes the attempt."""
    return ev.ActionStarted(
        run=job.run,
        step=job.step,
        action=job.spec.name,
        attempt=job.attempt,
        key=job.key,
        ends_at_limit=hasattr(verbs.get(job.spec.use), "check"),
    )


def _inspected(job: Job, finding: str, note: str) -> ev.ActionInspected:
    return ev.ActionInspected(
        run=job.run, step=job.step, action=job.spec.name, key=job.key, finding=finding, note=note
    )


def record(journal: Journal, house: Installation, job: Job, event: ev.Event) -> None:
    """Append a fact about the attempt."""
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
        held=isinstance(outcome, Failed) and outcome.is_held,
    )


def _bug(house: Installation, job: Job, error: Exception) -> Failed:
    trace = house.redact("".join(traceback.format_exception(error)))
    kept: tuple[str, ...] = ()
    where = "the traceback is in the evidence"
    try:
        kept = (house.evidence.keep(f"{job.step}.{job.spec.name}.traceback.txt", trace.encode()),)
    except WorldFailed as trouble:
        where = f"the traceback could not be kept ({trouble.what})"
    return Failed(
        summary=f"{job.spec.use} broke: {type(error).__name__}: {error}",
        hint=f"This is a defect of the provider; {where}. Finish by hand.",
        evidence=kept,
    )


def _unlimited(house: Installation, journal: Journal, job: Job, reins: Reins) -> Context:
    """Return the context of what changes the world: only a person ends it, or the driver's stop."""
    return context_of(house, journal, job, reins, limit_s=_NO_LIMIT_S)


def context_of(
    house: Installation, journal: Journal, job: Job, reins: Reins, *, limit_s: float | None = None
) -> Context:
    """Return what an action is given; it has its own limit unless another one is named."""
    left_s = countdown(house.clock, job.spec.limit_s if limit_s is None else limit_s)
    return Context(
        key=job.key,
        marker=job.marker,
        target=job.target,
        left_s=left_s,
        now=house.clock.now,
        cancelled=lambda: reins.are_pulled() or left_s() <= 0,
        progress=_progress(house, journal, job),
        keep=partial(
            keep_in_time, house, lambda: reins.cancel.is_set() or left_s() <= 0, reins.halt
        ),
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
            with suppress(JournalUnavailable):  # nothing is given up because nobody could watch it
                journal.note_progress(
                    job.incident, f"{job.step}.{job.spec.name}", done, total, unit
                )

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
