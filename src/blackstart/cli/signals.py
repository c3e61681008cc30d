# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and SIGTERM for commands that set up, ask and clean up.

Where a loop looks at the event, the signal only sets it and work ends at a clean point. Everywhere
else (a set-up that takes minutes) the first signal ends what goes on at once. Further ones change
nothing, so that the clean-up that follows is not cut short.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Interrupts:
    """What the signals of this program do; made in its main thread."""

    def __init__(self) -> None:
        """Take over SIGINT and SIGTERM."""
        self.stop = threading.Event()
        self._is_polled = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    @contextmanager
    def polled(self) -> Iterator[threading.Event]:
        """Promise that the block looks at the event often; a signal only sets it meanwhile."""
        self._is_polled = True
        try:
            yield self.stop
        finally:
            self._is_polled = False

    def _take(self, *_: object) -> None:
        is_first = not self.stop.is_set()
        self.stop.set()
        if is_first and not self._is_polled:
            raise KeyboardInterrupt


@contextmanager
def ending_plainly() -> Iterator[Interrupts]:
    """Take over the signals; an interrupted block has cleaned up, and that is said in the end."""
    try:
        yield Interrupts()
    except (KeyboardInterrupt, click.Abort) as interrupted:
        said = str(interrupted) or "Interrupted before there was anything to report."
        raise KeyboardInterrupt(f"{said} Nothing of this drill is left running.") from None
