# SPDX-License-Identifier: Apache-2.0
"""The driver dies before and after each write of a whole incident, and the end is the same.

A death is a BaseException out of the journal: nothing of the engine may catch it. What was
performed is counted in the world, not in the record.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blackstart.engine.runner import drive
from blackstart.model.incident import Incident, fold
from blackstart.model.states import IncidentState, StepState
from blackstart.ports.action import Context, Finding, NotDone
from blackstart.ports.journal import Journal
from tests.engine_people import at_gate, stand_down
from tests.engine_verbs import VERBS, Touch
from tests.engine_world import (
    ANSWERS,
    INCIDENT,
    World,
    answer_all,
    close_all,
    drive_to_end,
    house_in,
    is_told,
    journal_in,
    make_world,
    report,
)

STRIDE = int(os.environ.get("BLACKSTART_STRIDE", "7"))  # 1 dies at every single write


@pytest.fixture(autouse=True)
def _journals_are_closed() -> Iterator[None]:
    yield
    close_all()


class Died(BaseException):
    """The process is gone."""


class Deadly:
    """A journal that lets the process die before or after its n-th write."""

    def __init__(self, inner: Journal, countdown: list[int], when: str) -> None:
        self._inner = inner
        self._countdown = countdown
        self._when = when

    def with_fence(self, incident: str, token: int) -> "Deadly":
        return Deadly(self._inner.with_fence(incident, token), self._countdown, self._when)

    def append(self, *args: Any, **named: Any) -> Any:
        return self._dying(lambda: self._inner.append(*args, **named))

    def move_delivery(self, *args: Any, **named: Any) -> Any:
        return self._dying(lambda: self._inner.move_delivery(*args, **named))

    def _dying(self, write: Callable[[], Any]) -> Any:
        self._countdown[0] -= 1
        if self._countdown[0] < 0 or (self._countdown[0] == 0 and self._when == "before"):
            raise Died
        result = write()
        if self._countdown[0] == 0:
            raise Died
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def count_writes(folder: Path) -> int:
    world = make_world(folder)
    journal = journal_in(world)
    report(journal)
    countdown = [10**9]
    live(world, Deadly(journal, countdown, "after"))
    return 10**9 - countdown[0]


def live(world: World, journal: Deadly) -> Incident | None:
    """Drive until the end or the death; None when it died."""
    stop = threading.Event()
    people_journal = journal_in(world)
    people = threading.Thread(target=answer_all, args=(world, people_journal, stop, ANSWERS))
    limit = threading.Timer(20.0, stop.set)
    people.start()
    limit.start()
    try:
        return drive(
            house_in(world, journal), INCIDENT, stop, lambda i: is_told(i) or stood_down(i)
        )
    except Died:
        return None
    finally:
        limit.cancel()
        stop.set()
        people.join()
        people_journal.close()


def assert_same_end(world: World, incident: Incident) -> None:
    run = next(iter(incident.runs.values()))
    assert incident.state is IncidentState.RESTORED
    amiss = {n: (s.state, s.reason) for n, s in run.steps.items() if s.state != StepState.VERIFIED}
    assert amiss == {}
    assert len(world.done()) == 4
    assert set(world.done().values()) == {1}, "an effect was made twice"
    assert set(world.told().values()) == {1}, "somebody was told twice"
    assert all(n.settled and n.settled.uncertain == 0 for n in incident.notices.values())


def die_and_go_on(folder: Path, number: int, when: str, verbs: Mapping[str, Any] = VERBS) -> None:
    """Die at the n-th write, go on in a second process, and compare the end."""
    world = make_world(folder, verbs)
    journal = journal_in(world)
    report(journal)
    live(world, Deadly(journal, [number], when))
    journal.close()
    again = journal_in(world)
    again.release(INCIDENT, "test")
    incident = drive_to_end(world, again, holder="second")
    assert_same_end(world, incident)
    assert again.verify() == ()
    assert fold(again.read(INCIDENT)).seq == incident.seq
    again.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_dying_at_any_write_leads_to_the_same_end(tmp_path: Path, when: str) -> None:
    writes = count_writes(tmp_path / "count")
    assert writes > 50
    for number in range(1, writes + 1, STRIDE):
        die_and_go_on(tmp_path / str(number), number, when)


def die_at_each(folder: Path, writes: int, verbs: Mapping[str, Any]) -> None:
    # Every write; those of the actions, where a lie shows, lie in the middle and come first.
    first = writes // 3
    for number in (*range(first, writes + 1), *range(1, first)):
        die_and_go_on(folder / str(number), number, "before", verbs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetful(Touch):
    """A planted defect: it does the work and then says that nothing was done."""

    def inspect(self, context: Context) -> Finding:
        """Lie."""
        return NotDone(note=context.key)


def test_an_action_that_lies_about_its_work_is_caught_by_this_test(tmp_path: Path) -> None:
    verbs = {**VERBS, "touch.it": Forgetful}
    writes = count_writes(tmp_path / "count")
    with pytest.raises(AssertionError, match="an effect was made twice"):
        die_at_each(tmp_path, writes, verbs)


def stood_down(incident: Incident) -> bool:
    return (
        "signoff" in incident.asks
        and {run.outcome for run in incident.runs.values()} == {"stood_down"}
        and all(notice.settled for notice in incident.notices.values())
    )


def test_dying_at_any_write_of_a_stand_down_leaves_nothing_behind(tmp_path: Path) -> None:
    for number in range(1, 60, max(1, STRIDE // 2)):
        world = make_world(tmp_path / str(number))
        journal = journal_in(world)
        report(journal)
        at_gate(world, journal)
        stand_down(world, journal)
        countdown = [number]
        live(world, Deadly(journal, countdown, "after"))
        journal.close()
        again = journal_in(world)
        again.release(INCIDENT, "test")
        drive_to_end(world, again, says={}, holder="second", is_enough=stood_down)
        assert world.done() == {}
        assert set(world.told().values()) == {1}
        again.close()
        if countdown[0] > 0:
            return  # it lived to the end: every write was died at
    raise AssertionError("a stand-down has fewer writes than that")
