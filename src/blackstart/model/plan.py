# SPDX-License-Identifier: Apache-2.0
"""The plan: what the organisation decided beforehand, as the file `blackstart.yaml` says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from blackstart.model.people import Person, Role, Team
from blackstart.model.runbook import Param, StepSpec


class Mode(StrEnum):
    """Why a procedure runs: for real, on a drill target, or only talked through."""

    RECOVERY = "recovery"
    DRILL = "drill"
    TABLETOP = "tabletop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """What is promised: recovery time and recovery point, both in seconds."""

    rto_s: float = 86_400.0
    rpo_s: float = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """A way to reach people: the provider's verb, its parameters, and what to use when it fails."""

    name: str
    use: str
    params: Mapping[str, Param] = field(default_factory=dict)
    fallback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """A place from which a check can look: the argument list that runs a command there."""

    name: str
    run: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateItem:
    """One thing that must not be lost, its backup, its key and its objective (seconds)."""

    name: str
    backup: str = ""
    restore: str = ""
    check: str = ""
    rpo_s: float = 3_600.0
    not_protected: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a recovery goes. A closed set of values: a drill differs from a recovery only here."""

    name: str
    place: str
    site: str
    address: str
    public_name: str
    values: Mapping[str, Param] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """Who comes back in the same wave; tiers are ordered as written."""

    name: str
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How an outage is noticed: a check, repeated, confirmed after several failures in a row."""

    use: str
    params: Mapping[str, Param] = field(default_factory=dict)
    every_s: float = 30.0
    confirm_after: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What is recovered: its profile, settings, state items, targets and steps.

    `row` is what the list says of it when it is one of many with one entry (`each_of`).
    """

    name: str
    profile: str
    settings: Mapping[str, Param] = field(default_factory=dict)
    state: tuple[StateItem, ...] = ()
    targets: Mapping[str, Target] = field(default_factory=dict)
    tiers: tuple[Tier, ...] = ()
    steps: tuple[StepSpec, ...] = ()
    watch: Watch | None = None
    row: Mapping[str, Param] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The written policy this plan makes real.

    `drill_every_s` is how often each system is drilled; None: the policy does not say. An outage
    that lasts longer than `prolonged_after_s` is a prolonged one: the commander is asked again.
    """

    owner: str
    effective: date
    objectives: Objectives = field(default_factory=Objectives)
    activate_when: tuple[str, ...] = ()
    cadence_s: float = 3_600.0
    prolonged_after_s: float = 3_600.0
    drill_every_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole plan. `digest` is the hash of the file's bytes, pinned when an incident opens."""

    organisation: str
    policy: Policy
    people: Mapping[str, Person]
    roles: Mapping[str, Role]
    teams: Mapping[str, Team] = field(default_factory=dict)
    channels: Mapping[str, ChannelSpec] = field(default_factory=dict)
    vantages: Mapping[str, Vantage] = field(default_factory=dict)
    systems: Mapping[str, System] = field(default_factory=dict)
    digest: str = ""


def has_role(plan: Plan, person: str, role: str) -> bool:
    """Say whether the person holds the role, as first holder or as deputy."""
    return role in plan.roles and person in plan.roles[role].holders
