# SPDX-License-Identifier: Apache-2.0
"""From `kill -9` of the agent to the next action, with a real program under way.

    PYTHONPATH=. python bench/resume.py

Each round the agent is killed while a program of an action runs, and is started again at once. The
clock stops at the first fact that the new agent writes about that action: it has looked at what the
old one left. Start of the program included; the exit code is 1 when the goal is missed.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from blackstart.model import events as ev
from blackstart.ports.journal import Journal
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock, wait_until
from tests.sample_manual import HEAD

COMMAND = str(Path(sys.executable).with_name("blackstart"))
ROUNDS = 9
GOAL_S = 1.0
LIMIT_S = 30.0
STEP = """\
    steps:
      notify_users:
        do:
          - command.run: { argv: [sleep, "600"], traces: TRACES, repeatable: true }
"""


@contextmanager
def agent(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run an agent, and kill it at the end as a power cut would."""
    argv = [COMMAND, "agent", "--home", str(home)]
    running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield running
    finally:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()


def facts_of(journal: Journal, kind: type[ev.Event]) -> int:
    """Return how many facts of this kind the only incident has."""
    (incident,) = (chain for chain in journal.chains() if chain != ev.INSTALLATION)
    return sum(isinstance(fact.event, kind) for fact in journal.read(incident))


def is_under_way(journal: Journal) -> bool:
    """Say whether the program was started."""
    return facts_of(journal, ev.ActionStarted) > 0


def has_looked(journal: Journal, times: int) -> bool:
    """Say whether what was left was looked at more often than so many times."""
    return facts_of(journal, ev.ActionInspected) > times


def say(home: Path, *words: str) -> None:
    """Give a command as the commander."""
    argv = [COMMAND, *words, "--as", "ada", "--home", str(home)]
    subprocess.run(argv, check=True, capture_output=True)


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait for it. Raises TimeoutError."""
    if not wait_until(is_so, timeout_s=LIMIT_S, every_s=0.005):
        raise TimeoutError(f"nothing happened for {LIMIT_S:g} s")


def main() -> int:
    """Print the median beside its goal; return 1 when it is missed."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, home = Path(temporary), Path(temporary) / "home"
        plan = folder / "blackstart.yaml"
        plan.write_text(HEAD + STEP.replace("TRACES", str(folder / "traces")))
        say(home, "report", "shop", "--summary", "gone", "--plan", str(plan))
        journal = open_journal(home / "journal.db", SystemClock())
        with agent(home):
            wait_for(lambda: facts_of(journal, ev.AskOpened) > 0)
            say(home, "acknowledge", ".")
            say(home, "activate", ".", "--why", "it is gone")
            wait_for(partial(is_under_way, journal))
        took_s = []
        for number in range(ROUNDS):
            began_s = time.perf_counter()
            with agent(home):
                wait_for(partial(has_looked, journal, number))
                took_s.append(time.perf_counter() - began_s)
        journal.close()
    median_s = statistics.median(took_s)
    print(
        f"death to next action  {median_s:.2f} s median of {ROUNDS}, {max(took_s):.2f} s at most "
        f"(goal <= {GOAL_S:g} s)"
    )
    return int(median_s > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
