# SPDX-License-Identifier: Apache-2.0
"""Verbs that leave marks in a folder: every effect is a file named by its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from blackstart.model import events as ev
from blackstart.model.runbook import Param
from blackstart.ports.action import Context, Done, Failed, Finding, NotDone, Outcome
from blackstart.ports.channel import Accepted, Delivery, Lookup, Message, Missing, Rejected
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef

AT = datetime(2026, 11, 23, 3, 14, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Leave a mark named by the key; `gives` becomes the output `value`, `worse` degrades it."""

    outputs: ClassVar[Mapping[str, str]] = {"value": "what was given"}
    folder: str
    gives: str = "x"
    fails_while: str = ""
    worse: str = ""

    def preview(self, context: Context) -> str:
        """Say it."""
        return f"would leave {context.key}"

    def perform(self, context: Context) -> Outcome:
        """Leave the mark; a second mark under the same key is kept as such."""
        if self.fails_while and Path(self.fails_while).exists():
            return Failed(summary="the world is not ready", hint="make it ready, then retry")
        with (Path(self.folder) / context.key.replace("/", "~")).open("a") as mark:
            mark.write(f"{self.gives}\n")
        return Done(summary="left a mark", degraded=self.worse, outputs={"value": self.gives})

    def undo(self, context: Context) -> Outcome:
        """Remove every mark of this run, step and action; the key's attempt does not matter."""
        if (Path(self.folder).parent / "cannot-undo").exists():
            return Failed(summary="it is held", hint="let it go")
        stem = context.key.rpartition("/")[0].replace("/", "~")
        for mark in Path(self.folder).glob(f"{stem}~*"):
            mark.unlink()
        return Done(summary="removed")

    def inspect(self, context: Context) -> Finding:
        """Look for the mark."""
        mark = Path(self.folder) / context.key.replace("/", "~")
        if not mark.exists():
            return NotDone()
        return Done(summary="found", degraded=self.worse, outputs={"value": self.gives})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A check that is content while no file says otherwise."""

    outputs: ClassVar[Mapping[str, str]] = {"first_service_at": "when", "recovered_to": "when"}
    fails_while: str = ""

    def check(self, context: Context) -> Outcome:
        """Look once."""
        if self.fails_while and Path(self.fails_while).exists():
            return Failed(summary="it does not answer", hint="look at it")
        now = context.now().isoformat()
        return Done(
            summary="it answers",
            outputs={"first_service_at": now, "recovered_to": AT.isoformat()},
            sightings=(ev.Sighting(subject="database", condition="lost", seen="no answer"),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """A check that leaves customers something to do."""

    outputs: ClassVar[Mapping[str, str]] = {
        "by_customer": "what each has to do",
        "changed": "what we changed",
    }
    by_customer: Mapping[str, tuple[str, ...]]

    def check(self, context: Context) -> Outcome:
        """Say what is theirs."""
        theirs: dict[str, Param] = {who: [*what] for who, what in self.by_customer.items()}
        return Done(outputs={"by_customer": theirs, "changed": ["broker.shop A"]})


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """Remember two users."""

    outputs: ClassVar[Mapping[str, str]] = {"people": "how many"}

    def check(self, context: Context) -> Outcome:
        """Remember them."""
        people = (
            AffectedPerson(id="u1", name="Ada", addresses={"box": "ada"}, teams=("Growers",)),
            AffectedPerson(id="u2", name="Ben", addresses={"box": "ben"}),
        )
        return Done(outputs={"people": context.remember("affected", people)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A channel that keeps what it gets in a folder and can be asked."""

    address_kind: ClassVar[str] = "box"
    can_look_up: ClassVar[bool] = True
    folder: str
    refuses_while: str = ""

    def send(
        self, message: Message, key: str, address: str, reveal: Callable[[SecretRef], str]
    ) -> Delivery:
        """Keep it."""
        if self.refuses_while and Path(self.refuses_while).exists():
            return Rejected(reason="the box is shut", again=False)
        with (Path(self.folder) / key.replace("/", "~")).open("a") as letter:
            letter.write(f"{address}|{message.subject}\n")
        return Accepted(receipt=key)

    def lookup(self, key: str, address: str, reveal: Callable[[SecretRef], str]) -> Lookup:
        """Look for it."""
        letter = Path(self.folder) / key.replace("/", "~")
        return Accepted(receipt=key) if letter.exists() else Missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Board(Box):
    """The same, with one place of its own."""

    address_kind: ClassVar[str] = ""


VERBS: Mapping[str, type[Any]] = {
    "touch.it": Touch,
    "look.it": Look,
    "leave.it": Leave,
    "roll.call": Roll,
    "box.send": Box,
    "board.post": Board,
}
