# SPDX-License-Identifier: Apache-2.0
"""How long `blackstart status` takes on an incident of 10,000 facts: the real command, each time.

    python bench/status.py

The incident is what a long one looks like: days of questions chased and answered, notices to users
and steps ordered again after failures. The exit code is 1 when the goal is missed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, count, islice
from pathlib import Path

from blackstart.model import events as ev
from blackstart.ports.journal import Entry
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock

FACTS = 10_000
ROUNDS = 7
GOAL_S = 0.3
INCIDENT = "20261123-031415-flowfuse-cloud-ab12"
RUN = f"{INCIDENT}.r1"
AT = datetime(2026, 11, 23, 3, 14, 15, tzinfo=UTC)
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
COMMAND = Path(sys.executable).with_name("blackstart")


def beginning() -> Iterator[ev.Event]:
    """Yield the facts that open the incident and start its run."""
    yield ev.IncidentReported(
        systems=("flowfuse-cloud",),
        mode="drill",
        target="drill",
        summary="flowfuse-cloud: the public name does not answer",
        outage_start=AT,
        plan=DIGEST,
    )
    yield ev.RunStarted(
        run=RUN, system="flowfuse-cloud", target="drill", mode="drill", marker=RUN, runbook=DIGEST
    )


def one_round(number: int) -> Iterator[ev.Event]:
    """Yield ten facts: a question, a notice, and a step that was ordered again and failed."""
    ask, notice = f"question:{number}", f"update:{number}:users:affected"
    step, action = "restore_data", "database"
    key = f"{RUN}/{step}/{action}/{number}"
    due = AT + timedelta(minutes=number)
    yield ev.AskOpened(
        ask=ask,
        kind="question",
        text="Which customers have reported loss, and since when?",
        role="engineering",
        persons=("p4",),
        due_at=due,
        facts=("the database is lost", "the newest backup is 4 min old"),
    )
    yield ev.AskEscalated(ask=ask, person="p5", was_due_at=due, due_at=due + timedelta(minutes=10))
    yield ev.NoticeQueued(
        notice=notice,
        kind="update",
        channel="users",
        audience="affected",
        recipients=412,
        subject="FlowFuse Cloud is unavailable",
        body=DIGEST,
        run=RUN,
        step="notify_users",
    )
    yield ev.NoticeSettled(notice=notice, accepted=410, refused=2, uncertain=0, receipt=DIGEST)
    yield ev.StepStarted(run=RUN, step=step)
    yield ev.ActionStarted(run=RUN, step=step, action=action, attempt=number, key=key)
    yield ev.ActionInspected(run=RUN, step=step, action=action, key=key, finding="not_done")
    yield ev.ActionEnded(
        run=RUN,
        step=step,
        action=action,
        key=key,
        outcome="failed",
        evidence=(DIGEST, DIGEST),
        sightings=(ev.Sighting(subject="database", condition="lost", seen="no answer"),),
        summary="the repository did not answer within 30 s",
        hint="Look at the repository's host, then retry.",
    )
    yield ev.StepEnded(run=RUN, step=step, outcome="failed", reason="the repository did not answer")
    if number % 50:
        yield ev.AskAnswered(ask=ask, answer="None so far.", by="p4", why="asked support")


def fill(folder: Path) -> int:
    """Write the incident into a new installation; return how many facts it has."""
    journal = open_journal(folder / "journal.db", SystemClock())
    events = chain(beginning(), chain.from_iterable(one_round(n) for n in count(1)))
    wanted = list(islice(events, FACTS))
    for batch in (wanted[at : at + 500] for at in range(0, FACTS, 500)):
        journal.append(INCIDENT, "bench", [Entry(event=event) for event in batch])
    facts = journal.version()
    journal.close()
    return facts


def once(folder: Path) -> float:
    """Return the seconds that one call takes. Raises CalledProcessError when it fails."""
    began = time.perf_counter()
    subprocess.run([COMMAND, "status", "--home", folder], check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> int:
    """Print the median beside its goal; return 1 when it is missed."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        facts = fill(folder)
        took_s = statistics.median(once(folder) for _ in range(ROUNDS))
    print(
        f"status, {facts:,} facts  {took_s:.3f} s median of {ROUNDS} processes (goal <= {GOAL_S} s)"
    )
    return int(took_s > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
