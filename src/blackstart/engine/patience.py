# SPDX-License-Identifier: Apache-2.0
"""What is over in the world is recorded even when the disk is full or locked for a while.

An action that was done and whose end cannot be written would be in doubt; so its end is tried again
until it is written, or until the driver has to give up because its claim runs out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from blackstart.engine.installation import Installation
from blackstart.model.errors import JournalFailed, JournalUnavailable, WorldFailed
from blackstart.ports.crew import Signal

AGAIN_S = 0.25
T = TypeVar("T")


def record_in_time(house: Installation, halt: Signal, append: Callable[[], T]) -> T:
    """Append; while the record cannot be written wait and append again, until `halt` is set.

    Raises JournalUnavailable then, and at once whatever does not pass by waiting.
    """
    while True:
        try:
            return append()
        except JournalUnavailable as trouble:
            house.trouble(trouble)
            if halt.wait(AGAIN_S):
                raise


def keep_in_time(
    house: Installation, is_over: Callable[[], bool], halt: Signal, name: str, content: bytes
) -> str:
    """Keep evidence without the secrets in it; while there is no room wait, until it is over.

    Raises WorldFailed then.
    """
    clean = house.redact(content.decode("utf-8", "surrogateescape"))
    while True:
        try:
            return house.evidence.keep(name, clean.encode("utf-8", "surrogateescape"))
        except JournalFailed:
            raise
        except WorldFailed as trouble:
            house.trouble(trouble)
            if halt.wait(AGAIN_S) or is_over():
                raise


class Leash:
    """The signal to let go: given by the driver, or because its claim is another's by now.

    A process may sleep through its claim (SIGSTOP, a suspended machine) and wake in the middle of
    an action. What it has not begun by then it must not begin: somebody else may have looked and
    begun it. `is_ours` says whether the claim still holds, and renews it where it only ran out.
    """

    def __init__(self, halt: Signal, is_ours: Callable[[], bool]) -> None:
        """Keep the driver's own signal, and how to ask whether the claim is still ours."""
        self._halt = halt
        self._is_ours = is_ours

    def set(self) -> None:
        """Let go."""
        self._halt.set()

    def clear(self) -> None:
        """Take it back."""
        self._halt.clear()

    def is_set(self) -> bool:
        """Say whether nothing may be begun any more."""
        return self._halt.is_set() or not self._is_ours()

    def wait(self, timeout_s: float | None = None, /) -> bool:
        """Wait for the driver's signal, for so many seconds at most; say whether to let go."""
        return self._halt.wait(timeout_s) or self.is_set()
