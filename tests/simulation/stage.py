# SPDX-License-Identifier: Apache-2.0
"""Several processes in one thread, under one virtual clock: dice decide who goes on next.

Every thread of every process is a greenlet. At each journal call, each call outside and each wait
it comes back here. Time stands still while somebody can go on, and jumps to the next appointment
when nobody can. A process dies by being thrown `Died`, which nothing of the engine may catch;
what it did to the world stays.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from greenlet import getcurrent, greenlet

BEGAN = datetime(2026, 11, 23, 3, 14, 15, tzinfo=UTC)
STEP_S = 0.0004  # what going on once takes
TICK_S = 0.04  # new facts are seen that soon
_LEAP_S = 5.0  # a longer wait of everybody is a leap: drivers renew their claims first
_AHEAD_S = 0.05
_STEPS_AT_MOST = 60_000


class Died(BaseException):
    """The process is gone."""


class Stuck(AssertionError):
    """The day does not come to its end."""


@dataclass(eq=False, slots=True)
class Process:
    """One process: alive or not, frozen until a moment or not."""

    name: str
    is_alive: bool = True
    thaws_at_s: float = 0.0
    tasks: list[Task] = field(default_factory=list)
    sleepers: list[Task] = field(default_factory=list)  # who wakes when a signal is set


@dataclass(eq=False, slots=True)
class Task:
    """One thread of a process."""

    process: Process
    name: str
    frame: greenlet
    is_ready: bool = False
    is_over: bool = False
    seen_news: int = -1
    wait: int = 0  # grows with each wait, so that what was to end an earlier one ends nothing


@dataclass(slots=True)
class Appointment:
    """Something that happens at a moment: a call, or the end of a task's wait."""

    act: Callable[[], object] | None = None
    task: Task | None = None
    wait: int = 0

    def is_off(self) -> bool:
        """Say whether nobody waits for it any more."""
        return self.task is not None and (self.task.wait != self.wait or self.task.is_over)


@dataclass(frozen=True, slots=True)
class Blow:
    """What strikes a process at one point: death, or a freeze of so many seconds."""

    freeze_s: float = 0.0


def _spared(_number: int, _what: str, _process: Process) -> Blow | None:
    return None


class Stage:
    """The processes, the clock and the dice of one day."""

    def __init__(self, seed: object) -> None:
        self.dice = Random(f"stage {seed}")
        self.now_s = 0.0
        self.shift_s = 0.0  # of the wall clock
        self.steps = 0
        self.points = 0
        self.freezes = 0
        self.seen: Counter[str] = Counter()
        self.strike: Callable[[int, str, Process], Blow | None] = _spared
        self.before_leap: Callable[[float], None] = lambda _: None
        self.bury: Callable[[Process], None] = lambda _: None
        self.thawed: Callable[[], None] = lambda: None
        self.told: list[str] = []
        self.resting: set[Task] = set()
        self.news = 0
        self._tasks: list[Task] = []
        self._ready: list[Task] = []
        self._dead: list[Process] = []
        self._calendar: list[tuple[float, int, Appointment]] = []
        self._number = 0
        self._hub = getcurrent()
        self._current: Task | None = None

    # What a clock says.

    def now(self) -> datetime:
        """Return the wall time, in UTC, to the millisecond."""
        at = BEGAN + timedelta(seconds=self.now_s + self.shift_s)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def monotonic_s(self) -> float:
        """Return seconds on a clock that never jumps."""
        return self.now_s

    def boottime_s(self) -> float:
        """Return the same: nothing is suspended here."""
        return self.now_s

    def at_s(self, moment: datetime) -> float:
        """Return when, on the virtual clock, the wall clock shows that moment."""
        return (moment - BEGAN).total_seconds() - self.shift_s

    def tell(self, line: str) -> None:
        """Add a line to the story of the day."""
        who = self._current.process.name if self._current else ""
        self.told.append(f"{BEGAN + timedelta(seconds=self.now_s):%d %H:%M:%S.%f} {who:8} {line}")

    # What tasks do.

    @property
    def current(self) -> Task:
        """The task that goes on now. Raises RuntimeError outside of tasks."""
        if self._current is None:
            raise RuntimeError("no task goes on")
        return self._current

    def start(self, process: Process, name: str, run: Callable[[], None]) -> Task:
        """Start a thread of the process."""

        def body() -> None:
            try:
                run()
            except Died:
                return
            finally:
                task.is_over = True
                process.tasks.remove(task)

        task = Task(process=process, name=name, frame=greenlet(body, self._hub))
        process.tasks.append(task)
        self._tasks.append(task)
        self.make_ready(task)
        return task

    def point(self, what: str, *, may_yield: bool = True) -> None:
        """Come to a point where the process may die, or freeze, or another may go on."""
        self.must_live()
        self.points += 1
        self.seen[what] += 1
        process = self.current.process
        blow = self.strike(self.points, what, process)
        if blow is not None:
            if not blow.freeze_s:
                self.tell(f"dies ({what}, point {self.points})")
                self.kill(process)
                raise Died
            self.tell(f"freezes for {blow.freeze_s:.0f} s ({what}, point {self.points})")
            self.freeze(process, blow.freeze_s)
        if may_yield:
            self.give_way()

    def must_live(self) -> None:
        """Raise Died when the process is dead: its last words reach nobody."""
        if not self.current.process.is_alive:
            raise Died

    def give_way(self) -> None:
        """Let somebody else go on first, perhaps."""
        self.make_ready(self.current)
        self._hub.switch()

    def block(self, until_s: float | None = None) -> None:
        """Wait until somebody wakes this task, or until the moment."""
        self.must_live()
        task = self.current
        task.wait += 1
        if until_s is not None:
            self._add(until_s, Appointment(task=task, wait=task.wait))
        self._hub.switch()

    def sleep(self, seconds: float, may_end: Callable[[], bool] = lambda: False) -> None:
        """Let time pass; ends early when `may_end`, which is asked when a signal was set."""
        until_s = self.now_s + seconds
        task = self.current
        task.process.sleepers.append(task)
        try:
            while self.now_s < until_s and not may_end():
                self.block(until_s)
        finally:
            task.process.sleepers.remove(task)

    # What happens to tasks.

    def make_ready(self, task: Task) -> None:
        """Let the task go on when its turn comes."""
        if not task.is_ready and not task.is_over:
            task.is_ready = True
            task.wait += 1
            self._ready.append(task)

    def at(self, at_s: float, act: Callable[[], object]) -> None:
        """Call `act` at the moment."""
        self._add(at_s, Appointment(act=act))

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Call `act` when so many seconds have passed."""
        self.at(self.now_s + seconds, act)

    def alive(self) -> list[Process]:
        """Return the processes that live, in the order in which they began."""
        found = (task.process for task in self._tasks if not task.is_over)
        return list(dict.fromkeys(process for process in found if process.is_alive))

    def kill(self, process: Process) -> None:
        """End the process: none of its threads goes on any more."""
        process.is_alive = False
        self._dead.append(process)

    def freeze(self, process: Process, seconds: float) -> None:
        """Let none of the process's threads go on for so long, as SIGSTOP does."""
        self.freezes += 1
        process.thaws_at_s = self.now_s + seconds
        self.at(process.thaws_at_s, self.thawed)

    def look_soon(self) -> None:
        """Let whoever rests look at the record within a tick, each at its own moment."""
        self.news += 1
        for task in self._at_rest():
            soon_s = self.now_s + self.dice.uniform(0.0, TICK_S)
            self._add(soon_s, Appointment(task=task, wait=task.wait))

    def _at_rest(self) -> list[Task]:
        return sorted(self.resting, key=lambda one: (one.process.name, one.name))

    # The hub.

    def run(self, is_over: Callable[[], bool], limit_s: float) -> None:
        """Let the day pass until it is over. Raises Stuck when that takes too long."""
        while not is_over():
            self._bury()
            self._fire_due()
            task = self._next()
            if task is not None:
                self._go_on(task)
            elif not self._leap() and not is_over():
                raise Stuck("nobody has anything to do, and it is not over")
            if self.now_s > limit_s or self.steps > _STEPS_AT_MOST:
                raise Stuck(f"not over after {self.now_s / 3600:.1f} h and {self.steps} steps")

    def end(self) -> None:
        """End every thread that is left."""
        self.bury = lambda _: None
        self._dead += {task.process for task in self._tasks if not task.is_over}
        for process in self._dead:
            process.is_alive = False
        self._bury()

    def _add(self, at_s: float, appointment: Appointment) -> None:
        self._number += 1
        heapq.heappush(self._calendar, (at_s, self._number, appointment))

    def _bury(self) -> None:
        while self._dead:
            process = self._dead.pop()
            for task in list(process.tasks):
                self._end(task)
            self.bury(process)

    def _end(self, task: Task) -> None:
        self._current = task
        try:
            task.frame.throw(Died)
        except Died:  # it had not begun
            task.is_over = True
            task.process.tasks.remove(task)
        self._current = None
        self._ready = [one for one in self._ready if one is not task]

    def _fire_due(self) -> None:
        while self._calendar and self._calendar[0][0] <= self.now_s:
            _, _, appointment = heapq.heappop(self._calendar)
            if appointment.is_off():
                continue
            if appointment.task is not None:
                self.make_ready(appointment.task)
            elif appointment.act is not None:
                appointment.act()

    def _next(self) -> Task | None:
        able = [task for task in self._ready if task.process.thaws_at_s <= self.now_s]
        if not able:
            return None
        task = able[0] if len(able) == 1 else able[self.dice.randrange(len(able))]
        self._ready.remove(task)
        return task

    def _go_on(self, task: Task) -> None:
        task.is_ready = False
        self.steps += 1
        self.now_s += STEP_S
        self._current = task
        try:
            task.frame.switch()
        finally:
            self._current = None

    def _leap(self) -> bool:
        """Go to the next appointment; over a long time in two bounds, so that drivers look."""
        while self._calendar and self._calendar[0][2].is_off():
            heapq.heappop(self._calendar)
        if not self._calendar:
            return False
        next_s = self._calendar[0][0]
        if next_s - self.now_s > _LEAP_S and self.resting:
            next_s -= _AHEAD_S
            self.before_leap(next_s)
            self.now_s = next_s
            for task in self._at_rest():
                self.make_ready(task)
        self.now_s = max(self.now_s, next_s)
        return True
