# SPDX-License-Identifier: Apache-2.0
"""The right to drive one incident: taken, kept alive, and asked for before anything is begun.

All judge a claim by the monotonic clock, so no wall clock matters here.
"""

from __future__ import annotations

from dataclasses import dataclass

from blackstart.engine.installation import Installation
from blackstart.model.errors import JournalFailed, Refused
from blackstart.ports.clock import Clock
from blackstart.ports.journal import Journal

CLAIM_S = 15.0
_RENEW_EVERY_S = 3.0  # so that ten seconds in which nobody can write cost no claim


@dataclass(slots=True, kw_only=True)
class Claim:
    """The claim as its holder sees it: its fencing token, and until when it certainly holds."""

    journal: Journal
    clock: Clock
    incident: str
    holder: str
    token: int
    until_s: float = 0.0

    def left_s(self) -> float:
        """Return for how long it certainly holds."""
        return self.until_s - self.clock.monotonic_s()

    def renew(self) -> None:
        """Keep it alive. Raises Refused when another process took over."""
        if self.left_s() <= CLAIM_S - _RENEW_EVERY_S and not self._take():
            raise Refused(
                f"Another process took over {self.incident}.",
                "Nothing to do here: it drives from now on.",
            )

    def is_ours(self) -> bool:
        """Say whether it holds. One that ran out while this process slept, and that nobody took,
        is renewed; when the record cannot say, it does not hold."""
        if self.left_s() > 0:
            return True
        try:
            return self._take()
        except JournalFailed:
            return False

    def _take(self) -> bool:
        now_s = self.clock.monotonic_s()
        is_ours = self.journal.claim(self.incident, self.holder, CLAIM_S) == self.token
        self.until_s = now_s + CLAIM_S if is_ours else 0.0
        return is_ours


def take_claim(house: Installation, incident: str) -> Claim:
    """Take the claim, also that of a process which is dead for certain. Raises Refused."""
    token = house.journal.claim(incident, house.holder, CLAIM_S)
    if token is None and house.is_gone(dead := house.journal.holder(incident)):
        house.journal.release(incident, dead)
        token = house.journal.claim(incident, house.holder, CLAIM_S)
    if token is None:
        raise Refused(
            f"Another process drives {incident}.", "Wait for it, or stop it: its claim then ends."
        )
    return Claim(
        journal=house.journal,
        clock=house.clock,
        incident=incident,
        holder=house.holder,
        token=token,
    )
