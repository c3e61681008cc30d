# SPDX-License-Identifier: Apache-2.0
"""What was lost: the writer's acknowledged numbers against those that the platform holds.

Lost is acknowledged and absent. A row that was sent and never acknowledged was in flight when the
platform died: it may be there or not. A row that was never sent cannot be there: that is an error.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The count. The moments are of the acknowledgement; None when there is no such row."""

    acknowledged: int
    lost: tuple[int, ...]
    in_flight_present: tuple[int, ...]
    surplus: tuple[int, ...]
    last_acknowledged_at: datetime | None
    first_lost_at: datetime | None
    last_kept_at: datetime | None

    @property
    def is_exact(self) -> bool:
        """True when nothing is there that nobody sent."""
        return not self.surplus


def count_lost(folder: Path, present: AbstractSet[int], *, before: datetime | None = None) -> Loss:
    """Compare the writer's records in `folder` with the numbers that are present.

    `before` is when nothing of the old platform lived any more: what was acknowledged until then
    counts, and so does whatever was acknowledged later and is absent (the answer may have been on
    its way to the writer; the writer goes on afterwards, on the new platform). Half a last line is
    left out.
    """
    sent = read_numbers(folder / "sent.log")
    noted = read_numbers(folder / "acknowledged.log")
    acknowledged = {
        number: at
        for number, at in noted.items()
        if before is None or at < before or number not in present
    }
    lost = sorted(acknowledged.keys() - present)
    kept_at = [at for number, at in acknowledged.items() if number in present]
    return Loss(
        acknowledged=len(acknowledged),
        lost=tuple(lost),
        in_flight_present=tuple(sorted((present & sent.keys()) - noted.keys())),
        surplus=tuple(sorted(present - sent.keys())),
        last_acknowledged_at=max(acknowledged.values(), default=None),
        first_lost_at=min((acknowledged[number] for number in lost), default=None),
        last_kept_at=max(kept_at, default=None),
    )


def read_numbers(log: Path) -> dict[int, datetime]:
    """Return number and time of every whole line of one of the writer's records."""
    if not log.exists():
        return {}
    whole = log.read_text("ascii").rpartition("\n")[0]
    pairs = (line.split(" ") for line in whole.splitlines())
    return {int(number): datetime.fromisoformat(at) for number, at in pairs}
