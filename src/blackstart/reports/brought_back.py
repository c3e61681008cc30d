# SPDX-License-Identifier: Apache-2.0
"""What could be, or was, brought back, as sentences: restore points, and the record itself."""

from __future__ import annotations

from blackstart.model.events import RecordRestored, RestorePointRejected, RestorePointVerified
from blackstart.model.words import say_duration
from blackstart.reports.phrases import Tone, plain, say_time, sentence


def say_brought_back(
    event: RestorePointVerified | RestorePointRejected | RecordRestored,
) -> tuple[str, Tone]:
    """Return the sentence of the timeline, and its tone."""
    match event:
        case RestorePointVerified():
            return (
                f"Restore point {plain(event.point)} of {plain(event.item)} verified: restored and "
                f"queried in {say_duration(event.took_s)}."
            ), Tone.GOOD
        case RestorePointRejected():
            return (
                f"Restore point {plain(event.point)} of {plain(event.item)} rejected: "
                f"{sentence(event.reason)}"
            ), Tone.BAD
        case RecordRestored():
            return (
                f"The record was brought back from {plain(event.mirror)} (generation "
                f"{event.generation}), whole until {say_time(event.whole_at)}; what was recorded "
                "after that on the lost host may be missing here."
            ), Tone.WARN
