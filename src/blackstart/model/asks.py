# SPDX-License-Identifier: Apache-2.0
"""What may be asked of people, who may answer, and what an answer makes happen."""

from __future__ import annotations

from blackstart.model import events as ev
from blackstart.model.errors import NotAuthorised, Refused
from blackstart.model.incident import AskView, Incident
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Mode, Plan, has_role
from blackstart.model.states import AskState

AUTOMATIC = "automatic"  # how an answer is given when nobody is there: in drills only

ANSWERS = {
    "acknowledge": ("acknowledged",),
    "decision": ("rebuild", "stand-down"),
    "gate": ("go", "stand-down"),
    "stopped": ("retry", "skip", "stand-down"),
    "signoff": ("signed",),
    "question": (),  # free text
}


def may_answer(plan: Plan, ask: AskView, person: str) -> bool:
    """Say whether the person holds the role that is asked, or is of the team."""
    role = ask.opened.role
    if role.startswith("team:"):
        team = plan.teams.get(role.removeprefix("team:"))
        return team is not None and person in team.members
    return has_role(plan, person, role)


def answer(
    plan: Plan, incident: Incident, ask_id: str, *, answer: str, by: str, why: str = "", how: str
) -> tuple[ev.Event, ...]:
    """Return the facts that follow when the person gives this answer.

    Raises Refused when the question is not open or has no such answer, NotAuthorised when the
    person may not answer it. An automatic answer is refused outside drills.
    """
    ask = incident.asks.get(ask_id)
    if ask is None or ask.state is not AskState.OPEN:
        waiting = ", ".join(found.opened.ask for found in incident.open_asks()) or "none"
        raise Refused(f"No open question is called '{ask_id}'.", f"Open questions: {waiting}.")
    if how == AUTOMATIC and incident.reported.mode != Mode.DRILL:
        raise Refused(
            "Answers are given automatically in drills only.", f"Let {ask.opened.role} answer."
        )
    if not may_answer(plan, ask, by):
        raise NotAuthorised(
            f"'{by}' may not answer '{ask_id}'.", f"It asks for {ask.opened.role} of the plan."
        )
    allowed = ANSWERS[ask.opened.kind]
    if allowed and answer not in allowed:
        raise Refused(f"'{answer}' does not answer '{ask_id}'.", f"Say {' or '.join(allowed)}.")
    given = ev.AskAnswered(ask=ask_id, answer=answer, by=by, why=why, how=how)
    return (given, *_consequences(incident, ask, given))


def _consequences(incident: Incident, ask: AskView, given: ev.AskAnswered) -> tuple[ev.Event, ...]:
    match (ask.opened.kind, given.answer):
        case ("decision", "rebuild"):
            facts = ask.opened.facts
            return (
                ev.RecoveryActivated(
                    by=given.by, option="rebuild", why=given.why, facts=facts, how=given.how
                ),
            )
        case (_, "stand-down"):
            return (
                ev.StoodDown(by=given.by, why=given.why),
                *withdraw_all(incident, "stood down", but=ask),
            )
        case ("stopped", "retry"):
            return (ev.StepStarted(run=ask.opened.run, step=ask.opened.step),)
        case ("stopped", "skip"):
            return (
                ev.StepEnded(
                    run=ask.opened.run,
                    step=ask.opened.step,
                    outcome="skipped",
                    reason=given.why,
                    by=given.by,
                ),
            )
        case ("signoff", _):
            return (ev.IncidentClosed(by=given.by, why=given.why),)
        case _:
            return ()


def withdraw_all(
    incident: Incident, reason: str, *, but: AskView | None = None
) -> tuple[ev.AskWithdrawn, ...]:
    """Return the facts that withdraw every open question except one."""
    return tuple(
        ev.AskWithdrawn(ask=ask.opened.ask, reason=reason)
        for ask in incident.open_asks()
        if ask is not but
    )


def persons_asked(plan: Plan, role: str) -> tuple[str, ...]:
    """Return whom to ask first: the first holder of a role, or every member of a team."""
    if role.startswith("team:"):
        team = plan.teams.get(role.removeprefix("team:"))
        return team.members if team else ()
    return plan.roles[role].holders[:1] if role in plan.roles else ()


def commander_title(plan: Plan) -> str:
    """Return the title of the incident commander as the plan gives it (CTO, say)."""
    return plan.roles[COMMANDER].title if COMMANDER in plan.roles else "incident commander"
