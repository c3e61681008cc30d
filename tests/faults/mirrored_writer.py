# SPDX-License-Identifier: Apache-2.0
"""A driver that ships while it writes, and says each number once it was acknowledged.

python -m tests.faults.mirrored_writer HOME PLACE...
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from blackstart.bootstrap import open_home
from blackstart.model.errors import BlackstartError
from tests.journals import entries


def main(home: Path, places: list[str]) -> int:
    """Add the places, then append until killed or refused."""
    opened = open_home(home)
    for place in places:
        opened.mirrors.add(place)
    journal = opened.mirrors.guarded_journal
    number = 0
    try:
        with opened.mirrors.shipping(lambda _: None):
            while True:
                number += 1
                (fact,) = journal.append("i1", "driver", entries(1, first=number))
                sys.stdout.write(f"{fact.seq} {time.time():.4f}\n")
                sys.stdout.flush()
    except BlackstartError as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
