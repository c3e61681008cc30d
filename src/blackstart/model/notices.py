# SPDX-License-Identifier: Apache-2.0
"""What people are told: one plain text per kind of notice, made from facts only.

A text says what happened, what it means for the reader, and what comes next and when. It never
promises more than a fact shows, and it holds no address and no secret.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from blackstart.model.asks import commander_title
from blackstart.model.incident import AskView, Incident
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Mode, Plan
from blackstart.model.states import StepState
from blackstart.model.words import say_duration, say_moment

EVERYONE = "everyone"  # the audience of a channel that has one place of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Subject and body of a notice; `tone` is bad, good or neutral."""

    subject: str
    body: str
    tone: str = "neutral"


def compose(kind: str, plan: Plan, incident: Incident, about: str = "") -> Text:
    """Return the text of a notice. `about` is the ask or the step it speaks of, if any.

    A drill says so first, so that nobody takes it for the real thing. Raises KeyError for an
    unknown kind.
    """
    text = _TEXTS[kind](plan, incident, about)
    if incident.reported.mode == Mode.RECOVERY:
        return text
    return Text(
        subject=f"[DRILL] {text.subject}",
        body=f"This is a drill. No customer's system is affected.\n\n{text.body}",
        tone=text.tone,
    )


def _systems(incident: Incident) -> str:
    return " and ".join(incident.reported.systems)


def _estimate(incident: Incident) -> str:
    made = [run.estimate for run in incident.runs.values() if run.estimate]
    if not made:
        return "The recovery time is being estimated."
    longest = max(made, key=lambda estimate: estimate.expected_s)
    return (
        f"Estimated recovery time: {say_duration(longest.expected_s)} ({longest.basis}); "
        f"the goal is {say_duration(longest.goal_s)}."
    )


def _damage(incident: Incident) -> str:
    rows = [f"- {seen.subject}: {seen.condition} ({seen.seen})" for seen in incident.sightings()]
    return "\n".join(rows) or "- nothing was probed yet"


def _asked(_plan: Plan, incident: Incident, about: str) -> Text:
    ask: AskView = incident.asks[about]
    lines = [ask.opened.text, ""]
    lines += [f"- {fact}" for fact in ask.opened.facts]
    lines += [f"* {option.name}: {option.meaning}" for option in ask.opened.options]
    if ask.due_at:
        lines += [
            "",
            f"Please answer by {say_moment(ask.due_at)}; then the next in line is asked too.",
        ]
    lines += ["", f"To answer: blackstart answer {incident.id} {about} ANSWER --as YOUR-ID"]
    return Text(
        subject=f"{_systems(incident)}: your answer is needed ({ask.opened.kind})",
        body="\n".join(lines),
        tone="bad" if ask.opened.kind in ("acknowledge", "stopped") else "neutral",
    )


def _announced(plan: Plan, incident: Incident, _about: str) -> Text:
    by = incident.asks["acknowledge"].answer
    name = plan.people[by.by].name if by and by.by in plan.people else "nobody yet"
    return Text(
        subject=f"Incident {incident.id}: {_systems(incident)} is down",
        body=(
            f"{incident.reported.summary}\n"
            f"Outage since {say_moment(incident.reported.outage_start)}. "
            f"{commander_title(plan)}: {name}.\n\nWhat the probes see:\n{_damage(incident)}\n\n"
            "engineering, devops: find out (1) what is lost and what still works, (2) whether the "
            "cause is known and over, (3) how long a repair in place would take. "
            "Answer here or with `blackstart answer`."
        ),
        tone="bad",
    )


def _activated(plan: Plan, incident: Incident, _about: str) -> Text:
    decision = incident.activation
    who = plan.people[decision.by].name if decision and decision.by in plan.people else "?"
    why = decision.why if decision else ""
    return Text(
        subject=f"Recovery of {_systems(incident)} is activated",
        body=(
            f"{who} ({commander_title(plan)}) activated the Recovery phase. Reason: {why}\n"
            f"{_estimate(incident)}\n\nWhat is known:\n{_damage(incident)}"
        ),
        tone="bad",
    )


def _outage(plan: Plan, incident: Incident, _about: str) -> Text:
    return Text(
        subject=f"{_systems(incident)} is unavailable",
        body=(
            f"Since {say_moment(incident.reported.outage_start)} {_systems(incident)} cannot be "
            f"reached. We are restoring it in a new environment from our backups.\n"
            f"{_estimate(incident)}\n"
            "You need to do nothing now. You will be told when it works again, and at least every "
            f"{say_duration(plan.policy.cadence_s)} until then."
        ),
        tone="bad",
    )


def _recovered(_plan: Plan, incident: Incident, _about: str) -> Text:
    first = [m for name, m in incident.measures.items() if name.endswith(":first_service")]
    points = [m for name, m in incident.measures.items() if ":rpo:" in name]
    since = say_moment(max(m.end for m in first)) if first else "now"
    cut = ""
    if points:
        oldest = min(m.start for m in points)
        cut = (
            f"\nData was restored up to {say_moment(oldest)}. Changes made after that moment and "
            "before the outage may be missing: please check your latest work."
        )
    degraded = [
        name
        for run in incident.runs.values()
        for name, step in run.steps.items()
        if step.state in (StepState.DEGRADED, StepState.SKIPPED) and name != "announce_recovery"
    ]
    limits = f"\nStill limited: {', '.join(degraded)}." if degraded else ""
    return Text(
        subject=f"{_systems(incident)} is available again",
        body=(
            f"{_systems(incident)} works again since {since}; this was verified from outside, "
            f"through its public name.{cut}{limits}\nYou have to log in again. Your password is "
            "unchanged."
        ),
        tone="good",
    )


def _stopped(_plan: Plan, incident: Incident, about: str) -> Text:
    ask = incident.asks[about]
    return Text(
        subject=f"Recovery of {_systems(incident)} has stopped: {ask.opened.step}",
        body="\n".join((ask.opened.text, *(f"- {fact}" for fact in ask.opened.facts))),
        tone="bad",
    )


def _restored(plan: Plan, incident: Incident, _about: str) -> Text:
    full = [m for name, m in incident.measures.items() if name.endswith(":full_service")]
    took = max(((m.end - m.start).total_seconds() for m in full), default=0.0)
    return Text(
        subject=f"{_systems(incident)} is restored",
        body=(
            f"Full service after {say_duration(took)} "
            f"(goal {say_duration(plan.policy.objectives.rto_s)}). "
            "The post-mortem draft is ready; it waits for its sign-off."
        ),
        tone="good",
    )


_TEXTS: Mapping[str, Callable[[Plan, Incident, str], Text]] = {
    "asked": _asked,
    "announced": _announced,
    "activated": _activated,
    "outage": _outage,
    "recovered": _recovered,
    "stopped": _stopped,
    "restored": _restored,
}

COMMANDER_AUDIENCE = f"role:{COMMANDER}"
