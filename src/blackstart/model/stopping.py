# SPDX-License-Identifier: Apache-2.0
"""What people may say to an action that is under way: let it go on longer, or end it. Pure.

Nothing ends an action because time has passed: a restore that is nearly done at its limit would be
lost by that. A person decides, and what they say is a fact that any driver carries out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.authority import require, role_of_owner
from blackstart.model.errors import Refused
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan
from blackstart.model.runbook import MANUAL, ActionSpec
from blackstart.model.states import ActionState
from blackstart.model.steering import Runbooks, step_of
from blackstart.model.views import ActionView, AskView, Incident, RunView

OVERDUE = "overdue"  # the kind of question that is asked at an action's limit


def under_way(
    runbooks: Runbooks, run: RunView, step: str, action: str = ""
) -> tuple[tuple[ActionSpec, ActionView], ...]:
    """Return the actions of the step that a machine is at, or the one named. Raises Refused."""
    spec = step_of(runbooks, run, step)
    found = tuple(
        (one, view)
        for one in spec.do
        if one.use != MANUAL
        and action in ("", one.name)
        and (view := run.action(step, one.name)).state is ActionState.STARTED
    )
    if not found:
        what = f"{step}.{action}" if action else step
        raise Refused(
            f"Nothing of '{what}' is under way.", "`blackstart status` shows what is running."
        )
    return found


def cancel(
    plan: Plan,
    runbooks: Runbooks,
    incident: Incident,
    run: RunView,
    step: str,
    *,
    by: str,
    why: str,
    action: str = "",
) -> tuple[ev.Event, ...]:
    """End what is under way of a step. Raises Refused, NotAuthorised."""
    require(plan, incident, by, role_of_owner(plan, step_of(runbooks, run, step).owner), COMMANDER)
    found = under_way(runbooks, run, step, action)
    ordered = tuple(
        orders.CancelOrdered(
            run=run.started.run, step=step, action=spec.name, key=view.key, by=by, why=why
        )
        for spec, view in found
    )
    return (*ordered, *_withdrawn(incident, ordered, "it is ended"))


def wait_longer(
    plan: Plan,
    runbooks: Runbooks,
    incident: Incident,
    run: RunView,
    step: str,
    *,
    by: str,
    why: str,
    now: datetime,
    for_s: float,
    action: str = "",
) -> tuple[ev.Event, ...]:
    """Let what is under way of a step go on for so long from now. Raises Refused, NotAuthorised."""
    require(plan, incident, by, COMMANDER)
    found = under_way(runbooks, run, step, action)
    ordered = tuple(
        orders.LimitExtended(
            run=run.started.run,
            step=step,
            action=spec.name,
            key=view.key,
            until=now + timedelta(seconds=for_s or spec.limit_s),
            by=by,
            why=why,
        )
        for spec, view in found
    )
    return (*ordered, *_withdrawn(incident, ordered, "it may go on"))


def on_overdue(
    plan: Plan,
    runbooks: Runbooks,
    incident: Incident,
    ask: AskView,
    text: str,
    *,
    by: str,
    why: str,
    now: datetime,
    for_s: float,
) -> tuple[ev.Event, ...]:
    """Return what follows when the question about an action past its limit is answered."""
    run, step, action = incident.runs[ask.opened.run], ask.opened.step, ask.opened.action
    if text == "wait":
        made = wait_longer(
            plan, runbooks, incident, run, step, by=by, why=why, now=now, for_s=for_s, action=action
        )
    else:
        made = cancel(plan, runbooks, incident, run, step, by=by, why=why, action=action)
    return tuple(
        replace(one, by_hand=text == "by-hand") if isinstance(one, orders.CancelOrdered) else one
        for one in made
        if not (isinstance(one, ev.AskWithdrawn) and one.ask == ask.opened.ask)
    )


def _withdrawn(
    incident: Incident,
    ordered: tuple[orders.CancelOrdered | orders.LimitExtended, ...],
    reason: str,
) -> Iterator[ev.AskWithdrawn]:
    """Yield the withdrawals of the open questions that this answers."""
    about = {(one.run, one.step, one.action) for one in ordered}
    for ask in incident.open_asks():
        opened = ask.opened
        if opened.kind == OVERDUE and (opened.run, opened.step, opened.action) in about:
            yield ev.AskWithdrawn(ask=opened.ask, reason=reason)
