# SPDX-License-Identifier: Apache-2.0
"""What people are told when time presses: the goal is being spent, the outage is prolonged."""

from __future__ import annotations

from datetime import timedelta

from blackstart.model.asks import commander_title
from blackstart.model.plan import Plan
from blackstart.model.states import IncidentState
from blackstart.model.texts import Text, plainly, reach_rows, systems_of, work_rows
from blackstart.model.time_words import say_prolonged, say_share_spent, say_usual
from blackstart.model.views import Incident
from blackstart.model.words import say_duration, say_moment


def goal_text(plan: Plan, incident: Incident, _about: str) -> Text:
    """Return the warning that so much of the goal is spent."""
    spent = incident.shares_spent[-1]
    goal_at = incident.outage_start + timedelta(seconds=spent.goal_s)
    left_s = (goal_at - incident.last_at).total_seconds()
    left = f"; {say_duration(left_s)} are left" if left_s > 0 else ""
    stands = f"{systems_of(incident)}: {say_share_spent(spent)}"
    rows = (
        *reach_rows(incident),
        f"The goal is full service by {say_moment(goal_at)}{left}.",
        *_standing(plan, incident),
        f"How it stands, and who is asked for what: blackstart status {incident.id}",
    )
    return Text(subject=stands, body="\n".join(rows), tone="bad")


def _standing(plan: Plan, incident: Incident) -> tuple[str, ...]:
    who = commander_title(plan)
    match incident.state:
        case IncidentState.REPORTED:
            return (f"Nobody has taken the incident on; the {who} is asked.",)
        case IncidentState.ACKNOWLEDGED:
            return (f"The Recovery phase is not activated; the {who} decides.",)
        case _:
            return (*work_rows(incident), *_expected_end(incident))


def _expected_end(incident: Incident) -> tuple[str, ...]:
    made = [run.estimate for run in incident.runs.values() if run.estimate and not run.outcome]
    if not made or incident.activated_at is None:
        return ()
    longest = max(made, key=lambda estimate: estimate.expected_s)
    end = incident.activated_at + timedelta(seconds=longest.expected_s)
    fits = end <= incident.outage_start + timedelta(seconds=longest.goal_s)
    verdict = "within" if fits else "AFTER"
    if end < incident.last_at:
        return (f"It was expected to be over at {say_moment(end)}, and is not.",)
    return (f"Expected to be over at {say_moment(end)}, {verdict} the goal ({longest.basis}).",)


def prolonged_text(plan: Plan, incident: Incident, _about: str) -> Text:
    """Return what presses the commander to decide: the outage is, or will be, a prolonged one."""
    told = incident.prolonged[-1]
    why = say_prolonged(told)
    conditions = "".join(f"\n- {each}" for each in plan.policy.activate_when)
    when = f"\nThe plan activates the Recovery phase when:{conditions}" if conditions else ""
    return Text(
        subject=f"{systems_of(incident)}: the outage is prolonged, and recovery is not active",
        body=(
            f"{why[0].upper()}{why[1:]}.\n"
            f"Outage since {say_moment(incident.outage_start)}. "
            f"{_so_far(plan, incident)}{when}\n\n"
            f"The {commander_title(plan)} decides: "
            f"blackstart activate {incident.id} --as YOUR-ID --why REASON "
            f"(or blackstart stand-down). {_first(incident)}".rstrip()
        ),
        tone="bad",
    )


def _first(incident: Incident) -> str:
    is_reported = incident.state is IncidentState.REPORTED
    return f"First: blackstart acknowledge {incident.id} --as YOUR-ID." if is_reported else ""


def _so_far(plan: Plan, incident: Incident) -> str:
    if incident.state is IncidentState.REPORTED:
        return "Nobody has taken the incident on."
    answers = [
        ask.answer for ask in incident.asks.values() if ask.opened.kind == "decision" and ask.answer
    ]
    if not answers:
        return "Nobody has decided."
    last = answers[-1]
    name = plan.people[last.by].name if last.by in plan.people else last.by
    why = f" ({last.why})" if last.why else ""
    return f"So far {name} chose: {last.answer}{why}."


def delayed_text(_plan: Plan, incident: Incident, about: str) -> Text:
    """Return what the owner of a step reads when it takes longer than usual."""
    run, _, step = about.partition(":")
    view = incident.runs[run]
    rows = []
    for name, action in view.step(step).actions.items():
        if action.delayed and action.started_at and not action.ended_at:
            so_far_s = (incident.last_at - action.started_at).total_seconds()
            usual = say_usual(action.delayed.usual_s, action.delayed.of)
            rows.append(f"- {name}: running for {say_duration(so_far_s)}; {usual}.")
    what = f"'{plainly([step])}' of {view.started.system}"
    return Text(
        subject=f"{view.started.system}: {plainly([step])} takes longer than usual",
        body="\n".join(
            (
                f"{what} takes longer than usual. It goes on; nothing was ended.",
                *rows,
                "Please look whether it still gets on. At its limit the commander is asked.",
                "To end it before:",
                f"blackstart step cancel {incident.id} {step} --as YOUR-ID --why REASON",
            )
        ),
    )
