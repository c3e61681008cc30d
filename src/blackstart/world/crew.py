# SPDX-License-Identifier: Apache-2.0
"""Threads as hands. Implements `ports.crew.Crew`."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime

from blackstart.ports.crew import Signal

TICK_S = 0.04  # what other programs recorded is seen that soon


class Threads:
    """The threads of this process."""

    def signal(self) -> Signal:
        """Return a signal that is not set."""
        return threading.Event()

    def hands(self, name: str, at_once: int) -> AbstractContextManager[ThreadPoolExecutor]:
        """Return threads for one kind of work; leaving waits until they have ended."""
        return ThreadPoolExecutor(at_once, thread_name_prefix=name)

    def rest(self, woken: Signal, until: datetime | None) -> None:
        """Wait for `woken`, but never longer than it may take to see other programs' facts."""
        woken.wait(TICK_S)
        woken.clear()
