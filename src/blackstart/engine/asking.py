# SPDX-License-Identifier: Apache-2.0
"""What people have to be asked now, and who is asked next when nobody answers in time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from blackstart.engine.stepping import gate_of, is_ready
from blackstart.model import events as ev
from blackstart.model.asks import ANSWERS, persons_asked
from blackstart.model.incident import AskView, Incident, RunView
from blackstart.model.people import COMMANDER, deputy_of
from blackstart.model.plan import Plan
from blackstart.model.runbook import Phase, Runbook, StepSpec
from blackstart.model.states import IncidentState, StepState, lets_others_go
from blackstart.model.words import say_duration, say_moment

_MEANINGS = {
    "acknowledged": "I take this on",
    "rebuild": "activate the Recovery phase: build a new environment and restore the data",
    "stand-down": "no recovery is needed, or it is not to go on",
    "go": "continue with this step",
    "retry": "try the failed action again, after what was wrong has been put right",
    "skip": "leave this step out; what needs its results cannot start",
    "signed": "the post-mortem is complete",
}


def asks_to_open(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> Iterator[ev.Event]:
    """Yield the questions that have become necessary and were not asked, and those to withdraw."""
    match incident.state:
        case IncidentState.REPORTED:
            yield from _new(incident, _acknowledge(plan, incident, now))
        case IncidentState.ACKNOWLEDGED:
            yield from _when_acknowledged(plan, incident, now)
        case IncidentState.RECOVERING:
            for run in incident.runs.values():
                yield from _of_run(plan, runbooks[run.started.system], incident, run, now)
        case IncidentState.RESTORED | IncidentState.STOOD_DOWN:
            yield from _when_over(plan, incident)
        case IncidentState.CLOSED:
            return


def _when_acknowledged(plan: Plan, incident: Incident, now: datetime) -> Iterator[ev.AskOpened]:
    for team in plan.teams:
        yield from _new(incident, _question(plan, team))
    if len(incident.runs) == len(incident.reported.systems) and all(
        run.estimate for run in incident.runs.values()
    ):
        yield from _new(incident, _decision(plan, incident, now))


def _when_over(plan: Plan, incident: Incident) -> Iterator[ev.Event]:
    for ask in incident.open_asks():
        if ask.opened.kind == "question":
            yield ev.AskWithdrawn(ask=ask.opened.ask, reason="the system is restored")
    if incident.postmortem:
        yield from _new(incident, _signoff(plan))


def asks_to_escalate(plan: Plan, incident: Incident, now: datetime) -> Iterator[ev.AskEscalated]:
    """Yield an escalation for each question that is overdue: the deputy, or all of them again."""
    for ask in incident.open_asks():
        if ask.due_at is None or ask.due_at > now:
            continue
        role = plan.roles[ask.opened.role]
        person = deputy_of(role, ask.persons[-1]) or role.holders[0]
        late = now + timedelta(seconds=role.acknowledge_within_s)
        yield ev.AskEscalated(ask=ask.opened.ask, person=person, was_due_at=ask.due_at, due_at=late)


def _new(incident: Incident, ask: ev.AskOpened) -> Iterator[ev.AskOpened]:
    if ask.ask not in incident.asks:
        yield ask


def _ask(
    plan: Plan,
    kind: str,
    name: str,
    text: str,
    *,
    now: datetime | None = None,
    role: str = COMMANDER,
    facts: tuple[str, ...] = (),
    run: str = "",
    step: str = "",
) -> ev.AskOpened:
    due = None
    if now and role in plan.roles:
        due = now + timedelta(seconds=plan.roles[role].acknowledge_within_s)
    options = tuple(ev.Option(name=each, meaning=_MEANINGS[each]) for each in ANSWERS[kind])
    return ev.AskOpened(
        ask=name,
        kind=kind,
        text=text,
        role=role,
        persons=persons_asked(plan, role),
        due_at=due,
        facts=facts,
        options=options,
        run=run,
        step=step,
    )


def _acknowledge(plan: Plan, incident: Incident, now: datetime) -> ev.AskOpened:
    reported = incident.reported
    text = (
        f"{reported.summary} Outage since {say_moment(reported.outage_start)}. Do you take it on?"
    )
    return _ask(plan, "acknowledge", "acknowledge", text, now=now, facts=_seen(incident))


def _question(plan: Plan, team: str) -> ev.AskOpened:
    text = (
        f"{team}: what is lost and what still works, is the cause known and over, "
        "and how long would a repair in place take?"
    )
    return _ask(plan, "question", f"question:{team}", text, role=f"team:{team}")


def _decision(plan: Plan, incident: Incident, now: datetime) -> ev.AskOpened:
    facts = list(_seen(incident))
    for run in incident.runs.values():
        if run.estimate:
            verdict = "within" if run.estimate.expected_s <= run.estimate.goal_s else "ABOVE"
            facts.append(
                f"{run.started.system}: a rebuild is expected to take "
                f"{say_duration(run.estimate.expected_s)} ({run.estimate.basis}), {verdict} the "
                f"goal of {say_duration(run.estimate.goal_s)}"
            )
    if plan.policy.activate_when:
        facts.append(
            f"the plan says to activate when any holds: {'; '.join(plan.policy.activate_when)}"
        )
    text = "Activate the Recovery phase?"
    return _ask(plan, "decision", "decision", text, now=now, facts=tuple(facts))


def _seen(incident: Incident) -> tuple[str, ...]:
    return tuple(f"{seen.subject}: {seen.condition} ({seen.seen})" for seen in incident.sightings())


def _of_run(
    plan: Plan, runbook: Runbook, incident: Incident, run: RunView, now: datetime
) -> Iterator[ev.AskOpened]:
    for step in runbook.steps:
        if step.gate and is_ready(incident, run, step):
            yield from _new(incident, _gate(plan, runbook, run, step, now))
        if run.step(step.name).state is StepState.FAILED:
            yield from _stopped(plan, incident, run, step, now)


def _gate(
    plan: Plan, runbook: Runbook, run: RunView, step: StepSpec, now: datetime
) -> ev.AskOpened:
    facts = tuple(
        f"{before.title}: {run.step(before.name).state}"
        for before in runbook.steps
        if before.phase is Phase.RECOVERY and lets_others_go(run.step(before.name).state)
    )
    text = f"{step.title} for {run.started.system}: everything before it is verified. Go?"
    return _ask(
        plan,
        "gate",
        gate_of(run, step),
        text,
        now=now,
        role=step.gate,
        facts=facts,
        run=run.started.run,
        step=step.name,
    )


def _stopped(
    plan: Plan, incident: Incident, run: RunView, step: StepSpec, now: datetime
) -> Iterator[ev.AskOpened]:
    stem = f"stopped:{run.started.run}:{step.name}"
    earlier = [ask for name, ask in incident.asks.items() if name.startswith(stem)]
    if any(_is_open(ask) for ask in earlier):
        return
    view = run.step(step.name)
    hints = tuple(action.hint for action in view.actions.values() if action.hint)
    manual = (f"by hand: {step.manual}",) if step.manual else ()
    yield _ask(
        plan,
        "stopped",
        f"{stem}:{len(earlier) + 1}",
        f"'{step.title}' of {run.started.system} failed: {view.reason}",
        now=now,
        facts=(*hints, *manual),
        run=run.started.run,
        step=step.name,
    )


def _is_open(ask: AskView) -> bool:
    return ask.ended_at is None


def _signoff(plan: Plan) -> ev.AskOpened:
    text = "The post-mortem draft is ready. Complete it with the people involved, then sign it off."
    return _ask(plan, "signoff", "signoff", text)
