# SPDX-License-Identifier: Apache-2.0
"""Sites are hosts of their own, and nothing of them is left when they end, however they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from blackstart.sandbox.layout import Layout, new_run
from blackstart.sandbox.sweep import sweep
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import call_in_network, residents
from blackstart.world.sites import (
    Site,
    SiteExists,
    create_site,
    destroy_site,
    inside,
    list_sites,
    load_site,
    start_inside,
)

pytestmark = pytest.mark.platform


@dataclass(frozen=True)
class Pair:
    """Two sites on one network."""

    place: Path
    hub: Site
    guest: Site


def _create(place: Path, name: str, address: str, hub: Site | None, *, dies: bool) -> Site:
    return create_site(
        place,
        name,
        address=address,
        marker="test",
        purpose="sandbox",
        hub=hub,
        usr=None,
        nameserver=None,
        dies_with_us=dies,
    )


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    place = tmp_path / "run" / "sites"
    place.parent.mkdir(mode=0o711)
    with ExitStack() as ends:
        hub = _create(place, "hub", "10.70.0.1", None, dies=True)
        ends.callback(destroy_site, hub)
        guest = _create(place, "guest", "10.70.0.2", hub, dies=True)
        ends.callback(destroy_site, guest)
        yield Pair(place, hub, guest)


def _ask(site: Site, *argv: str, user: str = "root") -> str:
    return process.run(inside(site, argv, user=user), timeout_s=10).text.strip()


def _traces(needle: str) -> dict[str, list[str]]:
    """Everything on this machine that names the run: processes, mounts, control groups."""
    names = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    commands = [
        f"{path.name} {text}"
        for path in names
        if path.name != str(os.getpid())
        and needle in (text := _read(path / "cmdline"))
        and process.started_ticks(int(path.name)) is not None
    ]
    mounts = [line for line in _read(Path("/proc/self/mounts")).splitlines() if needle in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").rglob("blackstart/*/*") if path.is_dir()]
    return {"processes": commands, "mounts": mounts, "groups": groups}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").replace("\0", " ")
    except OSError:
        return ""


def _links() -> str:
    return subprocess.run(["ip", "-br", "link"], check=True, capture_output=True, text=True).stdout


def _listeners() -> str:
    return subprocess.run(["ss", "-Hltn"], check=True, capture_output=True, text=True).stdout


def test_a_site_has_its_own_name_processes_users_and_network(pair: Pair) -> None:
    assert _ask(pair.guest, "hostname") == "guest"
    assert _ask(pair.guest, "id", "-un", user="postgres") == "postgres"
    assert "10.70.0.2/24" in _ask(pair.guest, "ip", "-br", "addr")
    assert set(_ask(pair.guest, "ls", "/proc").split()) & {"1"}
    assert str(os.getpid()) not in _ask(pair.guest, "ls", "/proc").split()


def test_sites_reach_each_other_and_the_host_shows_nothing_of_it(pair: Pair) -> None:
    listening = call_in_network(pair.hub, lambda: socket.create_server(("10.70.0.1", 7001)))
    with listening:
        call_in_network(
            pair.guest, lambda: socket.create_connection(("10.70.0.1", 7001), timeout=2)
        ).close()
        assert ":7001" not in _listeners()
        assert "br0" not in _links()


def test_a_service_writes_its_log_and_low_ports_are_open_to_its_user(pair: Pair) -> None:
    program = "import socket; socket.create_server(('', 53)); print('ready', flush=True); input()"
    script = ["sh", "-c", f'sleep 100 | {sys.executable} -c "{program}"']

    pid = start_inside(pair.guest, "names", script, user="svc")

    log = pair.guest.directory / "log" / "names.log"
    assert wait_until(lambda: log.read_text() == "ready\n", timeout_s=10)
    assert pid in {one.pid for one in residents(pair.guest)}


def test_folders_that_only_root_may_enter_hold_nothing_but_the_run(
    pair: Pair, tmp_path: Path
) -> None:
    (tmp_path.parent / "secret").write_text("of somebody else")

    names = _ask(pair.guest, "ls", str(tmp_path.parent), user="svc").split()

    assert names == [tmp_path.name]


def test_the_same_name_twice_is_refused_while_it_lives(pair: Pair) -> None:
    with pytest.raises(SiteExists):
        _create(pair.place, "guest", "10.70.0.3", pair.hub, dies=True)

    assert [site.name for site in list_sites(pair.place)] == ["guest", "hub"]


def test_destroying_ends_even_detached_daemons(pair: Pair) -> None:
    daemon = "setsid sh -c 'trap \"\" TERM HUP; sleep 101 & wait' &"
    start_inside(pair.guest, "stubborn", ["sh", "-c", f"{daemon} sleep 100"], user="svc")
    assert wait_until(
        lambda: sum(one.command == "sleep" for one in residents(pair.guest)) >= 3, timeout_s=5
    )
    theirs = [one.pid for one in residents(pair.guest)]

    destroy_site(pair.guest)

    assert all(process.started_ticks(pid) is None for pid in theirs)
    assert load_site(pair.place, "guest") is None
    assert not pair.guest.directory.exists()


def test_a_command_in_a_site_dies_with_the_one_who_asked(pair: Pair) -> None:
    with pytest.raises(process.ProcessTimedOut):
        process.run(inside(pair.guest, ["sleep", "102"], user="svc"), timeout_s=0.3)

    assert wait_until(
        lambda: (
            "102"
            not in str([_read(Path(f"/proc/{one.pid}/cmdline")) for one in residents(pair.guest)])
        ),
        timeout_s=5,
    )


_OWNER = """
import sys, threading
from pathlib import Path
from blackstart.sandbox.layout import new_run
from blackstart.world.sites import create_site, start_inside
with new_run(Path(sys.argv[1])) as layout:
    def make(name, address, hub, dies):
        site = create_site(layout.sites, name, address=address, marker="test", purpose="sandbox",
                           hub=hub, usr=None, nameserver=None, dies_with_us=dies)
        start_inside(site, "work", ["setsid", "-w", "sleep", "1000"], user="svc")
        return site
    hub = make("hub", "10.70.0.1", None, True)
    make("lasting", "10.70.0.20", hub, False)
    print(layout.root, flush=True)
    threading.Event().wait()
"""


def _killed_owner(cache: Path) -> Layout:
    """Start a run with two sites in another program, and kill that program."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(cache)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    with owner.stdout:
        layout = Layout(Path(owner.stdout.readline().strip()))
    alive = sweep(cache).alive
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert alive == (layout.root.name,), "a living owner's run must be left alone"
    return layout


def test_sandbox_sites_die_with_their_owner_and_lasting_ones_live_on(tmp_path: Path) -> None:
    layout = _killed_owner(tmp_path)

    assert wait_until(lambda: load_site(layout.sites, "hub") is None, timeout_s=5)
    lasting = load_site(layout.sites, "lasting")
    assert lasting is not None
    assert any(one.command == "sleep" for one in residents(lasting))
    sweep(tmp_path)


def test_after_a_kill_the_sweep_leaves_nothing(tmp_path: Path) -> None:
    links, listeners = _links(), _listeners()
    groups = _traces(str(tmp_path))["groups"]
    layout = _killed_owner(tmp_path)

    swept = sweep(tmp_path)

    assert swept.removed == (layout.root.name,)
    assert not layout.root.exists()
    left = _traces(str(tmp_path))
    assert (left["processes"], left["mounts"]) == ([], [])
    assert set(left["groups"]) <= set(groups)
    assert (_links(), _listeners()) == (links, listeners)
    assert sweep(tmp_path).removed == ()


def test_a_run_that_is_kept_is_named_and_removed_only_when_asked(tmp_path: Path) -> None:
    layout = _killed_owner(tmp_path)
    layout.keep.touch()

    assert sweep(tmp_path).kept == (layout.root,)
    assert load_site(layout.sites, "lasting") is not None
    assert sweep(tmp_path, kept=True).removed == (layout.root.name,)
    assert _traces(str(tmp_path))["processes"] == []


def test_a_start_that_died_before_its_pid_was_recorded_is_swept_too(tmp_path: Path) -> None:
    with new_run(tmp_path) as layout:
        site = _create(layout.sites, "half", "10.70.0.1", None, dies=False)
        record = layout.sites / "half" / "site.json"
        text = record.read_text().replace(f'"init_pid": {site.init_pid}', '"init_pid": 0')
        record.write_text(text.replace(site.cgroup, "") if site.cgroup else text)

    sweep(tmp_path)

    assert process.started_ticks(site.init_pid) is None
    assert not layout.root.exists()
