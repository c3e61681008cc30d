# SPDX-License-Identifier: Apache-2.0
"""Who comes back first: the tiers of the plan as waves of instances, and the record of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from blackstart.providers.flowfuse_database import HeldInstance
from blackstart.providers.manifest import Manifest

_REST = "the rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Teams that come back together, as `tiers` of the plan says; without teams, all others."""

    name: str
    teams: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """The instances of one tier."""

    name: str
    instances: tuple[HeldInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RanWave:
    """What the record keeps of a wave: who, when the first was started, when all ran."""

    name: str
    instances: tuple[HeldInstance, ...]
    started_at: datetime
    ran_at: datetime


def waves_of(held: tuple[HeldInstance, ...], tiers: tuple[Tier, ...]) -> tuple[Wave, ...]:
    """Return the instances in the order of the tiers; empty waves are left out.

    Whoever is in no tier comes with the tier that names no team, or else last.
    """
    named = {team for tier in tiers for team in tier.teams}
    if all(tier.teams for tier in tiers):
        tiers = (*tiers, Tier(name=_REST))
    parts = (
        Wave(
            name=tier.name,
            instances=tuple(
                one
                for one in held
                if (one.team in tier.teams if tier.teams else one.team not in named)
            ),
        )
        for tier in tiers
    )
    return tuple(part for part in parts if part.instances)


def say_waves(ran: tuple[RanWave, ...]) -> str:
    """Return one line that says who came back in which order."""
    count = sum(len(wave.instances) for wave in ran)
    parts = (f"{wave.name} ({', '.join(one.name for one in wave.instances)})" for wave in ran)
    return f"{count} instances run, started in {len(ran)} waves: {', then '.join(parts)}"


def not_held(held: tuple[HeldInstance, ...], manifest: Manifest) -> str:
    """Return which instances of the manifest would not be started; "" when all would be."""
    there = {one.id for one in held}
    lacking = [one.name for one in manifest.ran if one.id not in there]
    if lacking:
        return (
            f"{len(held)} instances were held back, the manifest has {len(manifest.ran)} that ran; "
            f"lacking: {', '.join(lacking)}"
        )
    return "" if held else "no instance was held back, so there is none to start"
