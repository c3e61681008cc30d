# SPDX-License-Identifier: Apache-2.0
"""Real drills on FlowFuse, with deaths: of the agent, of the watch, of a child of the restore.

The drill itself starts again what died, as systemd would. It is the real command; what is looked at
here is what anybody on this machine could see: processes, the record, the drill's own report.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from blackstart.bootstrap import open_home
from blackstart.cli.follow import Followed
from blackstart.model.errors import BlackstartError
from blackstart.model.states import ActionState
from blackstart.world.clock import wait_until
from tests.chaos.deaths import descendants, parent_of, under_way

AGENT, WATCH, RESTORE, BOTH = "agent", "watch", "child of the restore", "agent and restore"
LIMIT_S = 1200.0
# A drill has some 190 facts; the last ones come when nothing is left to be done.
_FIRST_FACT, _LAST_FACT = 4, 165
_EVERY_S = 0.02
_SEEN_EVERY_S = 0.25
_RECOVERED, _DEGRADED = 0, 3
_TELLING = frozenset({"notify_users", "announce_recovery"})


@dataclass(slots=True, kw_only=True)
class Planned:
    """A death to come: of whom, and when (a fact's number, or during the restore, or at once)."""

    of: str
    at_fact: int
    pause_s: float
    due_at_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Drill:
    """One drill: what died where, and what it came to."""

    number: int
    dealt: list[str] = field(default_factory=list)
    killed: int = 0
    most: dict[str, int] = field(default_factory=dict)  # of each program that may run only once
    code: int = -1
    lost: str = "not counted"
    problems: list[str] = field(default_factory=list)
    took_s: float = 0.0


def play_drill(folder: Path, *, seed: int, number: int) -> Drill:
    """Run one drill and kill as the seed says. The caller holds the machine for itself."""
    random = Random(f"{seed}/drill/{number}")
    played = Drill(number=number)
    reports = folder / f"drill-{number}"
    reports.mkdir()
    began_s = time.monotonic()
    command = [sys.executable, "-m", "blackstart", "drill", "--decide", "auto", "--delay", "0"]
    command += ["--soak", "2", "--limit", "900", "--reports", str(reports)]
    with (
        (reports / "drill.log").open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        ) as drill,
    ):
        try:
            _Hunt(drill=drill, log=reports / "drill.log", played=played, random=random).hunt()
            played.code = drill.wait(LIMIT_S)
        finally:
            drill.terminate()
    played.took_s = time.monotonic() - began_s
    played.problems += _problems_of(played, reports)
    return played


def _draw(random: Random) -> list[Planned]:
    numbers = sorted(random.sample(range(_FIRST_FACT, _LAST_FACT), random.randint(2, 3)))
    restore = random.choice((AGENT, AGENT, RESTORE, BOTH))
    planned = [Planned(of=restore, at_fact=0, pause_s=random.uniform(0.0, 2.5))]
    planned += [
        Planned(of=AGENT, at_fact=n, pause_s=random.choice((0.0, random.uniform(0, 1))))
        for n in numbers
    ]
    if random.random() < 0.4:
        planned.append(Planned(of=WATCH, at_fact=0, pause_s=random.uniform(0.0, 3.0)))
    return planned


@dataclass(slots=True, kw_only=True)
class _Hunt:
    """Follows one drill from outside and kills."""

    drill: subprocess.Popen[bytes]
    log: Path
    played: Drill
    random: Random
    planned: list[Planned] = field(default_factory=list)
    followed: Followed | None = None
    seen_at_s: float = 0.0

    def hunt(self) -> None:
        """Kill until nobody is left to be killed or the drill is over."""
        self.planned = _draw(self.random)
        deadline_s = time.monotonic() + LIMIT_S
        while self.drill.poll() is None and time.monotonic() < deadline_s:
            self._look()
            for one in tuple(self.planned):
                if self._is_due(one) and self._kill(one):
                    self.planned.remove(one)
            wait_until(lambda: False, timeout_s=_EVERY_S, every_s=_EVERY_S)

    def _look(self) -> None:
        if time.monotonic() - self.seen_at_s > _SEEN_EVERY_S:
            self.seen_at_s = time.monotonic()
            self._count()
        if self.followed is None:
            home = self._home()
            if home is None:
                return
            self.followed = Followed(home=open_home(home))
        with suppress(BlackstartError):  # the drill has ended and its folder is gone
            self.followed.read()

    def _home(self) -> Path | None:
        agent = self._pid_of(AGENT)
        words = _words(agent) if agent else []
        return Path(words[words.index("--home") + 1]) if "--home" in words else None

    def _count(self) -> None:
        """Note how often each program runs that may run only once in the new site."""
        if self.followed is None:
            return
        site = str(self.followed.home.folder.parent / "sites" / "recovery")
        running = dict.fromkeys(("restore", "postgres", "platform"), 0)
        there = {pid: (parent, words) for pid, parent, words in _everybody() if site in str(words)}
        for parent, words in there.values():
            # What they fork looks like them for a moment.
            if there.get(parent, (0, [""]))[1][0] != words[0]:
                running["restore"] += words[0].endswith("pgbackrest") and words[-1] == "restore"
                running["postgres"] += words[0] == "postgres" and "-D" in words
                running["platform"] += words[0] == "node" and words[-1].endswith("forge/app.js")
        for name, count in running.items():
            self.played.most[name] = max(self.played.most.get(name, 0), count)

    def _is_due(self, one: Planned) -> bool:
        if one.due_at_s is None and self._has_come(one):
            one.due_at_s = time.monotonic() + one.pause_s
        return one.due_at_s is not None and time.monotonic() >= one.due_at_s

    def _has_come(self, one: Planned) -> bool:
        if one.of == WATCH:
            return b" is gone (" in self.log.read_bytes()
        incident = self.followed.incident if self.followed else None
        if incident is None:
            return False
        if one.at_fact:
            return incident.seq >= one.at_fact
        runs = incident.runs.values()
        return any(
            run.action("restore_data", "database").state is ActionState.STARTED for run in runs
        )

    def _kill(self, one: Planned) -> bool:
        """Kill; False when nobody is there now (the agent starts anew, say): try again."""
        wanted = {BOTH: (AGENT, RESTORE)}.get(one.of, (one.of,))
        pids = [pid for of in wanted if (pid := self._pid_of(of))]
        if not pids:
            return one.of in (WATCH, RESTORE) and self._is_past(one)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.played.killed += len(pids)
        self.played.dealt.append(f"{one.of}: {self._where()}")
        return True

    def _is_past(self, one: Planned) -> bool:
        incident = self.followed.incident if self.followed else None
        if one.of == WATCH:
            return incident is not None
        return incident is not None and not self._has_come(one)

    def _where(self) -> str:
        if self.followed is None or self.followed.incident is None:
            return "before the report"
        with suppress(BlackstartError):
            self.followed.read()
            return under_way(self.followed.home.journal, self.followed.incident)
        return "the end"

    def _pid_of(self, of: str) -> int:
        """Return the pid of the newest such process of the drill, 0 when there is none."""
        found = [pid for pid in descendants(self.drill.pid) if _IS[of](_words(pid))]
        return self.random.choice(found) if of == RESTORE and found else max(found, default=0)


def _is_restore(words: list[str]) -> bool:
    return (
        bool(words)
        and words[0].endswith("pgbackrest")
        and {"restore", "local"} & set(words) != set()
    )


_IS: dict[str, Callable[[list[str]], bool]] = {
    AGENT: lambda words: words[1:4] == ["-m", "blackstart", "agent"],
    WATCH: lambda words: words[1:4] == ["-m", "blackstart", "watch"],
    RESTORE: _is_restore,
}


def _words(pid: int) -> list[str]:
    try:
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return content.decode("utf-8", "replace").rstrip("\0").split("\0") if content else []


def _everybody() -> Iterator[tuple[int, int, list[str]]]:
    """Yield pid, parent and command line of everybody."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (words := _words(int(path.name))):
            with suppress(OSError):
                yield int(path.name), parent_of(path), words


def _problems_of(played: Drill, reports: Path) -> Iterator[str]:
    """Compare with an undisturbed drill: every step verified, nothing lost, nothing doubled."""
    if played.code not in (_RECOVERED, _DEGRADED):
        yield f"the drill ended with exit code {played.code}"
    yield from (f"{n} of {name} ran at once" for name, n in played.most.items() if n > 1)
    records = list(reports.glob("*/record.json"))
    if len(records) != 1:
        yield f"there are {len(records)} records"
        return
    record: dict[str, Any] = json.loads(records[0].read_text())
    short = {
        step["step"]: step["outcome"]
        for step in record["result"]["steps"]
        if step["outcome"] != "verified"
    }
    if set(short) - _TELLING or set(short.values()) - {"degraded"}:
        yield f"not verified: {short}"
    is_short = bool(short) or played.code == _DEGRADED
    if is_short and not any(one["uncertain"] for one in record["record"]["deliveries"]):
        yield f"degraded without an uncertain message: {record['result']['fell_short']}"
    loss = record["record"]["loss"] or {}
    played.lost = f"{loss.get('lost', '?')} of {loss.get('acknowledged', '?')}"
    if loss.get("lost") != 0 or loss.get("surplus") != 0:
        yield f"writes lost or doubled: {loss}"
    if record["record"]["journal_faults"]:
        yield f"the journal: {record['record']['journal_faults']}"
