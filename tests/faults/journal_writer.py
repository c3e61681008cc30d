# SPDX-License-Identifier: Apache-2.0
"""A program that appends to a journal and says each number once it was acknowledged.

    python -m tests.faults.journal_writer JOURNAL CHAIN COUNT [own]

It waits for a line on its input first, so that several can be let go at once. With `own` it reads
the end of the chain itself and appends only if nobody came in between.
"""

from __future__ import annotations

import sys
from pathlib import Path

from blackstart.model.errors import BlackstartError, Refused
from blackstart.ports.journal import Journal
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock
from tests.journals import entries


def append_after_reading(journal: Journal, chain: str) -> int:
    """Append one fact whose number is one more than that of the last fact that was read."""
    while True:
        facts = journal.read(chain)
        try:
            (fact,) = journal.append(
                chain, "writer", entries(1, first=len(facts) + 1), expect_seq=len(facts)
            )
        except Refused:
            continue
        return fact.seq


def main(path: Path, chain: str, count: int, *, reads_first: bool) -> int:
    """Append `count` facts; print each number, or the error that ended it."""
    try:
        journal = open_journal(path, SystemClock(), patience_s=30.0)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        for number in range(1, count + 1):
            if reads_first:
                seq = append_after_reading(journal, chain)
            else:
                seq = journal.append(chain, "writer", entries(1, first=number))[-1].seq
            sys.stdout.write(f"{seq}\n")
            sys.stdout.flush()
        journal.close()
    except BlackstartError as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(
        main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), reads_first="own" in sys.argv[4:])
    )
