# SPDX-License-Identifier: Apache-2.0
"""Greenlets as hands: implements `ports.crew.Crew` on a stage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from tests.simulation.stage import TICK_S, Died, Stage, Task


class StageSignal:
    """A signal between the threads of one process."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._process = stage.current.process
        self._is_set = False
        self._waiting: list[Task] = []

    def set(self) -> None:
        """Set it, and wake whoever waits; who sleeps in the process looks whether to go on."""
        self._is_set = True
        for task in (*self._waiting, *self._process.sleepers):
            self._stage.make_ready(task)

    def clear(self) -> None:
        """Take it back."""
        self._is_set = False

    def is_set(self) -> bool:
        """Say whether it is set."""
        return self._is_set

    def wait(self, timeout_s: float | None = None, /) -> bool:
        """Wait until it is set, for so many seconds at most."""
        until_s = None if timeout_s is None else self._stage.now_s + timeout_s
        if not self._is_set:
            self._block(until_s)
        return self._is_set

    def _block(self, until_s: float | None) -> None:
        task = self._stage.current
        self._waiting.append(task)
        try:
            self._stage.block(until_s)
        finally:
            self._waiting.remove(task)

    def rest(self, until_s: float | None) -> None:
        """Wait for it, or for news, or for the moment."""
        stage, task = self._stage, self._stage.current
        if task.seen_news != stage.news:  # it came while this task was busy
            until_s = stage.now_s + stage.dice.uniform(0.0, TICK_S)
        stage.resting.add(task)
        try:
            if not self._is_set:
                self._block(until_s)
        finally:
            stage.resting.discard(task)
        task.seen_news = stage.news
        self._is_set = False


class StageWork:
    """A piece of work in the hands of a greenlet; `with work:` keeps what goes wrong in it."""

    def __init__(self) -> None:
        self._is_done = False
        self._problem: BaseException | None = None
        self._after: list[Callable[[Any], object]] = []

    def done(self) -> bool:
        """Say whether it has ended."""
        return self._is_done

    def result(self) -> None:
        """Raise what went wrong in it."""
        if self._problem is not None:
            raise self._problem

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        """Call `fn` when it has ended."""
        self._after.append(fn)
        if self._is_done:
            fn(self)

    def end(self) -> None:
        """Note that it has ended."""
        self._is_done = True
        for fn in self._after:
            fn(self)

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Keep what went wrong for `result`, as an executor does; a death is not kept."""
        self._problem = error
        return isinstance(error, Exception)


class StageHands:
    """So many greenlets at once; more work waits for its turn."""

    def __init__(self, stage: Stage, name: str, at_once: int) -> None:
        self._stage = stage
        self._name = name
        self._free = at_once
        self._queue: list[tuple[StageWork, Callable[[], None]]] = []
        self._left = 0
        self._ended = StageSignal(stage)

    def submit(self, fn: Callable[..., None], /, *args: Any, **kwargs: Any) -> StageWork:
        """Hand a piece of work out."""
        work = StageWork()
        self._left += 1
        self._queue.append((work, partial(fn, *args, **kwargs)))
        self._start_next()
        return work

    def _start_next(self) -> None:
        if self._free and self._queue:
            self._free -= 1
            work, call = self._queue.pop(0)
            process = self._stage.current.process
            self._stage.start(process, self._name, partial(self._do, work, call))

    def _do(self, work: StageWork, call: Callable[[], None]) -> None:
        with work:
            call()
        self._free += 1
        self._left -= 1
        self._start_next()
        work.end()
        self._ended.set()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait until everything has ended; who is dead waits for nothing."""
        while self._left and not isinstance(error, Died):
            self._ended.wait()
            self._ended.clear()


class StageCrew:
    """The threads of the process that uses it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def signal(self) -> StageSignal:
        """Return a signal that is not set."""
        return StageSignal(self._stage)

    def hands(self, name: str, at_once: int) -> StageHands:
        """Return hands for one kind of work."""
        return StageHands(self._stage, name, at_once)

    def rest(self, woken: Any, until: datetime | None) -> None:
        """Wait for `woken`, for a new fact, or for the moment: what many looks would find."""
        until_s = None if until is None else max(self._stage.at_s(until), self._stage.now_s) + 0.001
        woken.rest(until_s)
