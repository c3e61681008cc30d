# SPDX-License-Identifier: Apache-2.0
"""How long actions took in earlier incidents and drills, by their facts. Pure.

What is known is pinned when an incident opens, so that nothing that is learnt later moves a timer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from math import ceil

from blackstart.model import events as ev
from blackstart.model.plan import Mode
from blackstart.model.timing import UsualTime

AT_LEAST = 4  # runs: of fewer, three of four say nothing
AT_MOST = 20  # incidents, the newest: what was long ago says little of today

_Name = tuple[str, str, str]  # system, step, action


def usual_times(
    histories: Iterable[tuple[ev.Fact, ...]], systems: tuple[str, ...]
) -> tuple[UsualTime, ...]:
    """Return what three of four runs took at most, for each action with runs enough."""
    took: dict[_Name, list[float]] = {}
    for facts in histories:
        for name, seconds in _spans(facts):
            if name[0] in systems:
                took.setdefault(name, []).append(seconds)
    return tuple(
        UsualTime(system=name[0], step=name[1], action=name[2], p75_s=_p75(all_s), of=len(all_s))
        for name, all_s in sorted(took.items())
        if len(all_s) >= AT_LEAST
    )


def _p75(seconds: list[float]) -> float:
    """Return the 75th percentile by nearest rank: a time that really occurred."""
    return sorted(seconds)[ceil(len(seconds) * 0.75) - 1]


def _spans(facts: tuple[ev.Fact, ...]) -> Iterator[tuple[_Name, float]]:
    """Yield how long each action took that ended well and that nobody lost sight of."""
    systems: dict[str, str] = {}
    begun: dict[str, datetime] = {}
    for fact in facts:
        match fact.event:
            case ev.IncidentReported(mode=Mode.TABLETOP):
                return
            case ev.RunStarted(run=run, system=system):
                systems[run] = system
            case ev.ActionStarted(key=key):
                begun[key] = fact.at
            case ev.ActionInspected(key=key):
                begun.pop(key, None)
            case ev.ActionEnded(outcome="done") as ended if ended.key in begun:
                name = (systems.get(ended.run, ""), ended.step, ended.action)
                yield name, (fact.at - begun[ended.key]).total_seconds()
            case _:
                continue
