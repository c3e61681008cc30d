# SPDX-License-Identifier: Apache-2.0
"""A defect put into the sandbox's world on purpose, and the end that a drill has to come to.

An injection changes production or what is elsewhere, never Blackstart and never the plan. Each is
one small file in `injections/`, found by its folder; it holds one value named INJECTION.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blackstart.sandbox.layout import Layout, SandboxError
from blackstart.world.sites import Site, load_site

HEALTHY = "recovers, announced as healthy"
TOLD = "recovers, and says what fell short"


def _nothing(layout: Layout) -> None:
    del layout


def _unharmed(layout: Layout) -> str:
    del layout
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """One defect: what it is, how it is made, and the end that it must lead to.

    `expected` is made by `stops_at`, `degrades`, `refuses`, or is TOLD. Each part may be left out:
    `prepare` runs in the living production and is followed by a new proof of the newest backup when
    `proves_again`; `inject` is done once, just before the disaster; `haunt` goes on during the
    recovery in a process of its own until it returns or the drill is over; `witness` looks at the
    sandbox afterwards and returns what users or data suffered, or nothing. `environment` is laid
    over that of the drill itself (`make faults` does it).
    """

    name: str
    what: str
    expected: str
    prepare: Callable[[Layout], None] = _nothing
    proves_again: bool = False
    inject: Callable[[Layout], None] = _nothing
    haunt: Callable[[Layout, threading.Event], None] | None = None
    witness: Callable[[Layout], str] = _unharmed
    environment: Mapping[str, str] = field(default_factory=dict)


def stops_at(place: str) -> str:
    """Return the end of a recovery that stopped at `step.action`."""
    return f"stops at {place}"


def degrades(*steps: str) -> str:
    """Return the end of a recovery that went through and said which steps are not whole."""
    return f"recovers degraded: {', '.join(steps)}"


def refuses(code: int) -> str:
    """Return the end of a drill that did not begin, with its exit code."""
    return f"refused before start, exit code {code}"


def broken_haunt(layout: Layout) -> Path:
    """Return the file that says why a haunting ended before it had done its harm."""
    return layout.root / "haunt.broken"


def living(layout: Layout, name: str) -> Site:
    """Return a site of the run. Raises SandboxError when it is not alive."""
    site = load_site(layout.sites, name)
    if site is None:
        raise SandboxError(f"site {name} is not alive", "start the sandbox first")
    return site
