# SPDX-License-Identifier: Apache-2.0
"""Facts that time alone makes happen, and how late they were. Format fixed like that of `events`.

A timer is never kept in memory: when it is due follows from facts, and that it fired is a fact. So
it fires once, at its original time, whoever drives then; too late only when nobody drove.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

LATE_FROM_S = 5.0  # what comes within this is on time

LASTS, EXPECTED = "lasts", "expected"  # how an outage is known to be prolonged


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalShareSpent:
    """So much of the time that is the goal has gone, and not everything serves yet."""

    percent: int
    goal_s: float
    due_at: datetime
    late_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageProlonged:
    """The outage lasts, or is expected to last, longer than what the plan still calls short.

    `out_s` is how long it has lasted, or how long it is expected to last in all, as `basis` says.
    """

    how: str  # lasts, expected
    limit_s: float
    out_s: float
    due_at: datetime
    basis: str = ""
    late_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionDelayed:
    """An action takes longer than it usually does, and goes on.

    `usual_s` is what three of four of the `of` earlier runs took at most; with `of` 0, what the
    plan expects.
    """

    run: str
    step: str
    action: str
    key: str
    usual_s: float
    of: int
    due_at: datetime
    late_s: float = 0.0


Timing: TypeAlias = GoalShareSpent | OutageProlonged | ActionDelayed


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualTime:
    """How long an action takes: three of four of the last `of` runs took no longer."""

    system: str
    step: str
    action: str
    p75_s: float
    of: int


def late_by(due_at: datetime, now: datetime) -> float:
    """Return by how many seconds it is too late; 0 for what is on time."""
    late_s = (now - due_at).total_seconds()
    return round(late_s, 3) if late_s >= LATE_FROM_S else 0.0
