# SPDX-License-Identifier: Apache-2.0
"""What one driver holds in memory while it drives an incident; nothing of it has to outlive it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from blackstart.engine.acting import Reins
from blackstart.engine.claiming import Claim
from blackstart.engine.installation import Installation
from blackstart.model.incident import Incident
from blackstart.ports.crew import Hands, Signal, Work
from blackstart.ports.journal import Journal
from blackstart.world.clock import SteadyClock


@dataclass(slots=True, kw_only=True)
class Held:
    """What one driver holds while it drives; all of it can be lost."""

    house: Installation
    clock: SteadyClock
    journal: Journal
    id: str
    stop: Signal
    claim: Claim
    halt: Signal  # for actions: what is under way comes to an end
    over: Signal  # for all: this driver ends
    woken: Signal
    incident: Incident | None = None
    actions: dict[tuple[str, str, str], Work] = field(default_factory=dict)
    reins: dict[tuple[str, str, str], Reins] = field(default_factory=dict)  # of those actions
    sendings: dict[str, Work] = field(default_factory=dict)
    pools: dict[str, Hands] = field(default_factory=dict)
    version: int = -1
    plan: str = ""
    wake_at: datetime | None = None
    again_at: datetime | None = None  # what was in the way may have passed then
    stirred: set[str] = field(default_factory=set)  # runs that something happened to
    hungry: dict[str, None] = field(default_factory=dict)  # runs whose actions wait for free hands
    may_settle: bool = True
    has_taken_up: bool = False
