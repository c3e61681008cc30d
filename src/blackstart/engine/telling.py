# SPDX-License-Identifier: Apache-2.0
"""Who has to be told what, and was not told yet. Pure.

A notice is known by its name, (kind, what it is about, channel, audience), and is queued once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blackstart.model.incident import Incident, RunView
from blackstart.model.notices import EVERYONE
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook, StepSpec
from blackstart.model.states import ActionState, AskState, IncidentState, StepState

INCIDENT_CHANNEL = "incident"
STAFF_CHANNEL = "staff"
_REFUSED = " refused"  # in the name of a notice that goes over a fallback channel
_ASKED_IN_PERSON = ("acknowledge", "decision", "gate", "signoff", "question")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message to queue. `about` is the ask or the step that it speaks of."""

    name: str
    kind: str
    channel: str
    audience: str
    about: str = ""
    run: str = ""
    step: str = ""


def notice_name(kind: str, about: str, channel: str, audience: str) -> str:
    """Return the name that makes a notice unique within its incident."""
    return "/".join(part for part in (kind, about, channel, audience) if part)


def notices_of_step(run: RunView, step: StepSpec) -> tuple[str, ...]:
    """Return the names of the notices that the step queues."""
    return tuple(
        notice_name(spec.kind, f"{run.started.run}:{step.name}", spec.channel, spec.audience)
        for spec in step.notices
    )


def notices(plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[Notice]:
    """Yield every notice that is due and not queued yet."""
    wanted = (
        *_about_asks(incident),
        *_about_state(incident),
        *_about_steps(runbooks, incident),
    )
    for notice in (*wanted, *_fallbacks(plan, incident)):
        if notice.channel in plan.channels and notice.name not in incident.notices:
            yield notice


def _notice(kind: str, channel: str, audience: str, about: str = "") -> Notice:
    return Notice(
        name=notice_name(kind, about, channel, audience),
        kind=kind,
        channel=channel,
        audience=audience,
        about=about,
    )


def _about_asks(incident: Incident) -> Iterator[Notice]:
    for name, ask in incident.asks.items():
        if ask.state is not AskState.OPEN:
            continue
        if ask.opened.kind == "stopped":
            yield _notice("stopped", INCIDENT_CHANNEL, EVERYONE, name)
        if ask.opened.kind in _ASKED_IN_PERSON or ask.opened.kind == "stopped":
            chase = f"#{ask.escalations}" if ask.escalations else ""
            for person in dict.fromkeys(ask.persons):
                yield Notice(
                    name=notice_name("asked", name + chase, STAFF_CHANNEL, f"person:{person}"),
                    kind="asked",
                    channel=STAFF_CHANNEL,
                    audience=f"person:{person}",
                    about=name,
                )


def _about_state(incident: Incident) -> Iterator[Notice]:
    if incident.state is IncidentState.REPORTED:
        return
    yield _notice("announced", INCIDENT_CHANNEL, EVERYONE)
    if incident.activation:
        yield _notice("activated", INCIDENT_CHANNEL, EVERYONE)
        yield _notice("activated", STAFF_CHANNEL, "teams")
        yield _notice("activated", STAFF_CHANNEL, "role:ceo")
    if incident.state is IncidentState.RESTORED:
        yield _notice("restored", INCIDENT_CHANNEL, EVERYONE)
        yield _notice("restored", STAFF_CHANNEL, "role:ceo")
        yield _notice("restored", STAFF_CHANNEL, f"role:{COMMANDER}")


def _about_steps(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[Notice]:
    for run in incident.runs.values():
        for step in runbooks[run.started.system].steps:
            if run.step(step.name).state is not StepState.RUNNING or not _is_acted(run, step):
                continue
            for spec, name in zip(step.notices, notices_of_step(run, step), strict=True):
                yield Notice(
                    name=name,
                    kind=spec.kind,
                    channel=spec.channel,
                    audience=spec.audience,
                    run=run.started.run,
                    step=step.name,
                )


def _is_acted(run: RunView, step: StepSpec) -> bool:
    ended = (ActionState.DONE, ActionState.FAILED)
    return all(run.action(step.name, spec.name).state in ended for spec in step.do)


def _fallbacks(plan: Plan, incident: Incident) -> Iterator[Notice]:
    """Yield the same notice over the next channel where the first one refused it."""
    for notice in incident.notices.values():
        if notice.settled is None or not notice.settled.refused or _REFUSED in notice.queued.notice:
            continue
        channel = plan.channels.get(notice.queued.channel)
        for name in channel.fallback if channel else ():
            audience = "staff" if notice.queued.audience == EVERYONE else notice.queued.audience
            about = notice.queued.notice + _REFUSED
            yield Notice(
                name=notice_name(notice.queued.kind, about, name, audience),
                kind=notice.queued.kind,
                channel=name,
                audience=audience,
                about=_about_of(notice.queued.notice),
            )


def _about_of(name: str) -> str:
    parts = name.split("/")
    return parts[1] if len(parts) == 4 else ""
