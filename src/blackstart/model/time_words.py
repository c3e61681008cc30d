# SPDX-License-Identifier: Apache-2.0
"""How it is said that time presses, alike in messages, status and timeline."""

from __future__ import annotations

from blackstart.model.timing import LASTS, GoalShareSpent, OutageProlonged
from blackstart.model.words import say_duration


def say_share_spent(spent: GoalShareSpent) -> str:
    """Return the warning as a sentence without its end."""
    goal = f"the {say_duration(spent.goal_s)} that are the goal"
    return (
        f"{goal} have passed" if spent.percent >= 100 else f"{spent.percent} % of {goal} are gone"
    )


def say_prolonged(told: OutageProlonged) -> str:
    """Return why the outage counts as prolonged, as a sentence without its end."""
    limit = f"an outage of more than {say_duration(told.limit_s)} is a prolonged one"
    if told.how == LASTS:
        return f"the outage has lasted {say_duration(told.out_s)}; {limit}"
    return f"the outage is expected to last {say_duration(told.out_s)} ({told.basis}); {limit}"


def say_late(late_s: float) -> str:
    """Return by how much something comes too late, "" when it is on time."""
    return f"This comes {say_duration(late_s)} later than it was due." if late_s else ""


def say_usual(usual_s: float, of: int) -> str:
    """Return how long something usually takes, by so many earlier runs; 0: by the plan."""
    took = say_duration(usual_s)
    if not of:
        return f"the plan expects {took}"
    return f"three of four of the last {of} runs took at most {took}"
