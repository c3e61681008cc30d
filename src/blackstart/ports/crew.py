# SPDX-License-Identifier: Apache-2.0
"""Hands that work side by side, and how the core waits.

`threading.Event`, `concurrent.futures.Future` and `ThreadPoolExecutor` have these shapes already.
Everything that the engine does at once, and every moment that it waits, goes through here, so that
a simulation can decide who goes on next and let days pass in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol


class Signal(Protocol):
    """Something that one sets and another waits for."""

    def set(self) -> None:
        """Set it, and wake whoever waits."""
        ...

    def clear(self) -> None:
        """Take it back."""
        ...

    def is_set(self) -> bool:
        """Say whether it is set."""
        ...

    def wait(self, timeout_s: float | None = None, /) -> bool:
        """Wait until it is set, for so many seconds at most; say whether it is."""
        ...


class Work(Protocol):
    """A piece of work that was handed out."""

    def done(self) -> bool:
        """Say whether it has ended."""
        ...

    def result(self) -> None:
        """Raise what went wrong in it, if anything did."""
        ...

    def add_done_callback(self, fn: Callable[[Any], object], /) -> None:
        """Call `fn` when it has ended, at once when it has ended already."""
        ...


class Hands(Protocol):
    """So many pieces of work at once; more wait for their turn."""

    def submit(self, fn: Callable[..., None], /, *args: Any, **kwargs: Any) -> Work:
        """Hand a piece of work out."""
        ...


class Crew(Protocol):
    """Where hands and signals come from."""

    def signal(self) -> Signal:
        """Return a signal that is not set."""
        ...

    def hands(self, name: str, at_once: int) -> AbstractContextManager[Hands]:
        """Return hands for one kind of work; leaving waits until they have done what was begun.

        They are the same from the first work to the last: a child that must die with whoever
        started it may be started by any of them.
        """
        ...

    def rest(self, woken: Signal, until: datetime | None) -> None:
        """Wait until `woken` is set, facts may have come or `until` may be there; then clear it.

        It may end early: whoever rests looks again at everything.
        """
        ...
