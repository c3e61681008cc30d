# SPDX-License-Identifier: Apache-2.0
"""What people have to be asked now, and who is asked next when nobody answers in time. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from blackstart.engine.customers import LIAISON, left_to_customers
from blackstart.engine.overdue import Going, past_limit, usual_of
from blackstart.engine.questions import is_open, make_ask, new_ask
from blackstart.engine.stepping import is_manual, is_ready, ready_actions
from blackstart.engine.timing import prolonged_so_far
from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.answering import LATER
from blackstart.model.authority import TEAM, next_asked, role_of_owner
from blackstart.model.incident import Incident, RunView, StepView
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan
from blackstart.model.references import substitute
from blackstart.model.runbook import ActionSpec, Param, Phase, Runbook, StepSpec
from blackstart.model.states import IncidentState, StepState, lets_others_go
from blackstart.model.steering import gate_name, gates_of
from blackstart.model.time_words import say_prolonged, say_usual
from blackstart.model.timing import late_by
from blackstart.model.words import say_duration, say_moment

_BY_HAND = (IncidentState.REPORTED, IncidentState.ACKNOWLEDGED, IncidentState.RECOVERING)


def asks_to_open(
    plan: Plan,
    runbooks: Mapping[str, Runbook],
    incident: Incident,
    now: datetime,
    runs: Collection[RunView],
) -> Iterator[ev.Event]:
    """Yield the questions that have become necessary and were not asked, and those to withdraw.

    Questions about a single run are looked for in `runs`.
    """
    for run in runs:
        yield from _of_run(plan, runbooks[run.started.system], incident, run, now)
        yield from _of_customers(plan, incident, run)
    match incident.state:
        case IncidentState.REPORTED:
            yield from new_ask(incident, _acknowledge(plan, incident, now))
        case IncidentState.ACKNOWLEDGED:
            yield from _when_acknowledged(plan, incident, now)
        case IncidentState.RESTORED | IncidentState.STOOD_DOWN:
            yield from _when_over(plan, incident)
        case IncidentState.RECOVERING | IncidentState.CLOSED:
            return


def _when_acknowledged(plan: Plan, incident: Incident, now: datetime) -> Iterator[ev.AskOpened]:
    for team in plan.teams:
        yield from new_ask(incident, _question(plan, incident, team))
    if len(incident.runs) == len(incident.reported.systems) and all(
        run.estimate for run in incident.runs.values()
    ):
        yield from _decision(plan, incident, now)


def _when_over(plan: Plan, incident: Incident) -> Iterator[ev.Event]:
    for ask in incident.open_asks():
        if ask.opened.kind == "question":
            yield ev.AskWithdrawn(ask=ask.opened.ask, reason=f"the incident is {incident.state}")
    for (run, step), failed in incident.undo_failed.items():
        yield from _undo(plan, incident, run, step, failed)
    if incident.postmortem:
        yield from new_ask(incident, _signoff(plan, incident))


def overdue_asks(
    plan: Plan, runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> Iterator[ev.AskOpened]:
    """Yield the question about each action that is past its limit; it goes on meanwhile."""
    for one, name in past_limit(runbooks, incident, now):
        ran_s = (now - one.since).total_seconds()
        manual = (f"by hand: {one.step.manual}",) if one.step.manual else ()
        asked = make_ask(
            plan,
            incident,
            "overdue",
            name,
            f"'{one.step.title}' of {one.run.started.system}: {one.spec.name} ({one.spec.use}) has "
            f"run for {say_duration(ran_s)}; its limit is {say_duration(one.spec.limit_s)}. "
            "It goes on until somebody ends it. What now?",
            now=now,
            facts=(f"usually: {say_usual(*usual_of(incident, one))}", *_allowed(one), *manual),
            run=one.run.started.run,
            step=one.step.name,
        )
        yield replace(asked, action=one.spec.name)


def _allowed(one: Going) -> tuple[str, ...]:
    until = one.view.extended_until
    return (f"it was allowed until {say_moment(until)}",) if until else ()


def asks_to_escalate(plan: Plan, incident: Incident, now: datetime) -> Iterator[ev.AskEscalated]:
    """Yield an escalation for each question that is overdue: the deputy, or all of them again."""
    for ask in incident.open_asks():
        if ask.due_at is None or ask.due_at > now:
            continue
        person = next_asked(plan, incident, ask.opened.role, ask.persons)
        role = plan.roles.get(ask.opened.role) or plan.roles[COMMANDER]
        again_at = now + timedelta(seconds=role.acknowledge_within_s)
        yield ev.AskEscalated(
            ask=ask.opened.ask,
            person=person,
            was_due_at=ask.due_at,
            due_at=again_at,
            late_s=late_by(ask.due_at, now),
        )


def _acknowledge(plan: Plan, incident: Incident, now: datetime) -> ev.AskOpened:
    reported = incident.reported
    what = reported.summary.rstrip(".")
    text = f"{what}. Outage since {say_moment(incident.outage_start)}. Do you take it on?"
    return make_ask(
        plan, incident, "acknowledge", "acknowledge", text, now=now, facts=_seen(incident)
    )


def _question(plan: Plan, incident: Incident, team: str) -> ev.AskOpened:
    text = (
        f"{team}: what is lost and what still works, is the cause known and over, "
        "and how long would a repair in place take?"
    )
    return make_ask(plan, incident, "question", f"question:{team}", text, role=TEAM + team)


def _decision(plan: Plan, incident: Incident, now: datetime) -> Iterator[ev.AskOpened]:
    """Yield the decision; after one that leaves production to others, the next look at it."""
    earlier = [ask for ask in incident.asks.values() if ask.opened.kind == "decision"]
    if earlier and (earlier[-1].answer is None or earlier[-1].answer.answer not in LATER):
        return
    name = f"decision:{len(earlier) + 1}" if earlier else "decision"
    last = earlier[-1].answer if earlier else None
    text = "Activate the Recovery phase?"
    if last:
        chosen = f"{last.answer} ({last.why})" if last.why else last.answer
        text = f"So far you chose: {chosen}. {text}"
    yield make_ask(
        plan,
        incident,
        "decision",
        name,
        text,
        now=now,
        within_s=plan.policy.cadence_s if last else 0.0,
        facts=_facts_for_decision(plan, incident, now),
    )


def _facts_for_decision(plan: Plan, incident: Incident, now: datetime) -> tuple[str, ...]:
    out_s = max(0.0, (now - incident.outage_start).total_seconds())
    goal_s = plan.policy.objectives.rto_s
    facts = [f"out for {say_duration(out_s)} of the {say_duration(goal_s)} that are the goal"]
    facts += [say_prolonged(told) for told in prolonged_so_far(plan, incident, now)]
    facts += _seen(incident)
    for run in incident.runs.values():
        if run.estimate:
            lost_s = max(0.0, (now - incident.outage_start).total_seconds())
            whole_s = lost_s + run.estimate.expected_s
            verdict = "within" if whole_s <= run.estimate.goal_s else "ABOVE"
            facts.append(
                f"{run.started.system}: a rebuild is expected to take "
                f"{say_duration(run.estimate.expected_s)} ({run.estimate.basis}); with the "
                f"{say_duration(lost_s)} since the outage began that is {say_duration(whole_s)}, "
                f"{verdict} the goal of {say_duration(run.estimate.goal_s)}"
            )
    if plan.policy.activate_when:
        facts.append(
            f"the plan says to activate when any holds: {'; '.join(plan.policy.activate_when)}"
        )
    facts += [
        f"{ask.opened.role.removeprefix(TEAM)} says: {ask.answer.answer}"
        for ask in incident.asks.values()
        if ask.opened.kind == "question" and ask.answer
    ]
    facts += [f"{told.by} assessed: {told.summary}" for told in incident.assessments]
    return tuple(facts)


def _seen(incident: Incident) -> tuple[str, ...]:
    return tuple(f"{seen.subject}: {seen.condition} ({seen.seen})" for seen in incident.sightings())


def _of_run(
    plan: Plan, runbook: Runbook, incident: Incident, run: RunView, now: datetime
) -> Iterator[ev.Event]:
    if incident.state in _BY_HAND:
        yield from _by_hand(plan, runbook, incident, run, now)
    if incident.state is not IncidentState.RECOVERING:
        return
    for step in runbook.steps:
        if step.gate and is_ready(incident, run, step):
            yield from _gate(plan, runbook, incident, run, step, now)
        is_going = (run.started.run, step.name) in incident.undoing  # it is being taken back
        if run.step(step.name).state is StepState.FAILED and not is_going:
            yield from _stopped(plan, incident, run, step, now)
    for (of, name), failed in incident.undo_failed.items():
        if of == run.started.run:
            yield from _undo(plan, incident, of, name, failed)


def _by_hand(
    plan: Plan, runbook: Runbook, incident: Incident, run: RunView, now: datetime
) -> Iterator[ev.Event]:
    """Yield the start of each action that a person does, and the question that it is."""
    for ready in ready_actions(runbook, incident, run):
        if not is_manual(ready.spec) or ready.is_begun:
            continue
        step, name = ready.step.name, ready.spec.name
        key = f"manual:{run.started.run}:{step}:{name}:{ready.attempt}"
        params = _known_params(ready.spec, run)
        wanted = params.get("outputs")
        asked = make_ask(
            plan,
            incident,
            "manual",
            key,
            str(params.get("text", ready.step.title)),
            now=now,
            within_s=ready.spec.expected_s,
            role=role_of_owner(plan, ready.step.owner),
            facts=(f"expected to take {say_duration(ready.spec.expected_s)}",),
            run=run.started.run,
            step=step,
        )
        yield ev.ActionStarted(
            run=run.started.run, step=step, action=name, attempt=ready.attempt, key=key
        )
        yield replace(
            asked,
            action=name,
            outputs=tuple(str(one) for one in wanted) if isinstance(wanted, list) else (),
            needs_evidence=bool(params.get("evidence")),
        )


def _known_params(spec: ActionSpec, run: RunView) -> Mapping[str, Param]:
    """Return the parameters with what others gave; what nobody gave stays as it is written."""
    known = {
        f"{step}.{name}": value
        for step, given in run.outputs().items()
        for name, value in given.items()
    }
    return {key: substitute(value, known) for key, value in spec.params.items()}


def _undo(
    plan: Plan, incident: Incident, run: str, step: str, failed: orders.UndoFailed
) -> Iterator[ev.AskOpened]:
    stem = f"undo:{run}:{step}"
    earlier = [ask for name, ask in incident.asks.items() if name.startswith(stem)]
    if any(is_open(ask) for ask in earlier):
        return
    text = f"'{step}' could not be taken back: {failed.summary}"
    name = f"{stem}:{len(earlier) + 1}"
    facts = (failed.hint,)
    yield make_ask(plan, incident, "undo", name, text, facts=facts, run=run, step=step)


def _gate(
    plan: Plan, runbook: Runbook, incident: Incident, run: RunView, step: StepSpec, now: datetime
) -> Iterator[ev.AskOpened]:
    """Yield the question that opens the gate; held back, it is asked again, without a chase."""
    earlier = gates_of(incident, run, step.name)
    if earlier and (earlier[-1] is None or earlier[-1].answer != "hold"):
        return
    held = earlier[-1] if earlier else None
    stem = gate_name(run, step.name)
    facts = tuple(
        f"{before.title}: {_say_state(run.step(before.name))}"
        for before in runbook.steps
        if before.phase is Phase.RECOVERY and lets_others_go(run.step(before.name).state)
    )
    amiss = [
        f"{before.name} {run.step(before.name).state}"
        for before in runbook.steps
        if run.step(before.name).state in (StepState.SKIPPED, StepState.DEGRADED)
    ]
    stands = f"NOT all is verified ({', '.join(amiss)})" if amiss else "everything is verified"
    text = f"{step.title} for {run.started.system}: {stands}. Go?"
    if held:
        by = plan.people[held.by].name if held.by in plan.people else held.by
        text = f"Held back by {by}: {held.why or 'no reason given'}. {text}"
    yield make_ask(
        plan,
        incident,
        "gate",
        f"{stem}#{len(earlier) + 1}" if held else stem,
        text,
        now=None if held else now,
        role=step.gate,
        facts=facts,
        run=run.started.run,
        step=step.name,
    )


def _of_customers(plan: Plan, incident: Incident, run: RunView) -> Iterator[ev.Event]:
    """Yield a question about what each customer has to do; it is withdrawn with its step."""
    left = left_to_customers(run)
    role = LIAISON if LIAISON in plan.roles else COMMANDER
    for ask in incident.open_asks():
        about = (ask.opened.kind, ask.opened.run)
        if about == ("customer", run.started.run) and ask.opened.ask not in left:
            yield ev.AskWithdrawn(ask=ask.opened.ask, reason="the move was taken back")
    for name, one in left.items():
        asked = make_ask(
            plan, incident, "customer", name, one.question, role=role, facts=one.sentences
        )
        asked = replace(asked, customer=one.customer, run=one.run, step=one.step)
        yield from new_ask(incident, asked)


def _say_state(step: StepView) -> str:
    return f"{step.state}: {step.reason}" if step.state is StepState.DEGRADED else step.state


def _stopped(
    plan: Plan, incident: Incident, run: RunView, step: StepSpec, now: datetime
) -> Iterator[ev.AskOpened]:
    stem = f"stopped:{run.started.run}:{step.name}"
    earlier = [ask for name, ask in incident.asks.items() if name.startswith(stem)]
    if any(is_open(ask) for ask in earlier):
        return
    view = run.step(step.name)
    hints = tuple(action.hint for action in view.actions.values() if action.hint)
    manual = (f"by hand: {step.manual}",) if step.manual else ()
    by_hand = [a.cancel.by for a in view.actions.values() if a.cancel and a.cancel.by_hand]
    text = f"'{step.title}' of {run.started.system} failed: {view.reason}"
    if by_hand:
        text = (
            f"'{step.title}' of {run.started.system} was ended by {by_hand[0]}, to be finished by "
            f"hand. When it is: blackstart step done {incident.id} {step.name} --evidence FILE"
        )
    yield make_ask(
        plan,
        incident,
        "stopped",
        f"{stem}:{len(earlier) + 1}",
        text,
        now=now,
        role=role_of_owner(plan, step.owner) if by_hand else COMMANDER,
        facts=(*hints, *manual),
        run=run.started.run,
        step=step.name,
    )


def _signoff(plan: Plan, incident: Incident) -> ev.AskOpened:
    text = "The post-mortem draft is ready. Complete it with the people involved, then sign it off."
    return make_ask(plan, incident, "signoff", "signoff", text)
