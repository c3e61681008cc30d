# SPDX-License-Identifier: Apache-2.0
"""One desk for each implementation of the journal. A new one adds a line to IMPLEMENTATIONS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blackstart.ports.clock import Clock
from blackstart.ports.journal import Journal
from blackstart.store.sqlite import open_journal
from tests.journals import SetClock


def sqlite_at(folder: Path, clock: Clock) -> Journal:
    return open_journal(folder / "home" / "journal.db", clock)


IMPLEMENTATIONS: dict[str, Callable[[Path, Clock], Journal]] = {"sqlite": sqlite_at}


@dataclass(kw_only=True)
class Desk:
    """A journal, its clock, and the means to open the same journal once more."""

    clock: SetClock
    journal: Journal
    open_again: Callable[[], Journal]


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    clock = SetClock()
    opened: list[Journal] = []

    def open_again() -> Journal:
        opened.append(IMPLEMENTATIONS[request.param](tmp_path, clock))
        return opened[-1]

    yield Desk(clock=clock, journal=open_again(), open_again=open_again)
    for journal in opened:
        journal.close()
