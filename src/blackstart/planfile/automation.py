# SPDX-License-Identifier: Apache-2.0
"""How much of a procedure runs by itself, said honestly: by actions and by expected time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blackstart.model.runbook import MANUAL, StepSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Automation:
    """What of a procedure is done by machines and what by people."""

    actions: int
    by_hand: int
    expected_s: float
    by_hand_s: float
    steps: int
    steps_by_hand: int  # steps in which nothing is automated

    @property
    def actions_percent(self) -> int:
        """Return the share of actions that nobody has to do, rounded down."""
        return _percent_of(self.actions - self.by_hand, self.actions)

    @property
    def time_percent(self) -> int:
        """Return the share of the expected time that nobody has to work, rounded down."""
        return _percent_of(self.expected_s - self.by_hand_s, self.expected_s)

    def __str__(self) -> str:
        """Say it in one line."""
        if self.actions == self.by_hand:
            return f"0 % automated: all {_in_words(self.steps)} steps are done by hand"
        if not self.by_hand:
            return f"100 % automated: none of the {self.actions} actions is done by hand"
        return (
            f"{self.actions_percent} % automated: {self.actions - self.by_hand} of {self.actions} "
            f"actions, {self.time_percent} % of the expected time; "
            f"{self.steps_by_hand} of {self.steps} steps are done by hand"
        )


def automation_of(steps: Iterable[StepSpec]) -> Automation:
    """Return how much of the steps is automated."""
    acting = [step for step in steps if step.do]
    actions = [action for step in acting for action in step.do]
    by_hand = [action for action in actions if action.use == MANUAL]
    return Automation(
        actions=len(actions),
        by_hand=len(by_hand),
        expected_s=sum(action.expected_s for action in actions),
        by_hand_s=sum(action.expected_s for action in by_hand),
        steps=len(acting),
        steps_by_hand=sum(all(action.use == MANUAL for action in step.do) for step in acting),
    )


def _percent_of(part: float, whole: float) -> int:
    return int(100 * part / whole) if whole else 0


def _in_words(number: int) -> str:
    return "ten" if number == 10 else str(number)
