# SPDX-License-Identifier: Apache-2.0
"""Makes sure, before anything is done, that no later generation has taken over.

Whoever drives asks before it takes its claim and before each write; because every effect is
recorded before it begins, that is before each effect. The answer of any one mirror will do, and
holds for a few seconds. When no mirror answers, whoever drives goes on driving: a recovery must
not wait for its mirrors. Whoever only begins (or slept) does not: it may be the one that was
replaced while it lay dead. A person who knows better says so (`alone`).

Who slept is told by the kernel's clock that never jumps and goes on in a suspended machine. A wall
clock that jumps says nothing about it: it makes the mirrors be asked, and no more.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from blackstart.model.errors import BlackstartError, Refused, Superseded
from blackstart.ports.clock import Clock
from blackstart.ports.depot import Depot
from blackstart.store.database import Database
from blackstart.store.generation import note_superseded, standing_of, superseded
from blackstart.store.mirror_progress import last_heard, note_heard
from blackstart.store.mirror_reading import newest_generation

FRESH_S = 5.0
_ANSWER_WITHIN_S = 4.0
STOPPED_WITHIN_S = FRESH_S + _ANSWER_WITHIN_S  # of a later generation: an answer from before it,
# which came as late as it may, holds no longer
_SLEPT_S = 60.0  # whoever did not look for so long begins anew
_GRACE = timedelta(minutes=10)  # an agent that is started again while its mirrors are away


class Tenure:
    """Whether this installation is still the one in force. For several threads."""

    def __init__(
        self, database: Database, depots: Sequence[Depot], clock: Clock, *, alone: bool = False
    ) -> None:
        self._database = database
        self._depots = tuple(depots)
        self._clock = clock
        self._alone = alone
        self._looked: tuple[float, float] | None = None  # boot time and wall, of the last look
        self._is_answered = False
        self._fault: Superseded | None = None
        self._aside: threading.Thread | None = None
        self._guard = threading.Lock()

    def follow(self, depots: Sequence[Depot]) -> None:
        """Ask these mirrors from now on: the list has changed since we began."""
        with self._guard:
            self._depots = tuple(depots)

    def confirm(self) -> None:
        """Return when this installation may act.

        Raises Superseded when a later generation has taken over, Refused when it only begins and
        no mirror can be asked. Waits for mirrors when it begins or slept, or once when those that
        answered fall silent; while none answers it is asked aside.
        """
        if not self._depots:
            return
        with self._guard:
            since_s = self._since_look_s()
            is_stale = since_s is None or max(since_s, self._wall_moved_s()) > FRESH_S
            if since_s is None or since_s > _SLEPT_S or (is_stale and self._is_answered):
                self._judge(self._answers(), since_s)
            elif is_stale and not (self._aside and self._aside.is_alive()):
                self._aside = threading.Thread(target=self._look_aside, daemon=True)
                self._aside.start()
            if self._fault is not None:
                raise self._fault

    def _look_aside(self) -> None:
        answers = self._answers()
        with self._guard, contextlib.suppress(BlackstartError):
            self._judge(answers, self._since_look_s())

    def _since_look_s(self) -> float | None:
        """Return how old the last look is, sleep included; None before the first."""
        return None if self._looked is None else self._clock.boottime_s() - self._looked[0]

    def _wall_moved_s(self) -> float:
        """Return how far the wall clock is from where it was at the last look."""
        return 0.0 if self._looked is None else abs(self._clock.now().timestamp() - self._looked[1])

    def _judge(self, answers: Mapping[str, int], since_s: float | None) -> None:
        with self._database.reading() as connection:
            standing = standing_of(connection)
            heard = last_heard(connection)
        newest = max((standing.superseded_by, *answers.values()))
        if newest > standing.generation:
            self._database.write(lambda connection: note_superseded(connection, newest))
            self._fault = superseded(standing.generation, newest)
            raise self._fault
        now = self._clock.now()
        self._note_heard(answers, now)
        goes_on = since_s is not None and since_s <= _SLEPT_S
        was_heard = heard is not None and timedelta(0) <= now - heard <= _GRACE
        if not (answers or goes_on or was_heard or self._alone):
            raise Refused(
                "No mirror answers, so nobody can say whether this installation was replaced "
                f"while it was away: {', '.join(depot.name for depot in self._depots)}.",
                "Make one of them reachable. If you know that it was brought back nowhere else, "
                "repeat with --alone.",
            )
        self._is_answered = bool(answers)
        self._looked = self._clock.boottime_s(), now.timestamp()

    def _note_heard(self, names: Mapping[str, int], now: datetime) -> None:
        def note(connection: sqlite3.Connection) -> None:
            for name in names:
                note_heard(connection, name, now)

        if names:
            self._database.write_lightly(note)

    def _answers(self) -> dict[str, int]:
        """Ask all mirrors at once; return the newest generation by mirror, of those that answer.

        The threads are left behind when they hang: nothing may wait for a mirror.
        """
        found: dict[str, int] = {}
        left = threading.Semaphore(0)

        def ask(depot: Depot) -> None:
            try:
                newest = newest_generation(depot)
                if newest:  # else nothing lies there: a mount that is missing, say
                    found[depot.name] = newest
            except BlackstartError:
                return
            finally:
                left.release()

        for depot in self._depots:
            threading.Thread(target=ask, args=(depot,), daemon=True).start()
        deadline_s = self._clock.monotonic_s() + _ANSWER_WITHIN_S
        for _ in self._depots:
            left.acquire(timeout=max(0.0, deadline_s - self._clock.monotonic_s()))
        return dict(found)
