# SPDX-License-Identifier: Apache-2.0
"""Asks all mirrors at once who brought the installation back last, and waits a moment for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from blackstart.model.errors import BlackstartError, MirrorFailed, Superseded
from blackstart.model.words import say_moment
from blackstart.ports.clock import Clock
from blackstart.ports.depot import Depot
from blackstart.store.mirror_form import Claim, generation_key, read_as
from blackstart.store.mirror_reading import newest_generation
from blackstart.store.schema import from_ms


def newest_claim(depots: Sequence[Depot], clock: Clock, within_s: float) -> Claim | None:
    """Return the newest claim that any mirror told of within the time, None when none answers.

    The threads are left behind when they hang: nothing may wait for a mirror.
    """
    found: list[Claim] = []
    left = threading.Semaphore(0)

    def ask(depot: Depot) -> None:
        try:
            if newest := newest_generation(depot):
                found.append(_claim_at(depot, newest))
        except BlackstartError:
            return
        finally:
            left.release()

    for depot in depots:
        threading.Thread(target=ask, args=(depot,), daemon=True).start()
    deadline_s = clock.monotonic_s() + within_s
    for _ in depots:
        left.acquire(timeout=max(0.0, deadline_s - clock.monotonic_s()))
    return max(list(found), key=lambda claim: claim.generation, default=None)


def _claim_at(depot: Depot, generation: int) -> Claim:
    """Return who claimed it; of a damaged claim the number alone, which decides."""
    key = generation_key(generation)
    try:
        return read_as(Claim, key, depot.fetch(key) or b"")
    except MirrorFailed:
        return Claim(generation=generation, claimant="", host="", at_ms=0)


def replaced(generation: int, by: int, claim: Claim | None) -> Superseded:
    """Return the refusal of what a person said here after a later generation had taken over."""
    known = claim if claim is not None and claim.host and claim.generation == by else None
    where = f"on {known.host} at {say_moment(from_ms(known.at_ms))}" if known else "elsewhere"
    return Superseded(
        f"This installation (generation {generation}) was replaced: it was brought back {where} "
        f"as generation {by}; nothing is recorded here any more.",
        "What you said was not recorded: say it there, and end this one.",
    )
