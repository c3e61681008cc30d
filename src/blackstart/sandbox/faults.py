# SPDX-License-Identifier: Apache-2.0
"""Faults that a stand-in is told to show: which, to whom, and how many times.

The stand-ins of the sandbox answer like the real thing until a test gives them a fault. Each names
what it applies to (a method, a recipient, or "*" for all) and is used up call by call.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import msgspec

ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of misbehaviour. `times` None means until it is cleared.

    `target` is compared without regard to case; `retry_after_s`, `error` and `hold_s` are for the
    kinds that need them: the wait to ask for, the error to name, how long to stay silent.
    """

    kind: str
    target: str = ALL
    times: int | None = 1
    retry_after_s: int = 1
    error: str = "internal_error"
    hold_s: float = 30.0

    def applies_to(self, target: str) -> bool:
        """Return True when a call to `target` shows this fault."""
        return self.target in {ALL, "all"} or self.target.casefold() == target.casefold()


class Faults:
    """The faults still to be shown, oldest first; safe to use from several threads."""

    def __init__(self, kinds: frozenset[str]) -> None:
        self._kinds = kinds
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Show this fault from now on. Raises ValueError for a kind that does not exist here."""
        if fault.kind not in self._kinds:
            raise ValueError(f"unknown fault {fault.kind!r}: use one of {sorted(self._kinds)}")
        with self._lock:
            self._waiting.append(fault)

    def add_from(self, document: bytes) -> None:
        """Show the fault that a JSON document describes. Raises ValueError with what is wrong."""
        self.add(msgspec.json.decode(document, type=Fault))

    def clear(self) -> None:
        """Behave well again."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> tuple[Fault, ...]:
        """Return the faults that would still be shown."""
        with self._lock:
            return tuple(self._waiting)

    def take(self, target: str, kinds: frozenset[str] | None = None) -> Fault | None:
        """Return the first fault that applies to `target` and is one of `kinds`."""
        with self._lock:
            for place, fault in enumerate(self._waiting):
                if fault.applies_to(target) and (kinds is None or fault.kind in kinds):
                    self._use_once(place, fault)
                    return fault
        return None

    def _use_once(self, place: int, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times <= 1:
            del self._waiting[place]
        else:
            self._waiting[place] = replace(fault, times=fault.times - 1)
