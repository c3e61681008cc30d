# SPDX-License-Identifier: Apache-2.0
"""A message that may be there already, over a channel that can be asked and gives no answer yet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blackstart.engine.outbox import deliver
from blackstart.ports.channel import Delivery, Lookup, Message, Uncertain
from blackstart.ports.journal import Journal, QueuedDelivery
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef
from tests.engine_verbs import VERBS, Box
from tests.engine_world import World, close_all, house_in, journal_in, make_world
from tests.journals import notice

Reveal = Callable[[SecretRef], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaf(Box):
    """Takes everything; while the file `deaf` is there it answers nothing."""

    def send(self, message: Message, key: str, address: str, reveal: Reveal) -> Delivery:
        sent = super(Deaf, self).send(message, key, address, reveal)
        return Uncertain(reason="the answer was lost") if self._is_deaf() else sent

    def lookup(self, key: str, address: str, reveal: Reveal) -> Lookup:
        if self._is_deaf():
            return Uncertain(reason="it does not answer")
        return super(Deaf, self).lookup(key, address, reveal)

    def _is_deaf(self) -> bool:
        return (Path(self.folder).parent / "deaf").exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One message to one person, and where it goes."""

    world: World
    journal: Journal

    @property
    def row(self) -> QueuedDelivery:
        return self.journal.deliveries("i1")[0]

    def deliver(self, *, looks_first: bool) -> None:
        house = house_in(self.world, self.journal)
        deliver(house, self.journal, self.row, threading.Event(), looks_first=looks_first)

    def deafen(self, *, is_deaf: bool) -> None:
        path = self.world.root / "deaf"
        path.touch() if is_deaf else path.unlink()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    world = make_world(tmp_path / "w", {**VERBS, "box.send": Deaf})
    journal = journal_in(world)
    journal.remember_people("a", (AffectedPerson(id="u1", name="Ada", addresses={"box": "ada"}),))
    journal.append("i1", "p1", [notice(("u1",))])
    desk = Desk(world=world, journal=journal)
    desk.deafen(is_deaf=True)
    yield desk
    close_all()


def test_what_a_lost_host_may_have_sent_waits_for_an_answer_and_is_sent_once(desk: Desk) -> None:
    desk.deliver(looks_first=True)
    assert (desk.row.state, desk.world.told()) == ("queued", {})
    desk.deliver(looks_first=True)
    assert (desk.row.state, desk.world.told()) == ("queued", {})
    assert desk.row.reason == (
        "the host that was lost may have sent it; asked for it: it does not answer"
    )
    desk.deafen(is_deaf=False)
    desk.deliver(looks_first=True)
    desk.deliver(looks_first=True)
    assert (desk.row.state, list(desk.world.told().values())) == ("accepted", [1])


def test_when_it_never_answers_it_is_refused_so_that_another_channel_takes_it(desk: Desk) -> None:
    for _ in range(40):
        desk.deliver(looks_first=True)
        if desk.row.state != "queued":
            break
    assert (desk.row.state, desk.world.told()) == ("refused", {})


def test_what_we_sent_is_asked_for_until_there_is_an_answer_and_not_sent_again(desk: Desk) -> None:
    for _ in range(3):
        desk.deliver(looks_first=False)
    assert (desk.row.state, list(desk.world.told().values())) == ("queued", [1])
    desk.deafen(is_deaf=False)
    desk.deliver(looks_first=False)
    assert (desk.row.state, list(desk.world.told().values())) == ("accepted", [1])


def test_what_we_sent_and_never_heard_of_is_counted_uncertain(desk: Desk) -> None:
    for _ in range(40):
        desk.deliver(looks_first=False)
        if desk.row.state != "queued":
            break
    assert (desk.row.state, list(desk.world.told().values())) == ("uncertain", [1])
    assert desk.row.reason.startswith("sent, and nobody knows whether it arrived")
