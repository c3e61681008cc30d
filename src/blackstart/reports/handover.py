# SPDX-License-Identifier: Apache-2.0
"""The hand-over card: what the next shift must know in one minute, from the facts alone.

Plain text of at most 100 columns, for a terminal, a message or paper.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from textwrap import wrap

from blackstart.model.answering import title_of
from blackstart.model.events import Fact
from blackstart.model.graph import critical_path
from blackstart.model.incident import AskView, Incident, NoticeView, RunView, StepView, fold
from blackstart.model.plan import Plan
from blackstart.model.runbook import ActionSpec, Phase, Runbook, StepSpec
from blackstart.model.states import ActionState, IncidentState, StepState, lets_others_go
from blackstart.model.words import say_count, say_duration, say_moment
from blackstart.reports.kinds import NOTICE_WORDS
from blackstart.reports.phrases import plain, say_list, sentence, shorten
from blackstart.reports.spans import AUTOMATIC

WIDTH = 100
NEXT_SHOWN = 4
USERS_KINDS = frozenset({"outage", "update", "recovered"})
_OVER = frozenset({IncidentState.RESTORED, IncidentState.STOOD_DOWN, IncidentState.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shift:
    """Everything that the card is made from."""

    incident: Incident
    plan: Plan
    runbooks: tuple[Runbook, ...]
    now: datetime

    def name(self, person: str) -> str:
        known = self.plan.people.get(person)
        return plain(known.name if known else person) or "nobody"

    def names(self, persons: tuple[str, ...]) -> str:
        return say_list(tuple(self.name(person) for person in persons)) or "nobody"

    def ago(self, at: datetime) -> str:
        return f"{say_duration((self.now - at).total_seconds())} ago"

    def runs(self) -> Iterator[tuple[Runbook, RunView]]:
        by_system = {runbook.system: runbook for runbook in self.runbooks}
        for run in self.incident.runs.values():
            if run.started.system in by_system:
                yield by_system[run.started.system], run

    def steps(self) -> Iterator[tuple[RunView, StepSpec, StepView]]:
        for runbook, run in self.runs():
            for step in runbook.steps:
                yield run, step, run.step(step.name)


def handover_card(
    facts: tuple[Fact, ...], runbooks: tuple[Runbook, ...], plan: Plan, now: datetime
) -> str:
    """Return the card of one incident at a moment. Raises ValueError when the facts hold none."""
    shift = _Shift(incident=fold(facts), plan=plan, runbooks=runbooks, now=now)
    parts = (
        ("", _head(shift)),
        ("WARNINGS", _warnings(shift)),
        ("OPEN QUESTIONS", _questions(shift)),
        ("RUNS NOW", _running(shift)),
        ("NEXT ON THE CRITICAL PATH", _next(shift)),
        ("DONE", _done(shift)),
        ("TOLD", _told(shift)),
    )
    return "\n\n".join("\n".join(_part(title, tuple(lines))) for title, lines in parts)


def _part(title: str, lines: tuple[str, ...]) -> Iterator[str]:
    if title:
        yield title
    for line in lines or ("none",):
        indent = "  " if title else ""
        yield from wrap(line, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}    ")


def _head(shift: _Shift) -> Iterator[str]:
    incident = shift.incident
    reported = incident.reported
    yield f"HAND-OVER of {incident.id} at {say_moment(shift.now)}"
    what = f"{', '.join(reported.systems)} ({reported.mode})"
    yield f"Incident   {what}: {sentence(reported.summary)}"
    yield f"State      {_state(shift)}"
    yield f"Clock      {_clock(shift)}"
    yield f"Roles      {_roles(shift)}"
    if incident.situations:
        yield f"Last word  {sentence(incident.situations[-1].text)}"
    for run in incident.runs.values():
        if run.estimate:
            expected = say_duration(run.estimate.expected_s)
            yield f"Estimate   {run.started.system}: {expected} ({plain(run.estimate.basis)})"


def _roles(shift: _Shift) -> str:
    """Return who holds each role now: whoever it was handed to, else the first of the plan."""
    held = {name: role.holders[0] for name, role in shift.plan.roles.items() if role.holders}
    held |= shift.incident.holders
    titles = {name: role.title for name, role in shift.plan.roles.items()}
    return ", ".join(
        f"{plain(titles.get(name, name))}: {shift.name(person)}" for name, person in held.items()
    )


def _state(shift: _Shift) -> str:
    incident = shift.incident
    if incident.activation is None or incident.activated_at is None:
        return f"{incident.state}; the Recovery phase is not activated"
    by, option = shift.name(incident.activation.by), plain(incident.activation.option)
    return (
        f"{incident.state}; recovery activated {shift.ago(incident.activated_at)} "
        f"by {by} (option '{option}')"
    )


def _clock(shift: _Shift) -> str:
    start, goal_s = shift.incident.outage_start, shift.plan.policy.objectives.rto_s
    left_s = goal_s - (shift.now - start).total_seconds()
    left = f"{say_duration(left_s)} left" if left_s >= 0 else f"past by {say_duration(-left_s)}"
    full = [m for name, m in shift.incident.measures.items() if name.endswith(":full_service")]
    if full and len(full) == len(shift.incident.reported.systems):
        took_s = max((measure.end - measure.start).total_seconds() for measure in full)
        left = f"full service after {say_duration(took_s)}"
    return (
        f"outage since {say_moment(start)}, {shift.ago(start)}; goal {say_duration(goal_s)}, {left}"
    )


def _done(shift: _Shift) -> Iterator[str]:
    for run, step, view in shift.steps():
        if lets_others_go(view.state):
            by = f", by {shift.name(view.by)}" if view.by else ""
            why = f": {sentence(view.reason)}" if view.reason else ""
            yield f"{_of(shift, run)}{step.title}: {view.state}{by}{why}"


def _of(shift: _Shift, run: RunView) -> str:
    """Return the system in front of a line, when there are several."""
    return f"{run.started.system}, " if len(shift.incident.runs) > 1 else ""


def _running(shift: _Shift) -> Iterator[str]:
    for run, step, spec, took_s in _under_way(shift):
        attempt = run.action(step.name, spec.name).attempt
        yield (
            f"{_of(shift, run)}{step.title}: {spec.name}, for {say_duration(took_s)} "
            f"(expected {say_duration(spec.expected_s)}), attempt {attempt}"
        )


def _under_way(shift: _Shift) -> Iterator[tuple[RunView, StepSpec, ActionSpec, float]]:
    """Yield each action that runs, with the seconds since its start."""
    for run, step, view in shift.steps():
        for spec in step.do:
            action = view.actions.get(spec.name)
            if action and action.state is ActionState.STARTED and action.started_at:
                yield run, step, spec, (shift.now - action.started_at).total_seconds()


def _questions(shift: _Shift) -> Iterator[str]:
    for ask in shift.incident.open_asks():
        title = title_of(shift.incident, ask)
        yield (
            f"{title}: {sentence(ask.opened.text)} Asked {shift.names(ask.persons)} "
            f"{shift.ago(ask.opened_at)}{_due(shift, ask)}."
        )


def _due(shift: _Shift, ask: AskView) -> str:
    if ask.due_at is None:
        return ""
    left_s = (ask.due_at - shift.now).total_seconds()
    return f", due in {say_duration(left_s)}" if left_s >= 0 else f", {_late(-left_s)}"


def _late(late_s: float) -> str:
    return f"overdue by {say_duration(late_s)}"


def _next(shift: _Shift) -> Iterator[str]:
    for runbook, run in shift.runs():
        left = dict(_left(shift, runbook, run))
        waiting = {f"{s.name}.{a.name}": 0.0 for s in runbook.steps for a in s.do} | left
        whole_s, path = critical_path(runbook, waiting)
        ahead = [name for name in path if name in left]
        if ahead:
            shown = ", ".join(f"{name} ({say_duration(left[name])})" for name in ahead[:NEXT_SHOWN])
            more = f" and {len(ahead) - NEXT_SHOWN} more" if len(ahead) > NEXT_SHOWN else ""
            yield f"{_of(shift, run)}{shown}{more}: {say_duration(whole_s)} of work expected"


def _left(shift: _Shift, runbook: Runbook, run: RunView) -> Iterator[tuple[str, float]]:
    """Yield each action of the recovery that is not done, with the seconds expected of it yet."""
    for step in runbook.steps:
        if step.phase is not Phase.RECOVERY or lets_others_go(run.step(step.name).state):
            continue
        for spec in step.do:
            action = run.action(step.name, spec.name)
            if action.state is not ActionState.DONE:
                runs = action.started_at if action.state is ActionState.STARTED else None
                yield f"{step.name}.{spec.name}", _expected_yet(shift, spec, runs)


def _expected_yet(shift: _Shift, spec: ActionSpec, started_at: datetime | None) -> float:
    if started_at is None:
        return spec.expected_s
    return max(0.0, spec.expected_s - (shift.now - started_at).total_seconds())


def _told(shift: _Shift) -> Iterator[str]:
    newest: dict[tuple[str, str], NoticeView] = {}
    for notice in shift.incident.notices.values():
        if notice.queued.kind != "asked":
            newest[notice.queued.channel, notice.queued.audience] = notice
    for (channel, audience), notice in newest.items():
        what = NOTICE_WORDS.get(notice.queued.kind, notice.queued.kind)
        taken = notice.settled.accepted if notice.settled else 0
        yield (
            f"{audience.partition(':')[2] or audience} over {channel}: {what}, "
            f"{shift.ago(notice.queued_at)}, {taken} of {notice.queued.recipients} taken"
        )
    due_at = _next_notice(shift)
    if due_at is None:
        return
    left_s = (due_at - shift.now).total_seconds()
    when = f"due in {say_duration(left_s)}" if left_s >= 0 else _late(-left_s)
    yield f"The next notice to users is {when} ({say_moment(due_at)})."


def _next_notice(shift: _Shift) -> datetime | None:
    """Return when users must hear again: a cadence after the last notice, or after the outage."""
    if shift.incident.state in _OVER or not shift.plan.policy.cadence_s:
        return None
    to_users = [
        notice.queued_at
        for notice in shift.incident.notices.values()
        if notice.queued.kind in USERS_KINDS and notice.queued.recipients
    ]
    last = max(to_users, default=shift.incident.outage_start)
    return last + timedelta(seconds=shift.plan.policy.cadence_s)


def _warnings(shift: _Shift) -> Iterator[str]:
    if shift.incident.paused:
        by = shift.name(shift.incident.paused.by)
        yield f"PAUSED by {by}: {sentence(shift.incident.paused.why)}"
    yield from _failures(shift)
    yield from _waived(shift)
    yield from _time_troubles(shift)
    yield from _late_asks(shift)
    yield from _lost_messages(shift)
    if any(ask.answer and ask.answer.how == AUTOMATIC for ask in shift.incident.asks.values()):
        yield "Questions were answered by a machine in a person's name; nobody decided them."


def _waived(shift: _Shift) -> Iterator[str]:
    for waiver in shift.incident.waivers:
        left_s = (waiver.until - shift.now).total_seconds()
        until = f"for another {say_duration(left_s)}" if left_s >= 0 else "no longer"
        names = shift.names((waiver.by, waiver.second))
        yield f"Rule '{waiver.rule}' is waived {until}, by {names}: {sentence(waiver.why)}"
    for (_, step), failed in shift.incident.undo_failed.items():
        yield f"{step}: {failed.action} could not be taken back: {sentence(failed.summary)}"


def _failures(shift: _Shift) -> Iterator[str]:
    for run, step, view in shift.steps():
        if view.state is StepState.FAILED:
            hints = [action.hint for action in view.actions.values() if action.hint]
            hint = f" To do: {sentence(hints[-1])}" if hints else ""
            yield f"STOPPED: {_of(shift, run)}{step.title}: {sentence(view.reason)}{hint}"
        elif view.state in {StepState.DEGRADED, StepState.SKIPPED}:
            why = f" {sentence(view.reason)}" if view.reason else ""
            yield f"{_of(shift, run)}{step.title} is {view.state}, not verified.{why}"


def _time_troubles(shift: _Shift) -> Iterator[str]:
    incident = shift.incident
    if incident.state in _OVER:
        return
    end = incident.outage_start + timedelta(seconds=shift.plan.policy.objectives.rto_s)
    left_s = (end - shift.now).total_seconds()
    if left_s < 0:
        yield f"The goal is past by {say_duration(-left_s)}."
    for _, run in shift.runs():
        if run.estimate and not run.outcome and 0 <= left_s < run.estimate.expected_s:
            yield (
                f"{run.started.system}: a recovery begun now is expected to take "
                f"{say_duration(run.estimate.expected_s)}; {say_duration(left_s)} are left."
            )
    for run, step, spec, took_s in _under_way(shift):
        if took_s > 2 * spec.expected_s:
            late = say_duration(took_s - spec.expected_s)
            yield f"{_of(shift, run)}{step.name}.{spec.name} is {late} over its time."


def _late_asks(shift: _Shift) -> Iterator[str]:
    for ask in shift.incident.open_asks():
        if ask.due_at and ask.due_at < shift.now:
            late = _late((shift.now - ask.due_at).total_seconds())
            yield f"“{shorten(ask.opened.text, 50)}” is {late}: {shift.names(ask.persons)}."


def _lost_messages(shift: _Shift) -> Iterator[str]:
    for notice in shift.incident.notices.values():
        settled = notice.settled
        amiss = (settled.refused + settled.uncertain) if settled else 0
        if settled and (amiss or not settled.accepted):
            why = f": {sentence(settled.reason)}" if settled.reason else "."
            yield (
                f"{say_count(notice.queued.recipients - settled.accepted, 'message')} of "
                f"“{shorten(notice.queued.subject, 40)}” over {notice.queued.channel} did not "
                f"surely arrive{why}"
            )
    due_at = _next_notice(shift)
    if due_at and due_at < shift.now:
        yield f"Users wait for news: {_late((shift.now - due_at).total_seconds())}."
