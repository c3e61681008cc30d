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
