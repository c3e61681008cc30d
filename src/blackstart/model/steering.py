# SPDX-License-Identifier: Apache-2.0
"""What people may do to the steps of a run: finish, skip, retry and undo them; and waive a rule.

Each function returns the facts that follow, or refuses with what to do instead. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.authority import require, require_known, role_of_owner
from blackstart.model.errors import Refused
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan
from blackstart.model.references import names_in
from blackstart.model.runbook import Runbook, StepSpec
from blackstart.model.states import ActionState, AskState, IncidentState, StepState, lets_others_go
from blackstart.model.views import Incident, RunView
from blackstart.model.words import read_moment, say_moment

Runbooks = Mapping[str, Runbook]
MOVE_OF_TRAFFIC = "update_dns"
MOMENTS = ("first_service_at", "full_service_at", "recovered_to")  # what measures are taken from

# rule → (what it says, the steps that keep it)
WAIVABLE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "secured-before-data": (
        "no data enters an environment that was not secured",
        ("secure_environment",),
    ),
    "checked-before-start": (
        "the platform starts only on data that was restored, promoted and checked",
        ("restore_data",),
    ),
    "verified-before-traffic": (
        "no traffic moves before platform and observability were verified",
        ("verify_platform", "verify_observability"),
    ),
    "protected-before-close": (
        "the incident closes only when the new environment is protected again",
        (),
    ),
}
_NEVER = {
    "create_environment": "what it makes, and the fence around the old site, cannot be left out",
    "deploy_platform": "there would be nothing to verify",
    MOVE_OF_TRAFFIC: "users would be told that it works where nothing was moved",
}


def run_of(incident: Incident, system: str = "") -> RunView:
    """Return the run of a system; without a name, the only one. Raises Refused."""
    runs = [run for run in incident.runs.values() if system in ("", run.started.system)]
    if len(runs) == 1:
        return runs[0]
    names = ", ".join(run.started.system for run in incident.runs.values()) or "none yet"
    if not runs:
        raise Refused(f"There is no run for '{system}'.", f"Runs of this incident: {names}.")
    raise Refused("The incident has several runs.", f"Name one by --system: {names}.")


def step_of(runbooks: Runbooks, run: RunView, step: str) -> StepSpec:
    """Return the step of the run's runbook. Raises Refused when it has none of that name."""
    runbook = runbooks[run.started.system]
    if all(one.name != step for one in runbook.steps):
        names = ", ".join(one.name for one in runbook.steps)
        raise Refused(f"There is no step '{step}'.", f"Steps: {names}.")
    return runbook.step(step)


def gate_name(run: RunView, step: str) -> str:
    """Return the stem of the asks that open the step's gate."""
    return f"gate:{run.started.run}:{step}"


def gates_of(incident: Incident, run: RunView, step: str) -> tuple[ev.AskAnswered | None, ...]:
    """Return the answer of each ask about the step's gate, oldest first; None for an open one."""
    stem = gate_name(run, step)
    return tuple(
        ask.answer if ask.state is AskState.ANSWERED else None
        for name, ask in incident.asks.items()
        if name == stem or name.startswith(stem + "#")
    )


def gate_is_open(incident: Incident, run: RunView, step: StepSpec) -> bool:
    """Say whether the step has no gate, or whoever holds it said go."""
    answers = gates_of(incident, run, step.name)
    return not step.gate or any(answer and answer.answer == "go" for answer in answers)


def passed_no_return(incident: Incident) -> str:
    """Return the system whose users may have written to the new site already, or ""."""
    for run in incident.runs.values():
        step = run.step(MOVE_OF_TRAFFIC)
        moved = any(
            action.state in (ActionState.STARTED, ActionState.DONE) or action.in_doubt
            for action in step.actions.values()
        )
        if moved or step.state is StepState.VERIFIED:
            return run.started.system
    return ""


def missing_outputs(runbook: Runbook, run: RunView, step: str) -> tuple[str, ...]:
    """Return the outputs of the step that other steps refer to and that nothing has given yet."""
    prefix = f"{step}."
    given = run.outputs().get(step, {})
    wanted = (
        name.removeprefix(prefix)
        for other in runbook.steps
        for action in other.do
        for value in action.params.values()
        for name in names_in(value)
        if other.name != step and name.startswith(prefix)
    )
    return tuple(name for name in dict.fromkeys(wanted) if name not in given)


def require_moments(outputs: Mapping[str, str], now: datetime) -> None:
    """Refuse a moment that cannot be read or has not come yet: no measure could be taken from it.

    Raises Refused.
    """
    for name in MOMENTS:
        text = outputs.get(name, "")
        moment = read_moment(text)
        if text and moment is None:
            raise Refused(
                f"'{text}' is no moment with its zone, and {name} has to be one.",
                f"Write it like this: --output {name}={now:%Y-%m-%dT%H:%M:%SZ}.",
            )
        if moment and moment > now:
            raise Refused(
                f"{name} would be {say_moment(moment)}, and it is {say_moment(now)} now.",
                "Give the moment at which it was so.",
            )


def finish(
    plan: Plan,
    runbooks: Runbooks,
    incident: Incident,
    run: RunView,
    step: str,
    *,
    by: str,
    why: str,
    now: datetime,
    outputs: Mapping[str, str],
    evidence: tuple[str, ...],
) -> tuple[ev.Event, ...]:
    """A person did the step by hand, and shows it. Raises Refused, NotAuthorised."""
    spec = step_of(runbooks, run, step)
    require(plan, incident, by, role_of_owner(plan, spec.owner), COMMANDER)
    _require_reachable(incident, run, spec)
    if not evidence:
        raise Refused(
            f"'{step}' is not done without evidence.", "Add --evidence FILE that shows it."
        )
    require_moments(outputs, now)
    _require_outputs(runbooks[run.started.system], run, step, outputs)
    done = orders.StepFinishedByHand(
        run=run.started.run, step=step, by=by, why=why, outputs=outputs, evidence=evidence
    )
    return (done, *withdraw_of_step(incident, run, step, "done by hand"))


def _require_reachable(incident: Incident, run: RunView, spec: StepSpec) -> None:
    state = run.step(spec.name).state
    if incident.state is not IncidentState.RECOVERING:
        raise Refused("The Recovery phase is not active.", "`blackstart activate` begins it.")
    if state not in (StepState.WAITING, StepState.FAILED):
        raise Refused(
            f"'{spec.name}' is {state}.", "Only a step that waits or has failed is done by hand."
        )
    held = [name for name in spec.after if not lets_others_go(run.step(name).state)]
    if state is StepState.WAITING and held:
        raise Refused(
            f"'{spec.name}' comes after {', '.join(held)}.", "Finish what it waits for first."
        )
    if not gate_is_open(incident, run, spec):
        raise Refused(
            f"The gate of '{spec.name}' is closed.",
            f"`blackstart approve {incident.id} {spec.name}` opens it ({spec.gate}).",
        )


def _require_outputs(runbook: Runbook, run: RunView, step: str, outputs: Mapping[str, str]) -> None:
    missing = [name for name in missing_outputs(runbook, run, step) if name not in outputs]
    if missing:
        words = " ".join(f"--output {name}=VALUE" for name in missing)
        raise Refused(
            f"Later steps need from '{step}': {', '.join(missing)}.", f"Give them: {words}."
        )


def skip(
    plan: Plan,
    runbooks: Runbooks,
    incident: Incident,
    run: RunView,
    step: str,
    *,
    by: str,
    why: str,
    now: datetime,
    outputs: Mapping[str, str] | None = None,
) -> tuple[ev.Event, ...]:
    """The commander leaves a step out. Raises Refused, NotAuthorised."""
    spec = step_of(runbooks, run, step)
    require(plan, incident, by, COMMANDER)
    if not why:
        raise Refused("A step is not left out without a reason.", "Add --why.")
    if step in _NEVER:
        raise Refused(
            f"'{step}' cannot be left out: {_NEVER[step]}.",
            f"Do it by hand and record it: `blackstart step done {incident.id} {step}`.",
        )
    _require_waived(incident, step, now)
    _require_going_on(incident)
    state = run.step(step).state
    if state not in (StepState.WAITING, StepState.FAILED):
        raise Refused(
            f"'{step}' is {state}.",
            "Only a step that waits or failed is left out; one that a person is asked to do is "
            f"answered first: `blackstart answer {incident.id} {step} failed --why …`.",
        )
    given = dict(outputs or {})
    require_moments(given, now)
    _require_outputs(runbooks[run.started.system], run, spec.name, given)
    ended = ev.StepEnded(
        run=run.started.run, step=step, outcome="skipped", reason=why, by=by, outputs=given
    )
    return (ended, *withdraw_of_step(incident, run, step, "the step is left out"))


def _require_going_on(incident: Incident) -> None:
    if incident.state in (IncidentState.STOOD_DOWN, IncidentState.CLOSED):
        raise Refused(
            f"The incident is {incident.state}.", "Nothing more is begun in it; report a new one."
        )


def _require_waived(incident: Incident, step: str, now: datetime) -> None:
    for rule, (says, steps) in WAIVABLE.items():
        if step in steps and not is_waived(incident, rule, now):
            raise Refused(
                f"'{step}' keeps a hard rule: {says}.",
                f"The commander and a second person can set it aside: `blackstart waive "
                f"{incident.id} {rule} --why … --second PERSON --for 2h`.",
            )


def is_waived(incident: Incident, rule: str, now: datetime) -> bool:
    """Say whether the rule is set aside at this moment."""
    return any(waiver.rule == rule and waiver.until > now for waiver in incident.waivers)


def waive(
    plan: Plan,
    incident: Incident,
    rule: str,
    *,
    by: str,
    second: str,
    why: str,
    until: datetime,
    now: datetime,
) -> tuple[ev.Event, ...]:
    """Set a hard rule aside until a moment. Raises Refused, NotAuthorised."""
    if rule not in WAIVABLE:
        raise Refused(
            f"'{rule}' is no rule that can be waived.",
            f"These can: {', '.join(WAIVABLE)}. Truth of announcements and fencing never.",
        )
    require(plan, incident, by, COMMANDER)
    require_known(plan, second)
    if second == by:
        raise Refused("A waiver takes two people.", "Name another person by --second.")
    if not why:
        raise Refused("A rule is not set aside without a reason.", "Add --why.")
    if until <= now:
        raise Refused(f"The waiver would have ended at {say_moment(until)}.", "Give a later end.")
    return (orders.RuleWaived(rule=rule, by=by, second=second, why=why, until=until),)


def retry(
    plan: Plan, runbooks: Runbooks, incident: Incident, run: RunView, step: str, *, by: str
) -> tuple[ev.Event, ...]:
    """Try a failed step again, or take up again what was undone. Raises Refused, NotAuthorised."""
    spec = step_of(runbooks, run, step)
    require(plan, incident, by, role_of_owner(plan, spec.owner), COMMANDER)
    _require_going_on(incident)
    state = run.step(step).state
    if state is not StepState.FAILED:
        raise Refused(f"'{step}' is {state}.", "Only a step that has failed is tried again.")
    started = ev.StepStarted(run=run.started.run, step=step)
    return (started, *withdraw_of_step(incident, run, step, "it is tried again"))


def undo(
    plan: Plan,
    runbooks: Runbooks,
    incident: Incident,
    run: RunView,
    step: str,
    *,
    by: str,
    why: str,
    and_later: bool = False,
) -> tuple[ev.Event, ...]:
    """Order that what a step did is taken back; with `and_later` also what stands on it.

    Raises Refused, NotAuthorised.
    """
    runbook = runbooks[run.started.system]
    step_of(runbooks, run, step)
    require(plan, incident, by, COMMANDER)
    if incident.state is not IncidentState.RECOVERING:
        raise Refused(f"The incident is {incident.state}.", "Only a recovery is taken back.")
    _require_ended(run, step)
    later = standing_on(runbook, run, step)
    taken = (*reversed(later), step)
    _require_no_traffic(run, taken)
    if later and not and_later:
        raise Refused(
            f"{', '.join(later)} stands on '{step}'.",
            f"Take back {later[-1]} first, or all of it: --and-later.",
        )
    paused = () if incident.paused else (orders.IncidentPaused(by=by, why=f"{step} is taken back"),)
    return (
        *(orders.UndoOrdered(run=run.started.run, step=one, by=by, why=why) for one in taken),
        *paused,
        *(
            withdrawn
            for one in taken
            for withdrawn in withdraw_of_step(incident, run, one, "the step is taken back")
        ),
    )


def _require_no_traffic(run: RunView, taken: tuple[str, ...]) -> None:
    if MOVE_OF_TRAFFIC in taken and run.step(MOVE_OF_TRAFFIC).state is not StepState.FAILED:
        raise Refused(
            "Users have been let in: this is past the point of no return.",
            "Go back by a recovery of its own, so that what users wrote since is not lost.",
        )


def _require_ended(run: RunView, step: str) -> None:
    state = run.step(step).state
    is_left_out = state is StepState.SKIPPED and run.step(step).started_at is None
    if state in (StepState.WAITING, StepState.RUNNING) or is_left_out:
        raise Refused(f"'{step}' is {state}.", "Only a step that ended can be taken back.")


def standing_on(runbook: Runbook, run: RunView, step: str) -> tuple[str, ...]:
    """Return the steps that were begun and need this one, or one that needs it, in their order."""
    found: list[str] = []
    for one in runbook.steps:
        needs = {step, *found} & set(one.after)
        state = run.step(one.name).state
        if needs and state not in (StepState.WAITING, StepState.SKIPPED):
            found.append(one.name)
    return tuple(found)


def withdraw_of_step(
    incident: Incident, run: RunView, step: str, reason: str
) -> tuple[ev.AskWithdrawn, ...]:
    """Return the facts that withdraw the open questions about a step."""
    return tuple(
        ev.AskWithdrawn(ask=ask.opened.ask, reason=reason)
        for ask in incident.open_asks()
        if (ask.opened.run, ask.opened.step) == (run.started.run, step)
    )
