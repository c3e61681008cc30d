# SPDX-License-Identifier: Apache-2.0
"""Days that are laid down from end to end, to die in at every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.simulation.day import Day, Script, Strike, play
from tests.simulation.invariants import faults_of
from tests.simulation.stage import Blow, Process
from tests.simulation.world import Fate, Passage

_STANDS = {
    ".r1/create_environment/site/": Fate(halves=True, takes_s=8.0),
    ".r2/create_environment/site/": Fate(goes_on=True, takes_s=8.0),
    ".r1/restore_data/database/": Fate(takes_s=20.0, dark_s=5.0),
    ".r1/restore_data/relocate/": Fate(ends="failed"),
    ".r2/deploy_platform/packages/1": Fate(ends="failed_after"),
}
_TELLING = ("notify_users", "announce_recovery")
_TIMELY = ("delayed", "goal", "prolonged", "update")  # notices that time alone brings about
_DIES_ONCE = "perform after"  # when it was done and that is not in the record


def _fate(key: str) -> Fate:
    return next((fate for part, fate in _STANDS.items() if part in key), Fate(takes_s=2.0))


def _fate_before_the_end(key: str) -> Fate:
    """Let nothing fail: whether it did before people stood down would be a matter of seconds."""
    return replace(_fate(key), ends="done")


def _passage(channel: str, name: str, number: int, _now_s: float) -> Passage:
    """Let each channel lose one of three answers, and be away for another's first try."""
    if name.startswith("lookup") or number > 1 or channel == "Mail":
        return Passage()
    luck = int(name.rsplit(maxsplit=1)[-1]) % 12
    return Passage(ends={0: "lost_reply", 1: "lost", 2: "later"}.get(luck, "accepted"))


def dying_at(*points: int) -> Strike:
    """Return the strike that kills at these points, and once as the story wants it."""
    dies = {"once": True}

    def strike(number: int, what: str, process: Process) -> Blow | None:
        if what == _DIES_ONCE and dies.pop("once", False):
            return Blow()
        return Blow() if number in points else None

    return strike


WHOLE = Script(
    seed="whole",
    fate=_fate,
    passage=_passage,
    temper={"stopped": {"by hand": 1}, "gate": {"hold": 1}},
    delay_s=(200.0, 200.0),  # longer than several deaths hold the work up: who is asked is told
    calm_s=3_000.0,
)
STOOD_DOWN = replace(
    WHOLE,
    seed="stood down",
    fate=_fate_before_the_end,
    temper={"gate": {"stand-down": 1}},
)


def play_dying_at(story: Script, folder: Path, *points: int) -> Day:
    """Play a story in which the driver also dies at these points."""
    folder.mkdir(parents=True)
    return play(replace(story, strike=dying_at(*points)), folder)


def end_of(day: Day) -> Mapping[str, object]:
    """Return how a day ended, without what depends on the minute.

    A letter whose sender died may end uncertain; the step that told it is then degraded, not
    verified, and so is its run.
    """
    incident = day.incident
    end: dict[str, object] = {"state": incident.state, "stands": frozenset(day.world.live)}
    for name, run in incident.runs.items():
        end[name] = run.outcome.removesuffix("_degraded")
        for step, view in run.steps.items():
            if view.state == "waiting":
                continue
            is_told = step in _TELLING and view.state in ("verified", "degraded")
            end[f"{name}.{step}"] = "told" if is_told else view.state
    told = (row for row in day.rows if "#" not in row.notice and not row.notice.startswith(_TIMELY))
    end |= {f"{row.notice} {row.person.rpartition('/')[2]}": "told" for row in told}
    end |= {name: ask.state for name, ask in incident.asks.items() if "#" not in name}
    return end


def problems_of(day: Day, end: Mapping[str, object]) -> list[str]:
    """Return what is wrong with the day, and where its end differs from this one."""
    found = end_of(day)
    differing = [
        f"{name}: {found.get(name)} instead of {end.get(name)}"
        for name in sorted(found.keys() | end.keys())
        if found.get(name) != end.get(name)
    ]
    return [*faults_of(day), *differing]
