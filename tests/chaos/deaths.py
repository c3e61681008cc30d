# SPDX-License-Identifier: Apache-2.0
"""Deaths: drawn from a seed, and dealt to real processes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random

from blackstart.model.incident import Incident
from blackstart.model.states import ActionState, DeliveryState
from blackstart.ports.journal import Journal
from blackstart.world.sites import Site


class Kind(StrEnum):
    """How a process dies."""

    KILL = "kill -9"
    TREE = "kill -9 of all its processes"
    REBOOT = "everything gone, the site too"
    TERM = "SIGTERM"
    STOP = "SIGSTOP, take-over, SIGCONT"
    CHILD = "kill -9 of a child"
    PERSON = "kill -9 of a command"


# How often each is drawn.
WEIGHTS = {
    Kind.KILL: 60,
    Kind.TREE: 12,
    Kind.REBOOT: 4,
    Kind.TERM: 8,
    Kind.STOP: 3,
    Kind.CHILD: 8,
    Kind.PERSON: 9,
}
IS_OF_AGENT = frozenset({Kind.KILL, Kind.TREE, Kind.REBOOT, Kind.TERM, Kind.STOP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """One death to deal: while an action is at work (`within`), or after so many facts of this
    agent, or so long after its start; then a pause, so that it falls between facts too."""

    kind: Kind
    within: str = ""
    facts: int
    after_s: float
    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dealt:
    """A death that was dealt: when it came in the record, and what was under way."""

    death: Death
    seq: int
    where: str

    def __str__(self) -> str:
        return f"after fact {self.seq:3}: {self.death.kind} in {self.where}"


# Actions whose effect can be counted; each takes a moment, in which a death may fall.
AIMED_AT = ("once", "site", "conf", "tree", "inside", "rows", "parts", "serve", "ports", "record")
_AIMED = 5


def draw(random: Random, count: int) -> list[Death]:
    """Draw the deaths of one day: some within chosen actions, the others anywhere."""
    aimed = [
        Death(
            kind=random.choice((Kind.KILL, Kind.KILL, Kind.KILL, Kind.TREE)),
            within=action,
            facts=0,
            after_s=0.0,
            pause_s=random.uniform(0.0, 0.5),
        )
        for action in random.sample(AIMED_AT, _AIMED)
    ]
    kinds = random.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count - _AIMED)
    return aimed + [
        Death(
            kind=kind,
            # One in eight falls anywhere after the start, also before the first fact.
            facts=random.randint(1, 20) if random.random() > 0.125 else 0,
            after_s=random.uniform(0.0, 1.2),
            pause_s=random.choice((0.0, random.uniform(0, 0.02), random.uniform(0, 0.25))),
        )
        for kind in kinds
    ]


def descendants(pid: int) -> tuple[int, ...]:
    """Return the pids of everything that a living process started, and of what that started."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                parents.setdefault(parent_of(folder), []).append(int(folder.name))
    found: list[int] = []
    ahead = [pid]
    while ahead:
        children = parents.get(ahead.pop(), [])
        found += children
        ahead += children
    return tuple(found)


def parent_of(folder: Path) -> int:
    """Return the parent of the process with this folder in /proc. Raises OSError."""
    return int((folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1])


def holds_a_lock(pid: int) -> bool:
    """Say whether a process holds a lock for writing on any file (proc_locks(5))."""
    lines = Path("/proc/locks").read_text("ascii", "replace").splitlines()
    return any({"WRITE", str(pid)} <= set(line.split()[3:5]) for line in lines if "->" not in line)


def of_its_unit(pid: int) -> tuple[int, ...]:
    """Return what of it systemd would end with it: what lives on has a control group of its own."""
    return tuple(one for one in descendants(pid) if _group_of(one) == _group_of(pid))


def _group_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text("ascii")
    except OSError:
        return ""


def strike(pid: int, kind: Kind, random: Random, site: Site | None) -> bool:
    """Deal the death; False when there was nobody to die."""
    victims: tuple[int, ...] = (pid,)
    if kind is Kind.TREE:
        victims = (pid, *_shuffled(of_its_unit(pid), random))
    elif kind is Kind.REBOOT:
        victims = (*((site.init_pid,) if site else ()), pid, *descendants(pid))
    elif kind is Kind.CHILD:
        victims = _shuffled(of_its_unit(pid), random)[:1]
    number = {Kind.TERM: signal.SIGTERM, Kind.STOP: signal.SIGSTOP}.get(kind, signal.SIGKILL)
    for victim in victims:
        with suppress(ProcessLookupError):
            os.kill(victim, number)
    return bool(victims)


def _shuffled(pids: tuple[int, ...], random: Random) -> tuple[int, ...]:
    return tuple(random.sample(pids, len(pids)))


def is_at_work(incident: Incident, action: str) -> bool:
    """Say whether an action was begun and has not ended."""
    return any(
        action in step.actions and step.actions[action].state is ActionState.STARTED
        for run in incident.runs.values()
        for step in run.steps.values()
    )


def under_way(journal: Journal, incident: Incident) -> str:
    """Say what was begun and has no recorded end: actions, messages, or only the record itself."""
    actions = [
        f"{name}.{action}"
        for run in incident.runs.values()
        for name, step in run.steps.items()
        for action, view in step.actions.items()
        if view.state is ActionState.STARTED
    ]
    sent = [
        f"sending over {row.channel}"
        for row in journal.deliveries(incident.id)
        if row.state == DeliveryState.SENDING
    ]
    return ", ".join((*actions, *dict.fromkeys(sent))) or "recording"
