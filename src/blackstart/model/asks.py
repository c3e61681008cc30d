# SPDX-License-Identifier: Apache-2.0
"""What may be asked of people, who may answer, and what an answer makes happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.answering import ANSWERS
from blackstart.model.authority import holds, require
from blackstart.model.errors import NotAuthorised, Refused
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Mode, Plan
from blackstart.model.states import AskState, IncidentState
from blackstart.model.steering import (
    Runbooks,
    is_waived,
    passed_no_return,
    require_moments,
    skip,
)
from blackstart.model.stopping import on_overdue
from blackstart.model.views import AskView, Incident

AUTOMATIC = "automatic"  # how an answer is given when nobody is there: in drills only
PROTECTED = "protected-before-close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person says to a question. `outputs` and `evidence` go with work done by hand.

    `for_s` says how long an action may go on beyond its limit; 0: as long again as that limit.
    """

    text: str
    by: str
    why: str = ""
    how: str = "command"
    outputs: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    for_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known when an answer is judged. `unprotected`: state items without a proven backup
    since service came back.
    """

    plan: Plan
    runbooks: Runbooks
    now: datetime
    unprotected: tuple[str, ...] = ()


def answer(known: Known, incident: Incident, ask_id: str, given: Answer) -> tuple[ev.Event, ...]:
    """Return the facts that follow when the person gives this answer.

    Raises Refused when the question is not open, has no such answer or its conditions do not
    hold, NotAuthorised when the person may not answer. Automatic answers are for drills only.
    """
    ask = incident.asks.get(ask_id)
    if ask and ask.answer:
        raise Refused(
            f"{ask.answer.by} answered '{ask_id}' with '{ask.answer.answer}' already.",
            "`blackstart timeline` shows what followed from it.",
        )
    if ask is None or ask.state is not AskState.OPEN:
        waiting = ", ".join(found.opened.ask for found in incident.open_asks()) or "none"
        raise Refused(f"No open question is called '{ask_id}'.", f"Open questions: {waiting}.")
    if given.how == AUTOMATIC and incident.reported.mode != Mode.DRILL:
        raise Refused(
            "Answers are given automatically in drills only.", f"Let {ask.opened.role} answer."
        )
    is_commander = holds(known.plan, incident, given.by, COMMANDER)
    if not is_commander and not holds(known.plan, incident, given.by, ask.opened.role):
        raise NotAuthorised(
            f"'{given.by}' may not answer '{ask_id}'.",
            f"It asks for {ask.opened.role} of the plan.",
        )
    if given.text == "given-up" and not given.why:
        raise Refused(f"'{ask_id}' is not given up without a reason.", "Say it with --why.")
    allowed = ANSWERS[ask.opened.kind]
    if allowed and given.text not in allowed:
        raise Refused(f"'{given.text}' does not answer '{ask_id}'.", f"Say {' or '.join(allowed)}.")
    fact = ev.AskAnswered(ask=ask_id, answer=given.text, by=given.by, why=given.why, how=given.how)
    return (fact, *_consequences(known, incident, ask, given))


def _consequences(
    known: Known, incident: Incident, ask: AskView, given: Answer
) -> tuple[ev.Event, ...]:
    match (ask.opened.kind, given.text):
        case ("decision", "rebuild"):
            return (activated(given, ask.opened.facts),)
        case (_, "stand-down"):
            require(known.plan, incident, given.by, COMMANDER)
            return stood_down(incident, given, but=ask)
        case ("manual", _):
            return (_ended_by_hand(ask, given, known.now),)
        case ("overdue", text):
            return on_overdue(
                known.plan,
                known.runbooks,
                incident,
                ask,
                text,
                by=given.by,
                why=given.why,
                now=known.now,
                for_s=given.for_s,
            )
        case ("stopped", _):
            return _on_stopped(known, incident, ask, given)
        case ("undo", text):
            return (_on_undo(ask.opened, text, given),)
        case ("signoff", _):
            _require_customers_heard(incident)
            _require_protected(known, incident)
            return (ev.IncidentClosed(by=given.by, why=given.why),)
        case _:
            return ()


def _on_undo(
    opened: ev.AskOpened, text: str, given: Answer
) -> orders.UndoOrdered | orders.StepUndone:
    if text == "leave":
        return orders.StepUndone(run=opened.run, step=opened.step)
    return orders.UndoOrdered(run=opened.run, step=opened.step, by=given.by, why=given.why)


def activated(given: Answer, facts: tuple[str, ...]) -> ev.RecoveryActivated:
    """Return the fact that the Recovery phase is activated."""
    return ev.RecoveryActivated(
        by=given.by, option="rebuild", why=given.why, facts=facts, how=given.how
    )


def stood_down(
    incident: Incident, given: Answer, *, but: AskView | None = None
) -> tuple[ev.Event, ...]:
    """Return the facts that end the incident. Raises Refused past the point of no return."""
    if incident.state in (IncidentState.RESTORED, IncidentState.CLOSED, IncidentState.STOOD_DOWN):
        raise Refused(f"The incident is {incident.state}.", "There is nothing to stand down from.")
    system = passed_no_return(incident)
    if system:
        raise Refused(
            f"{system} has let users in: this is past the point of no return.",
            "What they wrote since would be lost. Go on to the end; going back is a recovery of "
            "its own.",
        )
    return (
        ev.StoodDown(by=given.by, why=given.why),
        *withdraw_all(incident, "stood down", but=but),
    )


def _ended_by_hand(ask: AskView, given: Answer, now: datetime) -> ev.ActionEnded:
    opened = ask.opened
    is_done = given.text == "done"
    missing = [name for name in opened.outputs if name not in given.outputs]
    if is_done and missing:
        words = " ".join(f"--output {name}=VALUE" for name in missing)
        raise Refused(f"What follows needs {', '.join(missing)}.", f"Give it: {words}.")
    if is_done and opened.needs_evidence and not given.evidence:
        raise Refused("This is not done without evidence.", "Add --evidence FILE that shows it.")
    require_moments(given.outputs, now)
    return ev.ActionEnded(
        run=opened.run,
        step=opened.step,
        action=opened.action,
        key=opened.ask,
        outcome="done" if is_done else "failed",
        outputs=dict(given.outputs),
        evidence=given.evidence,
        summary=given.why or "done by hand" if is_done else given.why or "failed",
        hint="" if is_done else "Put right what stood in the way, then retry.",
    )


def _on_stopped(
    known: Known, incident: Incident, ask: AskView, given: Answer
) -> tuple[ev.Event, ...]:
    run = incident.runs[ask.opened.run]
    step = ask.opened.step
    if given.text == "retry":
        return (ev.StepStarted(run=ask.opened.run, step=step),)
    skipped = skip(
        known.plan,
        known.runbooks,
        incident,
        run,
        step,
        by=given.by,
        why=given.why,
        now=known.now,
        outputs=given.outputs,
    )
    return tuple(
        fact
        for fact in skipped
        if not (isinstance(fact, ev.AskWithdrawn) and fact.ask == ask.opened.ask)
    )


def _require_customers_heard(incident: Incident) -> None:
    silent = [ask.opened.ask for ask in incident.open_asks() if ask.opened.kind == "customer"]
    if silent:
        raise Refused(
            f"Customers have something left to do: {', '.join(silent)}.",
            "Answer each with `confirmed` when they did, or with `given-up` and the reason.",
        )


def _require_protected(known: Known, incident: Incident) -> None:
    if not known.unprotected or is_waived(incident, PROTECTED, known.now):
        return
    raise Refused(
        f"The new environment is not protected: no backup of {', '.join(known.unprotected)} was "
        "proven since service came back.",
        "`blackstart backups verify SYSTEM` proves one; or the commander waives "
        f"'{PROTECTED}' with a second person.",
    )


def withdraw_all(
    incident: Incident, reason: str, *, but: AskView | None = None
) -> tuple[ev.AskWithdrawn, ...]:
    """Return the facts that withdraw every open question except one."""
    return tuple(
        ev.AskWithdrawn(ask=ask.opened.ask, reason=reason)
        for ask in incident.open_asks()
        if ask is not but
    )


def commander_title(plan: Plan) -> str:
    """Return the title of the incident commander as the plan gives it (CTO, say)."""
    return plan.roles[COMMANDER].title if COMMANDER in plan.roles else "incident commander"
