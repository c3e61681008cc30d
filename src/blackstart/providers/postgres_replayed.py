# SPDX-License-Identifier: Apache-2.0
"""Was all WAL replayed that there was? A missing file looks to PostgreSQL like the end of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.providers.places import look_into
from blackstart.providers.traces import returns_failures

_TIMELINE_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectReplayed:
    """Expect that the replay went as far as the newest WAL file that there was to be had.

    `newest_wal` is what `pgbackrest.choose_point` puts out. A gap makes PostgreSQL open with what
    came before it, without a word: all later writes are missing.
    """

    outputs: ClassVar[Mapping[str, str]] = {"last_wal": "the last WAL file that was replayed"}
    place: str
    site: str
    newest_wal: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Compare with the record of what the server fetched."""
        path = look_into(self.place, self.site, context).directory / "log" / "wal.log"
        last = last_fetched(path.read_text("utf-8", "replace").splitlines())
        if is_before(last, self.newest_wal):
            return Failed(
                summary=f"the replay ended with {last or 'no WAL file at all'}, and there is WAL "
                f"until {self.newest_wal}: one between is missing, and every write after it",
                hint="look for the file that follows in other copies of the archive, create the "
                "environment anew and restore again; or accept the loss and tell users the cut-off",
            )
        return Done(
            summary=f"replayed until {last}, the newest WAL there is", outputs={"last_wal": last}
        )


def last_fetched(lines: Iterable[str]) -> str:
    """Return the newest segment in lines of `SOURCE SEGMENT`; empty when there is none."""
    names = (line.split()[1].partition(".")[0] for line in lines if is_fetch(line))
    segments = [name for name in names if len(name) == 24]
    return max(segments, key=_place, default="")


def is_fetch(line: str) -> bool:
    """Say whether a line tells of a file that was fetched."""
    return line.startswith(("archive ", "received "))


def is_before(segment: str, other: str) -> bool:
    """Say whether one segment lies before another; the time line does not count."""
    return _place(segment) < _place(other)


def _place(segment: str) -> str:
    return segment.partition(".")[0][_TIMELINE_DIGITS:]
