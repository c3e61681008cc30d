# SPDX-License-Identifier: Apache-2.0
"""Waiting for something in the world: until it is so, and never beyond the action's deadline."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from blackstart.ports.action import Context
from blackstart.providers.places import seconds_left
from blackstart.world.clock import wait_until


def wait_within(
    context: Context, is_so: Callable[[], bool], *, at_most_s: float = inf, every_s: float = 0.1
) -> bool:
    """Ask until the answer is yes; False when the time or the deadline is over, or it has to end.

    A provider waits by this alone: a wait that does not hear that it has to end goes on for weeks.
    """
    answered = False

    def has_ended() -> bool:
        nonlocal answered
        answered = is_so()
        return answered or context.cancelled()

    wait_until(has_ended, timeout_s=min(at_most_s, seconds_left(context)), every_s=every_s)
    return answered
