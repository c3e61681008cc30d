# SPDX-License-Identifier: Apache-2.0
"""Actions that take longer than usual, and those past their limit: who is told, who is asked. Pure.

Past its usual time the owner of the step is told, once. Past its limit the commander is asked; the
action goes on meanwhile. When somebody ends it, the driver is told to by a decision.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from blackstart.engine.stepping import is_manual
from blackstart.model import events as ev
from blackstart.model.incident import ActionView, Incident, RunView
from blackstart.model.runbook import ActionSpec, Runbook, StepSpec
from blackstart.model.states import IncidentState
from blackstart.model.stopping import OVERDUE
from blackstart.model.timing import ActionDelayed, late_by

LEAST_S = 60.0  # nobody is told of less: it is over before the message is read
_CHECK_ENDS_WITHIN_S = 60.0  # after its limit; one that does not hangs, and people are asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """An action that a machine is at: where it belongs, what is known of it, since when."""

    run: RunView
    step: StepSpec
    spec: ActionSpec
    view: ActionView
    since: datetime

    @property
    def stem(self) -> str:
        """What the names of its questions begin with."""
        run = self.run.started.run
        return f"{OVERDUE}:{run}:{self.step.name}:{self.spec.name}:{self.view.attempt}"


def going(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[Going]:
    """Yield every action that a machine is at."""
    if incident.state in (IncidentState.STOOD_DOWN, IncidentState.CLOSED):
        return
    for of, named, action in incident.under_way:
        run = incident.runs[of]
        step = runbooks[run.started.system].step(named)
        view = run.action(named, action)
        for spec in step.do:
            if spec.name == action and view.started_at and not is_manual(spec):
                yield Going(run=run, step=step, spec=spec, view=view, since=view.started_at)


def usual_of(incident: Incident, one: Going) -> tuple[float, int]:
    """Return how long the action usually takes, by how many runs; 0: the plan says so."""
    wanted = (one.run.started.system, one.step.name, one.spec.name)
    for each in incident.reported.usual:
        if (each.system, each.step, each.action) == wanted:
            return each.p75_s, each.of
    return one.spec.expected_s, 0


def told_at(incident: Incident, one: Going) -> datetime:
    """Return when its owner is told that it takes long."""
    return one.since + timedelta(seconds=max(usual_of(incident, one)[0], LEAST_S))


def asked_at(one: Going) -> datetime:
    """Return when people are asked about it: at its limit, or when what they allowed is over."""
    grace_s = _CHECK_ENDS_WITHIN_S if one.view.ends_at_limit else 0.0
    limit_at = one.since + timedelta(seconds=one.spec.limit_s + grace_s)
    return max(limit_at, one.view.extended_until or limit_at)


def delays(
    runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> Iterator[ActionDelayed]:
    """Yield each action that has become slower than usual."""
    for one in going(runbooks, incident):
        due_at = told_at(incident, one)
        if one.view.delayed is None and one.view.cancel is None and due_at <= now:
            usual_s, of = usual_of(incident, one)
            yield ActionDelayed(
                run=one.run.started.run,
                step=one.step.name,
                action=one.spec.name,
                key=one.view.key,
                usual_s=usual_s,
                of=of,
                due_at=due_at,
                late_s=late_by(due_at, now),
            )


def past_limit(
    runbooks: Mapping[str, Runbook], incident: Incident, now: datetime
) -> Iterator[tuple[Going, str]]:
    """Yield each action that people have to be asked about, and the name of the question."""
    for one in going(runbooks, incident):
        if one.view.cancel is not None or asked_at(one) > now:
            continue
        earlier = [ask for name, ask in incident.asks.items() if name.startswith(f"{one.stem}#")]
        if not any(ask.ended_at is None for ask in earlier):
            yield one, f"{one.stem}#{len(earlier) + 1}"


def pointless(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[ev.AskWithdrawn]:
    """Yield the withdrawals of questions about actions that ended, or were begun anew."""
    stems = {one.stem for one in going(runbooks, incident)}
    for ask in incident.open_asks():
        name = ask.opened.ask
        if ask.opened.kind == OVERDUE and name.rpartition("#")[0] not in stems:
            yield ev.AskWithdrawn(ask=name, reason="it has ended by itself")


def wakes(runbooks: Mapping[str, Runbook], incident: Incident) -> Iterator[datetime]:
    """Yield when somebody has to be told or asked next, if nothing ends before."""
    for one in going(runbooks, incident):
        if one.view.cancel is None:
            if one.view.delayed is None:
                yield told_at(incident, one)
            yield asked_at(one)
