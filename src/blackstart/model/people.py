# SPDX-License-Identifier: Apache-2.0
"""People, the roles that they hold and the teams that they form, as the plan names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

COMMANDER = "incident_commander"


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """A range of days, both ends included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Say whether the day is one of them."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person of the organisation. Facts name the `id`; addresses stay out of the journal."""

    id: str
    name: str
    addresses: Mapping[str, str] = field(default_factory=dict)  # kind ("email", "slack") → address
    away: tuple[Days, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role with its holders in the order in which they stand in for one another."""

    name: str
    title: str
    holders: tuple[str, ...]
    acknowledge_within_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team and its members."""

    name: str
    members: tuple[str, ...]


def is_away(person: Person, day: date) -> bool:
    """Say whether the plan knows that the person cannot be reached on that day."""
    return any(day in days for days in person.away)


def deputy_of(role: Role, person: str) -> str | None:
    """Return the next holder after `person`, or None when the chain ends there."""
    later = role.holders[role.holders.index(person) + 1 :] if person in role.holders else ()
    return later[0] if later else None
