# SPDX-License-Identifier: Apache-2.0
"""What people may say to an incident as a whole, besides answering what they are asked. Pure.

Each function returns the facts that follow; it raises Refused or NotAuthorised, saying what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.asks import Answer, Known, activated, answer, stood_down
from blackstart.model.authority import TEAM, holds, persons_asked, require, require_known
from blackstart.model.codec import digest_of, to_bytes
from blackstart.model.errors import Refused
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.model.states import IncidentState, StepState
from blackstart.model.steering import gate_name, run_of, step_of
from blackstart.model.texts import question_text
from blackstart.model.views import AskView, Incident
from blackstart.model.words import say_moment

OPTIONS: Mapping[str, str] = {
    "rebuild": "activate the Recovery phase: build a new environment and restore the data",
    "repair": "repair production in place",
    "restore-part": "restore only the part that is lost, in place",
    "wait": "wait for the vendor",
    "stand-down": "no recovery is needed, or it is not to go on",
}


def open_ask(incident: Incident, kind: str, stem: str = "") -> AskView:
    """Return the open question of this kind whose name begins with `stem`. Raises Refused."""
    for ask in incident.open_asks():
        if ask.opened.kind == kind and ask.opened.ask.startswith(stem or kind):
            return ask
    waiting = ", ".join(ask.opened.ask for ask in incident.open_asks()) or "none"
    raise Refused(f"Nobody is asked for that now ({kind}).", f"Open questions: {waiting}.")


def acknowledge(known: Known, incident: Incident, given: Answer) -> tuple[ev.Event, ...]:
    """Take the incident on."""
    asked = incident.asks.get("acknowledge")
    if asked and asked.answer:
        raise Refused(
            f"{asked.answer.by} has taken the incident on already.",
            f"`blackstart handover {incident.id} --to PERSON` passes it on.",
        )
    return answer(known, incident, open_ask(incident, "acknowledge").opened.ask, given)


def tell(
    plan: Plan, incident: Incident, text: str, *, by: str, channel: str, audience: str
) -> tuple[ev.Event, ...]:
    """Announce how things stand to an audience over a channel of the plan."""
    require_known(plan, by)
    if channel not in plan.channels:
        known = ", ".join(plan.channels) or "none"
        raise Refused(f"The plan has no channel '{channel}'.", f"It has: {known}.")
    if audience == "affected":
        require(plan, incident, by, COMMANDER, "customer_liaison")
    _require_open(incident)
    told = orders.SituationTold(
        number=len(incident.situations) + 1, text=text, by=by, channel=channel, audience=audience
    )
    return (told,)


def question(
    plan: Plan, incident: Incident, now: datetime, role: str, text: str, *, by: str, within_s: float
) -> tuple[ev.Event, ...]:
    """Ask a role or a team (`team:NAME`, or the bare name of a team)."""
    require_known(plan, by)
    _require_open(incident)
    role = TEAM + role if role not in plan.roles and role in plan.teams else role
    persons = persons_asked(plan, incident, role)
    if not persons:
        known = ", ".join((*plan.roles, *plan.teams))
        raise Refused(f"The plan has no role or team '{role}'.", f"It has: {known}.")
    number = 1 + sum(ask.opened.kind == "question" for ask in incident.asks.values())
    asked = ev.AskOpened(
        ask=f"question:{number}:{role.removeprefix(TEAM)}",
        kind="question",
        text=question_text(incident, text),
        role=role,
        persons=persons,
        due_at=now + timedelta(seconds=within_s) if within_s else None,
    )
    return (asked,)


def assess(
    plan: Plan, incident: Incident, summary: str, sightings: tuple[ev.Sighting, ...], *, by: str
) -> tuple[ev.Event, ...]:
    """Tell what is lost, degraded or intact."""
    require_known(plan, by)
    _require_open(incident)
    return (ev.ImpactAssessed(by=by, summary=summary, sightings=sightings),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one option would take, as a person judges it. `system` may stay empty for one run."""

    option: str
    expected_s: float
    data_lost: str = ""
    reversible: str = ""
    system: str = ""
    why: str = ""


def estimate(plan: Plan, incident: Incident, made: Estimate, *, by: str) -> tuple[ev.Event, ...]:
    """Say how long an option would take; for the rebuild it replaces the computed figure."""
    require_known(plan, by)
    _require_open(incident)
    if made.option not in OPTIONS:
        raise Refused(f"'{made.option}' is no option.", f"Options: {', '.join(OPTIONS)}.")
    told = orders.OptionEstimated(
        option=made.option,
        expected_s=made.expected_s,
        by=by,
        data_lost=made.data_lost,
        reversible=made.reversible,
        why=made.why,
    )
    if made.option != "rebuild":
        return (told,)
    run = run_of(incident, made.system)
    replaced = ev.EstimateMade(
        run=run.started.run,
        expected_s=made.expected_s,
        goal_s=plan.policy.objectives.rto_s,
        basis=f"the judgement of {plan.people[by].name}" + (f": {made.why}" if made.why else ""),
        critical_path=run.estimate.critical_path if run.estimate else (),
        by=by,
    )
    return (told, replaced)


def activate(known: Known, incident: Incident, given: Answer) -> tuple[ev.Event, ...]:
    """Activate the Recovery phase, whether its question is open yet or not."""
    for ask in incident.open_asks():
        if ask.opened.kind == "decision":
            return answer(known, incident, ask.opened.ask, given)
    require(known.plan, incident, given.by, COMMANDER)
    if incident.state is not IncidentState.ACKNOWLEDGED:
        raise Refused(
            f"The incident is {incident.state}.", "Recovery is activated once it is acknowledged."
        )
    facts = tuple(f"{seen.subject}: {seen.condition}" for seen in incident.sightings())
    return (activated(given, facts),)


def stand_down(known: Known, incident: Incident, given: Answer) -> tuple[ev.Event, ...]:
    """End the incident without a recovery, or take back what was begun."""
    require(known.plan, incident, given.by, COMMANDER)
    return stood_down(incident, given)


def decide_gate(
    known: Known, incident: Incident, step: str, given: Answer, system: str
) -> tuple[ev.Event, ...]:
    """Open the gate of a step (`go`), or keep it closed for now (`hold`)."""
    run = run_of(incident, system)
    spec = step_of(known.runbooks, run, step)
    if not spec.gate:
        raise Refused(f"'{step}' has no gate.", "It starts when what it waits for has ended well.")
    stem = gate_name(run, step)
    if not any(name.startswith(stem) for name in incident.asks):
        waits = ", ".join(n for n in spec.after if run.step(n).state is not StepState.VERIFIED)
        raise Refused(f"The gate of '{step}' is not asked yet.", f"It waits for: {waits}.")
    return answer(known, incident, open_ask(incident, "gate", stem).opened.ask, given)


def pause(plan: Plan, incident: Incident, *, by: str, why: str) -> tuple[ev.Event, ...]:
    """Let nothing new begin."""
    require(plan, incident, by, COMMANDER)
    _require_open(incident)
    if incident.paused:
        raise Refused(
            f"{incident.paused.by} has paused it already.", "`blackstart resume` ends it."
        )
    return (orders.IncidentPaused(by=by, why=why),)


def resume(plan: Plan, incident: Incident, *, by: str, why: str) -> tuple[ev.Event, ...]:
    """Let actions begin again."""
    require(plan, incident, by, COMMANDER)
    if not incident.paused:
        raise Refused("It is not paused.", "`blackstart status` shows what it waits for.")
    return (orders.IncidentResumed(by=by, why=why),)


def correct_outage(
    plan: Plan, incident: Incident, start: datetime, *, by: str, why: str, now: datetime
) -> tuple[ev.Event, ...]:
    """Correct when the outage began; both moments stay in the record."""
    require(plan, incident, by, COMMANDER)
    if not why:
        raise Refused("The start of an outage is not corrected without a reason.", "Add --why.")
    if start > now:
        raise Refused(f"{say_moment(start)} has not come yet.", "Give a moment in the past.")
    return (orders.OutageCorrected(outage_start=start, by=by, why=why),)


def hand_over(
    plan: Plan, incident: Incident, role: str, taker: str, *, by: str, card: str
) -> tuple[ev.Event, ...]:
    """Pass a role on for this incident; open questions go to whoever takes it."""
    if role not in plan.roles:
        raise Refused(f"The plan has no role '{role}'.", f"It has: {', '.join(plan.roles)}.")
    require_known(plan, taker)
    require(plan, incident, by, role, COMMANDER)
    if not holds(plan, incident, by, role) and by != taker:
        require(plan, incident, by, COMMANDER)
    passed = orders.ShiftHandedOver(role=role, giver=by, taker=taker, card=card)
    moved = tuple(
        ev.AskEscalated(
            ask=ask.opened.ask,
            person=taker,
            was_due_at=ask.due_at or incident.last_at,
            due_at=ask.due_at,
        )
        for ask in incident.open_asks()
        if ask.opened.role == role and taker not in ask.persons
    )
    return (passed, *moved)


def amend(
    plan: Plan,
    runbooks: tuple[Mapping[str, Runbook], Mapping[str, Runbook]],
    incident: Incident,
    digest: str,
    *,
    by: str,
    why: str,
) -> tuple[ev.Event, ...]:
    """Change the plan in mid-incident; `runbooks` are those in force and those of the new plan."""
    require(plan, incident, by, COMMANDER)
    _require_open(incident)
    if not why:
        raise Refused("A plan is not changed in an incident without a reason.", "Add --why.")
    old, new = runbooks
    changed: list[str] = []
    for run in incident.runs.values():
        name = run.started.system
        before = {step.name: step for step in old[name].steps}
        after = {step.name: step for step in new[name].steps}
        for step in dict.fromkeys((*before, *after)):
            if before.get(step) == after.get(step):
                continue
            if run.step(step).state is not StepState.WAITING:
                raise Refused(
                    f"'{step}' of {name} has begun and cannot be changed.",
                    "Change only steps that wait; finish this one by hand.",
                )
            changed.append(f"{name}.{step}")
    if not changed:
        raise Refused("The new plan changes no step that is to come.", "There is nothing to amend.")
    pinned = {name: digest_of(to_bytes(runbook)) for name, runbook in new.items()}
    amended = orders.PlanAmended(
        plan=digest, by=by, why=why, changed=tuple(changed), runbooks=pinned
    )
    return (amended,)


def close(known: Known, incident: Incident, given: Answer) -> tuple[ev.Event, ...]:
    """Sign the post-mortem off; the incident is closed."""
    _require_open(incident)
    if incident.state not in (IncidentState.RESTORED, IncidentState.STOOD_DOWN):
        raise Refused(
            f"The incident is {incident.state}: there is nothing to sign off yet.",
            "It is closed once every system is restored, or once it was stood down.",
        )
    return answer(known, incident, open_ask(incident, "signoff").opened.ask, given)


def _require_open(incident: Incident) -> None:
    if incident.state is IncidentState.CLOSED:
        raise Refused("The incident is closed.", "Report a new one.")
