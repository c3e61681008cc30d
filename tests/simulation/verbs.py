# SPDX-License-Identifier: Apache-2.0
"""Verbs that hand every call on to the simulated world that their parameter names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from blackstart.ports.action import Context, Done, Finding, Outcome
from blackstart.ports.channel import Delivery, Lookup, Message, Uncertain
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef
from tests.simulation.world import World

WORLDS: dict[str, World] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Do something; `gives` becomes the output `value`, or a sealed secret named `seals` does."""

    outputs: ClassVar[Mapping[str, str]] = {"value": "what was given"}
    world: str
    gives: str = "x"
    seals: str = ""

    def preview(self, context: Context) -> str:
        """Say it."""
        return f"would do {context.key}"

    def perform(self, context: Context) -> Outcome:
        """Do it."""
        return WORLDS[self.world].perform(context, self.gives, self.seals)

    def inspect(self, context: Context) -> Finding:
        """Look for it."""
        return WORLDS[self.world].inspect(context, self.gives)

    def undo(self, context: Context) -> Outcome:
        """Take it back."""
        return WORLDS[self.world].undo(context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A check."""

    outputs: ClassVar[Mapping[str, str]] = {"first_service_at": "when", "recovered_to": "when"}
    world: str

    def check(self, context: Context) -> Outcome:
        """Look once."""
        return WORLDS[self.world].check(context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """Remember two users."""

    outputs: ClassVar[Mapping[str, str]] = {"people": "how many"}
    world: str

    def check(self, context: Context) -> Outcome:
        """Remember them."""
        people = tuple(
            AffectedPerson(id=f"u{n}", name=f"User {n}", addresses={"mail": f"u{n}"})
            for n in range(2)
        )
        return Done(outputs={"people": context.remember("affected", people)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A channel that can be asked."""

    address_kind: ClassVar[str] = "chat"
    can_look_up: ClassVar[bool] = True
    world: str

    def send(
        self, message: Message, key: str, address: str, reveal: Callable[[SecretRef], str]
    ) -> Delivery:
        """Send it."""
        return WORLDS[self.world].send(type(self).__name__, key, message)

    def lookup(self, key: str, address: str, reveal: Callable[[SecretRef], str]) -> Lookup:
        """Look for it."""
        return WORLDS[self.world].lookup(type(self).__name__, key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board(Chat):
    """The same, with one place of its own."""

    address_kind: ClassVar[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail(Chat):
    """A channel that cannot be asked."""

    address_kind: ClassVar[str] = "mail"
    can_look_up: ClassVar[bool] = False

    def lookup(self, key: str, address: str, reveal: Callable[[SecretRef], str]) -> Lookup:
        """It cannot be asked; who does all the same is to blame."""
        WORLDS[self.world].blame("mail was asked what became of a letter")
        return Uncertain(reason="it cannot be asked")


VERBS: Mapping[str, type[Any]] = {
    "do.it": Do,
    "look.it": Look,
    "roll.call": Roll,
    "chat.send": Chat,
    "board.post": Board,
    "mail.send": Mail,
}
