# SPDX-License-Identifier: Apache-2.0
"""What time alone makes happen: warnings about the goal, and the outage that is prolonged. Pure.

Each is a fact before anybody is told. What was missed while nobody drove is recorded at once, each
marked late; people are told of the newest only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from blackstart.model.answering import LATER
from blackstart.model.incident import Incident
from blackstart.model.plan import Plan
from blackstart.model.states import IncidentState
from blackstart.model.timing import (
    EXPECTED,
    LASTS,
    GoalShareSpent,
    OutageProlonged,
    Timing,
    late_by,
)
from blackstart.model.words import say_duration

GOAL_SHARES = (50, 75, 90, 100)  # percent of the goal at which people are warned
_BEFORE_ACTIVATION = (IncidentState.REPORTED, IncidentState.ACKNOWLEDGED)
_OUT = (*_BEFORE_ACTIVATION, IncidentState.RECOVERING)


def timing_events(plan: Plan, incident: Incident, now: datetime) -> Iterator[Timing]:
    """Yield what has become true because time passed, and stands not in the record yet."""
    for percent, due_at in _shares(plan, incident):
        if due_at <= now:
            yield GoalShareSpent(
                percent=percent,
                goal_s=plan.policy.objectives.rto_s,
                due_at=due_at,
                late_s=late_by(max(due_at, incident.outage_told_at), now),
            )
    yield from _prolonged(plan, incident, now)


def next_timing_at(plan: Plan, incident: Incident) -> Iterator[datetime]:
    """Yield the moments at which something of this becomes true if nothing else happens."""
    yield from (due_at for _, due_at in _shares(plan, incident))
    if incident.state in _BEFORE_ACTIVATION:
        short_until = _short_until(plan, incident)
        if not _is_known(incident.prolonged, LASTS, short_until):
            yield short_until
            if all(one.how != EXPECTED for one in incident.prolonged):
                yield from (short_until - left for left in _rebuilds(incident))


def _shares(plan: Plan, incident: Incident) -> Iterator[tuple[int, datetime]]:
    """Yield the shares of the goal that are still to be told, and when each is spent.

    When the start of the outage is corrected, a share that turns out not to be spent yet counts
    again at its new time.
    """
    if incident.state not in _OUT:
        return
    for percent in GOAL_SHARES:
        due_at = incident.outage_start + timedelta(
            seconds=plan.policy.objectives.rto_s * percent / 100
        )
        told = (one for one in incident.shares_spent if one.percent == percent)
        if all(one.due_at < due_at for one in told):
            yield percent, due_at


def _prolonged(plan: Plan, incident: Incident, now: datetime) -> Iterator[OutageProlonged]:
    if incident.state not in _BEFORE_ACTIVATION:
        return
    limit_s = plan.policy.prolonged_after_s
    short_until = _short_until(plan, incident)
    if _is_known(incident.prolonged, LASTS, short_until):
        return
    if short_until <= now:
        yield OutageProlonged(
            how=LASTS,
            limit_s=limit_s,
            out_s=(now - incident.outage_start).total_seconds(),
            due_at=short_until,
            late_s=late_by(max(short_until, incident.outage_told_at), now),
        )
        return
    end, basis = min(_ends(incident, now), default=(now, ""))  # the fastest way
    if short_until <= end and basis and EXPECTED not in {one.how for one in incident.prolonged}:
        yield OutageProlonged(
            how=EXPECTED,
            limit_s=limit_s,
            out_s=(end - incident.outage_start).total_seconds(),
            due_at=now,
            basis=basis,
        )


def prolonged_so_far(plan: Plan, incident: Incident, now: datetime) -> tuple[OutageProlonged, ...]:
    """Return what is known, newest last and alone, of why the outage is a prolonged one."""
    return (*incident.prolonged, *_prolonged(plan, incident, now))[-1:]


def _short_until(plan: Plan, incident: Incident) -> datetime:
    return incident.outage_start + timedelta(seconds=plan.policy.prolonged_after_s)


def _is_known(found: Iterable[OutageProlonged], how: str, due_at: datetime) -> bool:
    return any(one.how == how and one.due_at >= due_at for one in found)


def _ends(incident: Incident, now: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield when the outage is over by each way whose time somebody gave, and what that rests on.

    What was chosen for now counts alone; otherwise the fastest way does.
    """
    answered = [
        ask.answer.answer
        for ask in incident.asks.values()
        if ask.opened.kind == "decision" and ask.answer
    ]
    chosen = answered[-1] if answered and answered[-1] in incident.estimates else ""
    for option in LATER:
        made = incident.estimates.get(option)
        if made and chosen in ("", option):
            end = incident.estimated_at[option] + timedelta(seconds=made.expected_s)
            yield end, f"{option}: {say_duration(made.expected_s)} by the estimate of {made.by}"
    if not chosen:
        for left in _rebuilds(incident):
            yield now + left, f"a rebuild begun now: {say_duration(left.total_seconds())}"


def _rebuilds(incident: Incident) -> Iterator[timedelta]:
    """Yield how long the longest of the rebuilds takes, when all of them are estimated."""
    made = [run.estimate for run in incident.runs.values() if run.estimate]
    if made and len(made) == len(incident.reported.systems):
        yield timedelta(seconds=max(one.expected_s for one in made))
