# SPDX-License-Identifier: Apache-2.0
"""Channels: ways to tell people something, and how sure we can be that it was taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from blackstart.ports.secrets import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one recipient. `tone` is bad, good or neutral, for pages and colours."""

    subject: str
    body: str
    kind: str
    incident: str
    tone: str = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The channel took the message; `receipt` is its own name for it."""

    receipt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The channel did not take it. `again` says whether a later try may do."""

    reason: str
    again: bool
    after_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """It was sent and the answer was lost."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """The channel was asked and does not have it: sending is safe."""


Delivery: TypeAlias = Accepted | Rejected | Uncertain
Lookup: TypeAlias = Accepted | Missing | Uncertain


@runtime_checkable
class Channel(Protocol):
    """A frozen dataclass whose fields are the plan's parameters.

    `address_kind` says which address of a person it uses ("email", "slack"), or "" when it has
    one place of its own (a channel, a page). `can_look_up` says whether `lookup` can tell what
    became of an uncertain message; without it the answer is always Uncertain.
    """

    address_kind: ClassVar[str]
    can_look_up: ClassVar[bool]

    def send(
        self, message: Message, key: str, address: str, reveal: Callable[[SecretRef], str]
    ) -> Delivery:
        """Send once, within a few seconds. `key` is unique for the delivery and travels along."""
        ...

    def lookup(self, key: str, address: str, reveal: Callable[[SecretRef], str]) -> Lookup:
        """Ask the channel whether it has the message with this key."""
        ...
