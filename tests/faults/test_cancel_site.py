# SPDX-License-Identifier: Apache-2.0
"""What a person ends is ended in a site too: nothing of the program is left among its processes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from blackstart.ports.action import Failed, Outcome
from blackstart.providers.command import Run
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import residents
from blackstart.world.sites import Site, create_site, destroy_site
from tests.faults.test_cancel import STUBBORN
from tests.provider_stage import MARKER, Stage

pytestmark = pytest.mark.platform


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    place = tmp_path / "run" / "sites"
    place.parent.mkdir(mode=0o711)
    with ExitStack() as ends:
        made = create_site(
            place,
            "guest",
            address="10.71.0.1",
            marker=MARKER,
            purpose="sandbox",
            hub=None,
            usr=None,
            nameserver=None,
            dies_with_us=True,
        )
        ends.callback(destroy_site, made)
        yield made


def stubborn_in(site: Site) -> list[int]:
    return [one.pid for one in residents(site) if "python" in one.command]


@pytest.mark.parametrize("is_left", [False, True])
def test_a_program_in_a_site_ends_with_all_that_it_started(site: Site, is_left: bool) -> None:
    (site.directory / "pids").mkdir(mode=0o777)
    command = Run(
        argv=(sys.executable, "-c", STUBBORN, str(site.directory / "pids")),
        place=str(site.directory.parent),
        site=site.name,
    )
    stage, ended = Stage(), list[Outcome]()
    worker = threading.Thread(target=lambda: ended.append(command.perform(stage.context())))
    worker.start()
    assert wait_until(lambda: len(stubborn_in(site)) == 3, timeout_s=20)
    if is_left:  # as the next driver finds it, whose own work it is not
        command.cancel(stage.context())
    else:
        stage.is_cancelled = True
    worker.join(20)
    assert isinstance(ended[0], Failed)
    assert wait_until(lambda: stubborn_in(site) == [], timeout_s=20)
