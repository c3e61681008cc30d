# SPDX-License-Identifier: Apache-2.0
"""The machine is restarted in the middle of a recovery: processes and namespaces gone, files there.

What the next agent finds is never half attached: it stops, says in one sentence what to do, and
after that the environment is made anew, with all that stood on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.day import Day, play_day
from tests.chaos.deaths import Death, Kind
from tests.postgres_bench import running_postgres

pytestmark = pytest.mark.platform


def restart(after_facts: int) -> Death:
    return Death(kind=Kind.REBOOT, facts=after_facts, after_s=0.0, pause_s=0.02)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that the users of the sites may enter; tmp_path is for root alone."""
    with TemporaryDirectory(prefix="blackstart-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_the_environment_is_made_anew_after_a_restart_of_the_machine(open_folder: Path) -> None:
    with running_postgres(open_folder / "postgres") as server:

        def played(number: int, ahead: list[Death], calm: Day | None) -> Day:
            return play_day(
                open_folder,
                server,
                seed=1,
                number=number,
                ahead=ahead,
                undisturbed=calm.end if calm else None,
            )

        calm = played(0, [], None)
        # In the middle of making it, soon after, and when all of it stands.
        hit = [played(n, [restart(n), restart(9)], calm) for n in (38, 48, 60)]
    assert calm.problems == ()
    for day in hit:
        assert day.problems == (), day
        assert [one.death.kind for one in day.dealt] == [Kind.REBOOT, Kind.REBOOT]
