# SPDX-License-Identifier: Apache-2.0
"""Watches a system by a check, again and again, and says when an outage is certain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from blackstart.model.events import Sighting
from blackstart.ports.action import Failed, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A confirmed outage: first failed look, last good one, and what was seen each time."""

    start: datetime
    last_good: datetime | None
    sightings: tuple[Sighting, ...]
    summary: str


def watch(
    look: Callable[[], Outcome],
    now: Callable[[], datetime],
    stop: threading.Event,
    *,
    subject: str,
    every_s: float,
    confirm_after: int,
    told: Callable[[Outcome], None] = lambda _: None,
) -> Outage | None:
    """Look until `confirm_after` looks in a row failed, and return the outage; None when stopped.

    The outage starts with the first of those looks, at the moment it was begun.
    """
    last_good: datetime | None = None
    failed: list[tuple[datetime, Failed]] = []
    while not stop.is_set():
        began = now()
        outcome = look()
        told(outcome)
        if isinstance(outcome, Failed):
            failed.append((began, outcome))
        else:
            last_good = began
            failed.clear()
        if len(failed) >= confirm_after:
            return _outage(subject, failed, last_good)
        stop.wait(every_s)
    return None


def _outage(
    subject: str, failed: list[tuple[datetime, Failed]], last_good: datetime | None
) -> Outage:
    start = failed[0][0]
    newest = failed[-1][1]
    evidence = newest.evidence[0] if newest.evidence else ""
    return Outage(
        start=start,
        last_good=last_good,
        sightings=(
            Sighting(subject=subject, condition="lost", seen=newest.summary, evidence=evidence),
        ),
        summary=f"{subject} failed {len(failed)} looks in a row: {newest.summary}",
    )
