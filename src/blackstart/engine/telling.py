# SPDX-License-Identifier: Apache-2.0
"""Who has to be told what, and was not told yet. Pure.

A notice is known by its name, (kind, what it is about, channel, audience), and is queued once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial

from blackstart.engine.leftover import is_acted
from blackstart.model.authority import TEAM, role_of_owner
from blackstart.model.incident import ActionView, AskView, Incident, RunView
from blackstart.model.notices import (
    ALL_CUSTOMERS,
    EVERYONE,
    INCIDENT_CHANNEL,
    STAFF_CHANNEL,
    customer_audience,
)
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Mode, Plan
from blackstart.model.runbook import NoticeSpec, Runbook, StepSpec
from blackstart.model.states import AskState, IncidentState, StepState
from blackstart.model.stopping import OVERDUE
from blackstart.model.timing import GoalShareSpent, late_by

_CHASED = "#"  # in the name of a notice that chases an answer; a gate asked again has one itself
_REFUSED = " refused"  # in the name of a notice that goes over a fallback channel
_ASKED_IN_PERSON = (
    "acknowledge",
    "decision",
    "gate",
    "manual",
    "signoff",
    "question",
    "undo",
    OVERDUE,
    "customer",
)
_SHARED = ("outage",)  # kinds that are told once for all systems of the incident
_UPDATE = "update"
_HOLD = timedelta(seconds=2)  # before anybody is told of what may be over at the first look
_PRESSING = {  # the states in which a warning still means something
    "goal": (IncidentState.REPORTED, IncidentState.ACKNOWLEDGED, IncidentState.RECOVERING),
    "prolonged": (IncidentState.REPORTED, IncidentState.ACKNOWLEDGED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to queue. `about` is the ask or the step that it speaks of.

    `late_s` says by how much it comes after it was due.
    """

    name: str
    kind: str
    channel: str
    audience: str
    about: str = ""
    run: str = ""
    step: str = ""
    late_s: float = 0.0


def notice_name(kind: str, about: str, channel: str, audience: str) -> str:
    """Return the name that makes a notice unique within its incident."""
    return "/".join(part for part in (kind, about, channel, audience) if part)


def notices_of_step(run: RunView, step: StepSpec) -> tuple[str, ...]:
    """Return the names of the notices that the step queues.

    What all systems of an incident share is told once for all of them, whatever their number.
    """
    return tuple(
        notice_name(spec.kind, _about_step(run, step, spec), spec.channel, spec.audience)
        for spec in step.notices
    )


def _about_step(run: RunView, step: StepSpec, spec: NoticeSpec) -> str:
    return step.name if spec.kind in _SHARED else f"{run.started.run}:{step.name}"


def notices(
    plan: Plan,
    runbooks: Mapping[str, Runbook],
    incident: Incident,
    now: datetime,
    runs: Collection[RunView],
) -> Iterator[Notice]:
    """Yield every notice that is due and not queued yet; those of steps are looked for in `runs`.

    One whose channel the plan does not have is yielded too: that nobody was told is a fact. In a
    table-top exercise everybody sits at the table, and nothing is sent.
    """
    if incident.reported.mode == Mode.TABLETOP:
        return
    wanted = (
        *_about_asks(incident, now),
        *_about_state(incident),
        *_about_time(incident),
        *_about_delays(plan, runbooks, incident, now),
        *_about_situations(incident),
        *_about_steps(runbooks, incident, runs),
        *_about_customers(runbooks, incident),
        *_updates(plan, runbooks, incident, now),
    )
    seen: set[str] = set()
    for notice in (*wanted, *_fallbacks(plan, incident)):
        if notice.name not in incident.notices and notice.name not in seen:
            seen.add(notice.name)
            yield notice


def _notice(kind: str, channel: str, audience: str, about: str = "", late_s: float = 0.0) -> Notice:
    return Notice(
        name=notice_name(kind, about, channel, audience),
        kind=kind,
        channel=channel,
        audience=audience,
        about=about,
        late_s=late_s,
    )


def _about_asks(incident: Incident, now: datetime) -> Iterator[Notice]:
    for name, ask in incident.asks.items():
        if ask.state is not AskState.OPEN or _is_held(ask, now):
            continue
        if ask.opened.kind == "stopped":
            yield _notice("stopped", INCIDENT_CHANNEL, EVERYONE, name)
        if ask.opened.kind in _ASKED_IN_PERSON or ask.opened.kind == "stopped":
            mark = _CHASED * 2 if ask.opened.kind == "gate" else _CHASED
            chase = f"{mark}{ask.escalations}" if ask.escalations else ""
            for person in dict.fromkeys(ask.persons):
                yield Notice(
                    name=notice_name("asked", name + chase, STAFF_CHANNEL, f"person:{person}"),
                    kind="asked",
                    channel=STAFF_CHANNEL,
                    audience=f"person:{person}",
                    about=name,
                    late_s=ask.late_s,
                )


def _is_held(ask: AskView, now: datetime) -> bool:
    return ask.opened.kind == OVERDUE and now < ask.opened_at + _HOLD


def held_until(incident: Incident) -> Iterator[datetime]:
    """Yield when people are told of what is slow, if it still goes on then.

    Whoever takes over a driver that was dead for long finds limits that passed meanwhile; the first
    look at the world, which follows at once, mostly shows that it was over by then.
    """
    yield from (a.opened_at + _HOLD for a in incident.open_asks() if a.opened.kind == OVERDUE)
    for _, _, view in _delayed(incident):
        if view.delayed_at:
            yield view.delayed_at + _HOLD


def _delayed(incident: Incident) -> Iterator[tuple[RunView, str, ActionView]]:
    for of, step, action in incident.under_way:
        view = incident.runs[of].action(step, action)
        if view.delayed and not view.cancel:
            yield incident.runs[of], step, view


def _about_delays(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> Iterator[Notice]:
    """Yield what the owner of a step is told, once for each step, when it takes long."""
    if incident.state in (IncidentState.STOOD_DOWN, IncidentState.CLOSED):
        return
    for run, name, view in _delayed(incident):
        if view.delayed is None or view.delayed_at is None or now < view.delayed_at + _HOLD:
            continue
        role = role_of_owner(plan, runbooks[run.started.system].step(name).owner)
        audience = role if role.startswith(TEAM) else f"role:{role}"
        about = f"{run.started.run}:{name}"
        yield _notice("delayed", STAFF_CHANNEL, audience, about, view.delayed.late_s)


def _about_time(incident: Incident) -> Iterator[Notice]:
    """Yield the newest warning of each kind; one that an earlier driver missed is not made up for.

    The moment at which it was due tells it from one about an outage that began at another time.
    """
    for kind, told in (("goal", incident.shares_spent), ("prolonged", incident.prolonged)):
        if not told or incident.state not in _PRESSING[kind]:
            continue
        newest = told[-1]
        which = newest.percent if isinstance(newest, GoalShareSpent) else newest.how
        about = f"{which} {newest.due_at:%Y%m%dT%H%M%S}"
        yield _notice(kind, INCIDENT_CHANNEL, EVERYONE, about, newest.late_s)
        yield _notice(kind, STAFF_CHANNEL, f"role:{COMMANDER}", about, newest.late_s)


def _about_state(incident: Incident) -> Iterator[Notice]:
    if incident.state is IncidentState.REPORTED:
        return
    yield _notice("announced", INCIDENT_CHANNEL, EVERYONE)
    if incident.activation:
        yield _notice("activated", INCIDENT_CHANNEL, EVERYONE)
        yield _notice("activated", STAFF_CHANNEL, "teams")
        yield _notice("activated", STAFF_CHANNEL, "role:ceo")
    if incident.state is IncidentState.STOOD_DOWN:
        yield from _about_standing_down(incident)
    if incident.state is IncidentState.RESTORED:
        yield _notice("restored", INCIDENT_CHANNEL, EVERYONE)
        yield _notice("restored", STAFF_CHANNEL, "role:ceo")
        yield _notice("restored", STAFF_CHANNEL, f"role:{COMMANDER}")


def _about_standing_down(incident: Incident) -> Iterator[Notice]:
    """Yield the notice to everybody who was told that something is wrong."""
    yield _notice("stood_down", INCIDENT_CHANNEL, EVERYONE)
    if incident.activation:
        yield _notice("stood_down", STAFF_CHANNEL, "teams")
        yield _notice("stood_down", STAFF_CHANNEL, "role:ceo")
    for told in tuple(incident.notices.values()):
        if told.queued.kind in _SHARED and told.queued.audience != "staff":
            yield _notice("over", told.queued.channel, told.queued.audience)


def _about_situations(incident: Incident) -> Iterator[Notice]:
    for told in incident.situations:
        yield _notice("situation", told.channel, told.audience, str(told.number))


def _about_steps(
    runbooks: Mapping[str, Runbook], incident: Incident, runs: Collection[RunView]
) -> Iterator[Notice]:
    """Yield what steps tell once no action of theirs is to come.

    What all systems share is looked for in all runs: another one may have been the last to act.
    """
    for run in runs:
        for step, spec, name in _untold(runbooks, incident, run):
            if spec.kind not in _SHARED:
                yield replace(_of_step(run, step, spec, name), run=run.started.run)
    is_acted_everywhere = cache(partial(_is_acted_everywhere, runbooks, incident))
    for run in incident.runs.values():
        for step, spec, name in _untold(runbooks, incident, run):
            if spec.kind in _SHARED and is_acted_everywhere(step.name):
                yield _of_step(run, step, spec, name)


def _untold(
    runbooks: Mapping[str, Runbook], incident: Incident, run: RunView
) -> Iterator[tuple[StepSpec, NoticeSpec, str]]:
    for step in runbooks[run.started.system].steps:
        if step.notices and run.step(step.name).state is StepState.RUNNING and is_acted(run, step):
            for spec, name in zip(step.notices, notices_of_step(run, step), strict=True):
                if name not in incident.notices:
                    yield step, spec, name


def _of_step(run: RunView, step: StepSpec, spec: NoticeSpec, name: str) -> Notice:
    return Notice(
        name=name,
        kind=spec.kind,
        channel=spec.channel,
        audience=spec.audience,
        about=_about_step(run, step, spec),
        step=step.name,
    )


def _about_customers(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[Notice]:
    """Yield to each customer what is left for him, over what tells users that it works again."""
    for name, ask in incident.asks.items():
        if ask.opened.kind != "customer" or ask.state is AskState.WITHDRAWN:
            continue
        runbook = runbooks[incident.runs[ask.opened.run].started.system]
        customer = ask.opened.customer
        audiences = {
            (spec.channel, spec.audience)
            for step in runbook.steps
            for spec in step.notices
            if spec.kind == "recovered" and spec.audience != EVERYONE
        }
        for channel, affected in sorted(audiences):
            audience = affected if customer == ALL_CUSTOMERS else customer_audience(customer)
            yield Notice(
                name=notice_name("customer", name, channel, audience),
                kind="customer",
                channel=channel,
                audience=audience,
                about=name,
                run=ask.opened.run,
            )


def _is_acted_everywhere(runbooks: Mapping[str, Runbook], incident: Incident, name: str) -> bool:
    """Say whether no system has still to act in this step before people can be told of all."""
    return all(
        is_final_step(run, step) or is_acted(run, step)
        for run in incident.runs.values()
        for step in runbooks[run.started.system].steps
        if step.name == name
    )


def is_final_step(run: RunView, step: StepSpec) -> bool:
    """Say whether nothing more is to come of the step by itself."""
    return run.step(step.name).state not in (StepState.WAITING, StepState.RUNNING)


def next_update_at(plan: Plan, incident: Incident) -> datetime | None:
    """Return when users have to hear again, as they were promised; None when they need not."""
    told = [
        notice.queued_at
        for notice in incident.notices.values()
        if notice.queued.kind in (*_SHARED, _UPDATE)
    ]
    if incident.state is not IncidentState.RECOVERING or not told:
        return None
    return max(told) + timedelta(seconds=plan.policy.cadence_s)


def _updates(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> Iterator[Notice]:
    """Yield the news that was promised; a batch that was begun is completed first."""
    sent = [n.queued for n in incident.notices.values() if n.queued.kind == _UPDATE]
    number = max((int(one.notice.split("/")[1].split()[0]) for one in sent), default=0)
    late_s = sent[-1].late_s if sent else 0.0
    at = next_update_at(plan, incident)
    if at is not None and at <= now:
        number += 1
        late_s = late_by(at, now)
    if not number or at is None:
        return
    asked = {
        (spec.channel, spec.audience)
        for runbook in runbooks.values()
        for step in runbook.steps
        for spec in step.notices
        if spec.kind in _SHARED
    }
    for channel, audience in sorted(asked):
        yield _notice(_UPDATE, channel, audience, str(number), late_s)


def _fallbacks(plan: Plan, incident: Incident) -> Iterator[Notice]:
    """Yield the same notice over the next channel where the first one refused it."""
    for notice in incident.notices.values():
        if notice.settled is None or not notice.settled.refused or _REFUSED in notice.queued.notice:
            continue
        channel = plan.channels.get(notice.queued.channel)
        for name in channel.fallback if channel else ():  # each is a channel of the plan
            audience = "staff" if notice.queued.audience == EVERYONE else notice.queued.audience
            about = notice.queued.notice + _REFUSED
            yield Notice(
                name=notice_name(notice.queued.kind, about, name, audience),
                kind=notice.queued.kind,
                channel=name,
                audience=audience,
                about=_about_of(incident, notice.queued.notice),
                late_s=notice.queued.late_s,
            )


def _about_of(incident: Incident, name: str) -> str:
    """Return what a notice of that name speaks of; of a question that is chased, the question."""
    parts = name.split("/")
    about = parts[1] if len(parts) == 4 else ""
    while about not in incident.asks and _CHASED in about:
        about = about.rpartition(_CHASED)[0].removesuffix(_CHASED)
    return about
