# SPDX-License-Identifier: Apache-2.0
"""What a provider is given in a test: a context whose every sink can be read afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field

from blackstart.model.codec import digest_of
from blackstart.model.plan import Target
from blackstart.ports.action import Context
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef
from blackstart.world.clock import SystemClock, countdown

KEY = "inc-1/run-1/step/act/1"
MARKER = "run-1"
TARGET = Target(
    name="drill",
    place="/nowhere",
    site="recovery",
    address="127.0.0.1",
    public_name="app.flowfuse.test",
)


@dataclass
class Stage:
    """Secrets to reveal, and what the provider kept, sealed, remembered and told."""

    secrets: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, bytes] = field(default_factory=dict)
    people: dict[str, tuple[AffectedPerson, ...]] = field(default_factory=dict)
    ticks: list[tuple[float, float, str]] = field(default_factory=list)
    is_cancelled: bool = False

    def reveal(self, ref: SecretRef) -> str:
        return self.secrets[ref.name]

    def context(self, *, key: str = KEY, marker: str = MARKER, limit_s: float = 60.0) -> Context:
        clock = SystemClock()
        return Context(
            key=key,
            marker=marker,
            target=TARGET,
            left_s=countdown(clock, limit_s),
            now=clock.now,
            cancelled=lambda: self.is_cancelled,
            progress=lambda done, total, unit: self.ticks.append((done, total, unit)),
            keep=self._keep,
            seal=self._seal,
            reveal=self.reveal,
            remember=self._remember,
            verified_points=lambda _: (),
        )

    def _keep(self, name: str, content: bytes) -> str:
        self.evidence[name] = content
        return digest_of(content)

    def _seal(self, name: str, value: str) -> SecretRef:
        ref = SecretRef(f"secret:run/{name}")
        self.secrets.setdefault(ref.name, value)
        return ref

    def _remember(self, audience: str, people: tuple[AffectedPerson, ...]) -> int:
        self.people[audience] = people
        return len(people)
