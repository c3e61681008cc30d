# SPDX-License-Identifier: Apache-2.0
"""What people are told: one plain text per kind of notice, made from facts only.

A text says what happened, what it means for the reader, and what comes next and when. It never
promises more than a fact shows, and it holds no address and no secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from blackstart.model.answering import commands_for, system_of
from blackstart.model.asks import commander_title
from blackstart.model.incident import AskView, Incident, RunView
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Mode, Plan
from blackstart.model.states import StepState
from blackstart.model.texts import (
    TELLING,
    Text,
    is_or_are,
    plainly,
    reach_rows,
    runs_out,
    systems_of,
    work_rows,
)
from blackstart.model.time_texts import delayed_text, goal_text, prolonged_text
from blackstart.model.time_words import say_late
from blackstart.model.words import say_duration, say_moment, say_option

EVERYONE = "everyone"  # the audience of a channel that has one place of its own; else all staff
ALL_CUSTOMERS = "all customers"
INCIDENT_CHANNEL = "incident"  # where everybody who works on it hears how it goes
STAFF_CHANNEL = "staff"  # over which persons, roles and teams are asked and told


def customer_audience(customer: str) -> str:
    """Return the audience of one customer: those of the affected people who are of his team."""
    return f"customer:{customer}"


def compose(
    kind: str, plan: Plan, incident: Incident, about: str = "", *, late_s: float = 0.0
) -> Text:
    """Return the text of a notice. `about` is the ask or the step it speaks of, if any.

    One that comes too late says by how much. A drill says so first, so that nobody takes it for
    the real thing. Raises KeyError for an unknown kind.
    """
    text = _TEXTS[kind](plan, incident, about)
    if late_s:
        text = replace(text, body=f"{text.body}\n\n{say_late(late_s)}")
    if incident.reported.mode == Mode.RECOVERY:
        return text
    word = "drill" if incident.reported.mode == Mode.DRILL else "table-top exercise"
    return Text(
        subject=f"[{word.upper()}] {text.subject}",
        body=f"This is a {word}. No customer's system is affected.\n\n{text.body}",
        tone=text.tone,
    )


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
    lines += [f"* {say_option(option)}" for option in ask.opened.options]
    if ask.due_at:
        lines += [
            "",
            f"Please answer by {say_moment(ask.due_at)}; then the next in line is asked too.",
        ]
    command, *instead = commands_for(incident, ask)
    lines += ["", f"To answer: {command}", *(f"or: {other}" for other in instead)]
    about_what = system_of(incident, ask) or systems_of(incident)
    return Text(
        subject=f"{about_what}: your answer is needed ({ask.opened.kind})",
        body="\n".join(lines),
        tone="bad" if ask.opened.kind in ("acknowledge", "stopped") else "neutral",
    )


def _announced(plan: Plan, incident: Incident, _about: str) -> Text:
    by = incident.asks["acknowledge"].answer
    name = plan.people[by.by].name if by and by.by in plan.people else "nobody yet"
    return Text(
        subject=f"Incident {incident.id}: {systems_of(incident)} {is_or_are(incident)} down",
        body=(
            f"{incident.reported.summary.rstrip('.')}.\n"
            f"Outage since {say_moment(incident.outage_start)}. "
            f"{commander_title(plan)}: {name}.\n\nWhat the probes see:\n{_damage(incident)}\n\n"
            f"{', '.join(plan.teams) or 'everybody'}: "
            "find out (1) what is lost and what still works, (2) whether the "
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
        subject=f"Recovery of {systems_of(incident)} is activated",
        body=(
            f"{who} ({commander_title(plan)}) activated the Recovery phase. Reason: {why}\n"
            f"{_estimate(incident)}\n\nWhat is known:\n{_damage(incident)}"
        ),
        tone="bad",
    )


def _outage(plan: Plan, incident: Incident, _about: str) -> Text:
    return Text(
        subject=f"{systems_of(incident)} {is_or_are(incident)} unavailable",
        body=(
            f"Since {say_moment(incident.outage_start)} {systems_of(incident)} cannot be reached. "
            "We are restoring from our backups, in a new environment.\n"
            f"{_estimate(incident)}\n"
            "You need to do nothing now. You will be told when you can work again, and at least "
            f"every {say_duration(plan.policy.cadence_s)} until then."
        ),
        tone="bad",
    )


def _recovered(_plan: Plan, incident: Incident, about: str) -> Text:
    run = incident.runs[about.partition(":")[0]]
    system = run.started.system
    first = incident.measures.get(f"{system}:first_service")
    points = [m for name, m in incident.measures.items() if name.startswith(f"{system}:rpo:")]
    since = say_moment(first.end) if first else "now"
    cut = ""
    if points:
        oldest = min(m.start for m in points)
        cut = (
            f"\nData was restored up to {say_moment(oldest)}. What was written after that moment "
            "is lost: please check your latest work."
        )
    limits = "".join(f"\n{limit}" for limit in _limits(run, but=TELLING))
    waived = "".join(
        f"\nThe rule '{waiver.rule}' was set aside: {waiver.why}" for waiver in incident.waivers
    )
    others = [
        one.started.system for one in incident.runs.values() if one is not run and not one.outcome
    ]
    rest = f"\nStill being restored: {', '.join(others)}." if others else ""
    return Text(
        subject=f"{system} is available again",
        body=(
            f"{system} works again since {since}; this was verified from outside, "
            f"through its public name.{cut}{limits}{waived}{rest}\nYou have to log in again. "
            "Your password is unchanged."
        ),
        tone="good",
    )


def _limits(run: RunView, but: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield what is not as it was, in words for users; of steps in `but` only what actions told.

    Why a step failed may name what users have no use for; what an action calls less than it should
    be is written for them.
    """
    told = [each for step in run.steps.values() for each in step.degradations()]
    amiss = [
        name
        for name, step in run.steps.items()
        if name not in but
        and (
            step.state is StepState.SKIPPED
            or (step.state is StepState.DEGRADED and not step.degradations())
        )
    ]
    if amiss:
        yield f"Not whole: {plainly(amiss)}."
    yield from (f"Not whole: {each.rstrip('.')}." for each in dict.fromkeys(told))


def _update(plan: Plan, incident: Incident, _about: str) -> Text:
    out = runs_out(incident)
    rows = [*reach_rows(incident), *work_rows(incident)]
    rows += [_estimate_of(incident, out)] if out else []
    return Text(
        subject=f"{systems_of(incident)}: how the restoration stands",
        body="\n".join(rows) + "\nYou will hear again within "
        f"{say_duration(plan.policy.cadence_s)}, or as soon as there is news.",
        tone="bad" if out else "neutral",
    )


def _estimate_of(incident: Incident, runs: tuple[RunView, ...]) -> str:
    """Return the estimate with the moment it counts from: it is read hours after that."""
    made = [run.estimate for run in runs if run.estimate]
    if not made or incident.activated_at is None:
        return "The recovery time is being estimated."
    longest = max(made, key=lambda estimate: estimate.expected_s)
    return (
        f"Estimated recovery time: {say_duration(longest.expected_s)} ({longest.basis}), counted "
        f"from {say_moment(incident.activated_at)}."
    )


def _situation(plan: Plan, incident: Incident, about: str) -> Text:
    told = incident.situations[int(about.split(maxsplit=1)[0]) - 1]
    name = plan.people[told.by].name if told.by in plan.people else told.by
    return Text(
        subject=f"{systems_of(incident)}: news of {say_moment(incident.last_at)}",
        body=f"{told.text}\n\n{name}",
    )


def _stood_down(plan: Plan, incident: Incident, _about: str) -> Text:
    decision = incident.stood_down
    who = plan.people[decision.by].name if decision and decision.by in plan.people else "?"
    return Text(
        subject=f"Incident {incident.id}: stood down",
        body=(
            f"{who} ({commander_title(plan)}) stood the incident of {systems_of(incident)} down. "
            f"Reason: {decision.why if decision and decision.why else 'none given'}\n"
            "What a recovery had begun is being taken back; `blackstart status` shows how far."
        ),
    )


def _over(_plan: Plan, incident: Incident, _about: str) -> Text:
    why = incident.stood_down.why if incident.stood_down else ""
    return Text(
        subject=f"{systems_of(incident)}: no move to a new environment",
        body=(
            f"We told you that we were restoring {systems_of(incident)} in a new environment. "
            f"That was ended: {why or 'it is not needed'}\n"
            "If something does not work for you, please tell us."
        ),
    )


def _stopped(_plan: Plan, incident: Incident, about: str) -> Text:
    ask = incident.asks[about]
    return Text(
        subject=f"Recovery of {system_of(incident, ask) or systems_of(incident)} has stopped: "
        f"{ask.opened.step}",
        body="\n".join((ask.opened.text, *(f"- {fact}" for fact in ask.opened.facts))),
        tone="bad",
    )


def _customer(_plan: Plan, incident: Incident, about: str) -> Text:
    ask = incident.asks[about].opened
    system = incident.runs[ask.run].started.system
    rows = "\n".join(f"- {fact}" for fact in ask.facts)
    return Text(
        subject=f"{system}: something is left for you to do",
        body=(
            f"{system} is served from a new environment. Until you have done this, it may not "
            f"work for you as before:\n{rows}\n"
            "Please tell us when it is done, as an answer to this message. Until then we keep it "
            "open on our side."
        ),
        tone="neutral",
    )


def _restored(plan: Plan, incident: Incident, _about: str) -> Text:
    full = [m for name, m in incident.measures.items() if name.endswith(":full_service")]
    took_s = max(((m.end - m.start).total_seconds() for m in full), default=None)
    is_known = len(full) == len(incident.reported.systems)
    took = f"after {say_duration(took_s)}" if is_known else "was not measured"
    limits = [limit for run in incident.runs.values() for limit in _limits(run)]
    return Text(
        subject=f"{systems_of(incident)} {is_or_are(incident)} restored",
        body=(
            f"Full service {took} (goal {say_duration(plan.policy.objectives.rto_s)}).\n"
            + "".join(f"{limit}\n" for limit in limits)
            + "The post-mortem draft is ready; it waits for its sign-off."
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
    "customer": _customer,
    "update": _update,
    "situation": _situation,
    "stood_down": _stood_down,
    "over": _over,
    "delayed": delayed_text,
    "goal": goal_text,
    "prolonged": prolonged_text,
}

COMMANDER_AUDIENCE = f"role:{COMMANDER}"
