# SPDX-License-Identifier: Apache-2.0
"""Children of an action whose runner dies by kill -9, in a real site: dead with it, or found again.

What every provider says of its children is the table of docs/PROVIDER_GUIDE.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from blackstart.ports.action import Action, Done, Partial, Running
from blackstart.providers.command import Run
from blackstart.providers.program import Start
from blackstart.providers.site import Create
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.sites import Site, create_site, destroy_site
from tests.killed import kill_runner, pids_of
from tests.provider_stage import MARKER, Stage

pytestmark = pytest.mark.platform
FIRST, SECOND = "inc-1/run-1/step/act/1", "inc-1/run-1/step/act/2"
SLEEPING = ("sh", "-c", "echo begun >> $0; sleep 97; echo ended >> $0")
ALONE = ("sh", "-c", "echo begun >> $0; exec sleep 97")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with TemporaryDirectory(prefix="blackstart-") as folder, ExitStack() as ends:
        Path(folder).chmod(0o755)
        made = create_site(
            Path(folder) / "sites",
            "recovery",
            address="10.70.0.9",
            marker=MARKER,
            purpose="recovered",
            hub=None,
            usr=None,
            nameserver=None,
            dies_with_us=True,
        )
        ends.callback(destroy_site, made)
        (made.directory / "app").mkdir(mode=0o755)
        yield made


def kill_first(action: Action, is_time: Callable[[], object]) -> None:
    """Kill whoever performs the first attempt, when it is time."""
    kill_runner(action, Stage(), FIRST, is_time)


def sleeping(site: Site) -> list[int]:
    """Return the sleeps of our commands; the site's own init sleeps longer."""
    return pids_of(site, "sleep", "97")


def in_site(site: Site, argv: tuple[str, ...]) -> Run:
    return Run(
        argv=(*argv, str(site.directory / "app" / "said")),
        place=str(site.directory.parent),
        site=site.name,
        repeatable=True,
    )


def test_a_command_in_a_site_dies_with_its_runner(site: Site) -> None:
    action = in_site(site, ALONE)
    kill_first(action, lambda: sleeping(site))
    assert wait_until(lambda: sleeping(site) == [], timeout_s=10)
    assert isinstance(action.inspect(Stage().context(key=FIRST)), Partial)


def test_what_a_command_in_a_site_had_forked_is_waited_for(site: Site) -> None:
    action, context = in_site(site, SLEEPING), Stage().context(key=FIRST)
    kill_first(action, lambda: sleeping(site))
    (left,) = sleeping(site)
    found = action.inspect(context)
    assert isinstance(found, Running)
    assert str(left) in found.note
    process.end(left, process.started_ticks(left) or 0, grace_s=0)
    assert isinstance(action.inspect(context), Partial)


def test_a_server_lives_with_its_site_and_is_not_doubled(site: Site) -> None:
    argv = (sys.executable, "-m", "http.server", "8099", "--bind", "127.0.0.1")
    start = Start(
        place=str(site.directory.parent),
        site=site.name,
        name="web",
        argv=argv,
        page="http://127.0.0.1:8099/is-not-there",
        user="svc",
    )
    kill_first(start, lambda: pids_of(site, "python"))
    (left,) = pids_of(site, "python")
    assert isinstance(start.inspect(Stage().context(key=FIRST)), Partial)
    (site.directory / "run" / "web.json").unlink(missing_ok=True)  # it may have died before
    served = Start(
        place=start.place, site=start.site, name="web", argv=argv, page=start.page, status=404
    )
    done = served.perform(Stage().context(key=SECOND))
    assert isinstance(done, Done), done
    assert pids_of(site, "python") == [done.outputs["pid"]]
    assert process.started_ticks(left) is None


def inits_of(folder: Path) -> list[int]:
    """Return the init processes that were started for the site of this folder."""
    script = str(folder / "etc" / "init.sh")
    found = []
    for path in Path("/proc").iterdir():
        with suppress(OSError):
            words = (path / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if words[:2] == ["bash", script]:
                found.append(int(path.name))
    return found


@pytest.mark.parametrize("there", ["site.json", "etc/init.sh", "etc/ready"])
def test_a_site_whose_maker_died_is_made_anew_and_not_doubled(there: str) -> None:
    with TemporaryDirectory(prefix="blackstart-") as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "sites"
        create = Create(place=str(place), site="recovery", address="10.70.0.9", hub="")
        kill_first(create, (place / "recovery" / there).exists)
        assert isinstance(create.inspect(Stage().context(key=FIRST)), Partial)
        done = create.perform(Stage().context(key=SECOND))
        try:
            assert isinstance(done, Done), done
            assert len(inits_of(place / "recovery")) == 1
        finally:
            assert isinstance(create.undo(Stage().context(key=SECOND)), Done)
        assert inits_of(place / "recovery") == []
