# SPDX-License-Identifier: Apache-2.0
"""Which bringing back of an installation this is, and whether a later one has taken over.

An installation begins as generation 1. Whoever brings it back from a mirror raises the number at
the mirror, where the old one sees it; what it saw stands in its own file from then on.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from blackstart.model.errors import Superseded


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Whose file this is: the installation, its generation, and who raised it."""

    identity: str
    generation: int
    claimant: str
    superseded_by: int


def standing_of(connection: sqlite3.Connection) -> Standing:
    """Return whose file this is."""
    row = connection.execute(
        "SELECT identity, generation, claimant, superseded_by FROM installation"
    ).fetchone()
    return Standing(
        identity=row[0], generation=row[1], claimant=row[2] or row[0], superseded_by=row[3]
    )


def must_be_in_force(connection: sqlite3.Connection) -> None:
    """Raise Superseded when this file was told that a later generation has taken over."""
    row = connection.execute("SELECT superseded_by, generation FROM installation").fetchone()
    if row[0]:
        raise superseded(row[1], row[0])


def least_token(connection: sqlite3.Connection) -> int:
    """Return what the fencing tokens of this generation are greater than, and those of earlier
    generations are not."""
    row = connection.execute("SELECT generation FROM installation").fetchone()
    return (int(row[0]) - 1) << 32


def note_superseded(connection: sqlite3.Connection, by: int) -> None:
    """Keep that a later generation has taken over; the file can only be read from now on."""
    connection.execute("UPDATE installation SET superseded_by = max(superseded_by, ?)", (by,))


def superseded(generation: int, by: int) -> Superseded:
    """Return the refusal that says so."""
    return Superseded(
        f"This installation (generation {generation}) was replaced: it was brought back elsewhere "
        f"as generation {by}, which alone records and acts now.",
        "End this one and work there. What was recorded here stays readable; nothing is lost.",
    )
