# SPDX-License-Identifier: Apache-2.0
"""Isolated hosts on this machine: a site is a set of kernel namespaces held by its init process.

A site has its own processes, network, mounts, host name and System V memory, and sees the host's
file tree under the same paths (only /etc/passwd, group, hosts, resolv.conf and nsswitch.conf, /usr
when packages are laid over it, and /dev/shm are its own). When its init ends, the kernel ends all
its processes and removes its interfaces and mounts: nothing is left but its folder and an empty
control group. Nothing has a name on the host, so nothing can outlive init.

Folders that only root may enter (such as /root) are shown in the site as empty folders that hold
nothing but what the site needs: the run's folder, the packages and this Python.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from blackstart.model.errors import WorldFailed
from blackstart.world import process
from blackstart.world.cgroups import make_cgroup, remove_cgroup
from blackstart.world.clock import boot_id
from blackstart.world.files import write_durably
from blackstart.world.site_identity import USERS, write_identity
from blackstart.world.site_script import Bind, init_script

__all__ = [
    "USERS",
    "Site",
    "SiteError",
    "SiteExists",
    "create_site",
    "destroy_site",
    "end_site",
    "inside",
    "is_site_alive",
    "list_sites",
    "load_site",
    "read_record",
    "service_pids",
    "start_inside",
]

T = TypeVar("T")
BRIDGE = "br0"
PREFIX_LENGTH = 24
_PATH = "/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_READY_LIMIT_S = 10.0
# The starter is outside and has no number here; whoever lost it belongs to init, which is 1.
_IF_STARTER_LIVES = '[ "$PPID" != 1 ] && exec "$@"'


class SiteError(WorldFailed):
    """A site could not be made or ended."""


class SiteExists(SiteError):
    """A living site has this name already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One isolated host, as kept in its site.json. `cgroup` is empty when there is none."""

    name: str
    directory: Path
    init_pid: int
    started_ticks: int
    boot_id: str
    address: str
    marker: str
    purpose: str
    cgroup: str


def create_site(
    place: Path,
    name: str,
    *,
    address: str,
    marker: str,
    purpose: str,
    hub: Site | None,
    usr: Path | None,
    nameserver: str | None,
    binds: tuple[tuple[Path, Path, str], ...] = (),
    hosts: Mapping[str, str] | None = None,
    dies_with_us: bool = False,
) -> Site:
    """Start an isolated host; with `hub` None it holds the bridge that the others join.

    `binds` are (source, destination, "ro" or "rw"). `usr` is a folder laid over /usr, read-only.
    `hosts` are names with addresses of their own here, whatever the name server says.
    The record is on disk before anything starts. Raises SiteExists, or SiteError when it does not
    come up (nothing is left running then).
    """
    _refuse_living(place, name)
    draft = Site(
        name=name,
        directory=place / name,
        init_pid=0,
        started_ticks=0,
        boot_id=boot_id(),
        address=address,
        marker=marker,
        purpose=purpose,
        cgroup=make_cgroup(place, name),
    )
    script = _lay_out(draft, usr, nameserver, binds, hosts or {})
    _record(draft, "starting")
    return _launch(draft, script, hub, dies_with_us)


def load_site(place: Path, name: str) -> Site | None:
    """The living site of that name; None when it is not there, dead, or from before a reboot."""
    site = read_record(place / name)
    if site is None or not is_site_alive(site):
        return None
    return site


def list_sites(place: Path) -> tuple[Site, ...]:
    """All living sites of a place, by name."""
    names = sorted(path.parent.name for path in place.glob("*/site.json"))
    return tuple(site for name in names if (site := load_site(place, name)) is not None)


def read_record(directory: Path) -> Site | None:
    """What site.json says, whether the site lives or not; None when there is no readable record."""
    try:
        content = json.loads((directory / "site.json").read_text("utf-8"))
        content.pop("state")
        return Site(**{**content, "directory": Path(content["directory"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_site_alive(site: Site) -> bool:
    """True when the init process of that very start of the site runs."""
    return (
        site.init_pid > 0
        and site.boot_id == boot_id()
        and process.is_alive(site.init_pid, site.started_ticks)
    )


def inside(
    site: Site,
    argv: Sequence[str],
    *,
    user: str = "root",
    cwd: str = "/",
    env: Mapping[str, str] | None = None,
) -> list[str]:
    """The command line that runs `argv` in the site, for process.run; it dies with its starter.

    The environment is not inherited: PATH, HOME, LANG and TZ are set, `env` is added.
    """
    entered = _enter(site, user, cwd, env or {}, "--pdeathsig", "KILL")
    return [*entered, "sh", "-c", _IF_STARTER_LIVES, "blackstart", *argv]


def start_inside(
    site: Site,
    service: str,
    argv: Sequence[str],
    *,
    user: str,
    cwd: str = "/",
    env: Mapping[str, str] | None = None,
    new_session: bool = True,
) -> int:
    """Start a long-running program in the site; returns its pid as the host sees it.

    Output goes to DIRECTORY/log/SERVICE.log. It lives as long as the site, not as long as we.
    With `new_session` it leads a process group of its own. `service_pids` finds it again, also when
    nobody has noted its pid. Raises SiteError when it does not start.
    """
    session = ["setsid"] if new_session else []
    named = {**(env or {}), **_mark_of(site, service)}
    command = [*_enter(site, user, cwd, named), *session, *argv]
    if site.cgroup:
        joined = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        command = ["sh", "-c", joined, site.cgroup, *command]
    log = site.directory / "log" / f"{service}.log"
    entered = process.spawn(command, log=log, dies_with_us=False)

    def find_child() -> tuple[int, ...]:
        return process.children_of(entered.pid)

    found = _await(find_child, lambda: process.is_alive(entered.pid, entered.started_ticks), 5.0)
    if not found:
        raise SiteError(f"{service} did not start in site {site.name}", f"read {log}")
    return found[0]


def service_pids(site: Site, service: str) -> tuple[int, ...]:
    """Return the pids of what was started in the site under this name, and of its children."""
    return process.with_environment(_mark_of(site, service))


def _mark_of(site: Site, service: str) -> Mapping[str, str]:
    return {"BLACKSTART_SERVICE": f"{site.directory}/{service}"}


def destroy_site(site: Site) -> None:
    """Kill everything in the site, wait until it is gone, and remove its folder.

    Raises SiteError when a process of it does not die.
    """
    _end_all(site)
    shutil.rmtree(site.directory, ignore_errors=True)
    if site.directory.exists():
        shutil.rmtree(site.directory)


def end_site(site: Site) -> None:
    """Kill everything in the site and wait until it is gone; its folder stays."""
    _end_all(site)


def _refuse_living(place: Path, name: str) -> None:
    if load_site(place, name) is not None:
        what = f"site {name} is alive in {place}"
        raise SiteExists(what, "destroy it first, or use another name")


def _launch(draft: Site, script: Path, hub: Site | None, dies_with_us: bool) -> Site:
    """Start the init, connect it; on failure nothing is left running."""
    site = draft
    try:
        site = _start(draft, script, dies_with_us)
        _record(site, "linking")
        _link(site, hub)
    except BaseException:
        _end_all(site)
        raise
    _record(site, "running")
    return site


def _lay_out(
    site: Site,
    usr: Path | None,
    nameserver: str | None,
    binds: tuple[tuple[Path, Path, str], ...],
    hosts: Mapping[str, str],
) -> Path:
    """Make the site's folder with its own /etc; return the script for its init."""
    etc = site.directory / "etc"
    for folder, mode in ((site.directory, 0o711), (site.directory / "log", 0o755), (etc, 0o711)):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
    (etc / "ready").unlink(missing_ok=True)
    write_identity(etc, nameserver, hosts)
    needed = _paths_needed(site.directory.parent, usr, binds)
    wanted = tuple(Bind(source, target, mode) for source, target, mode in binds)
    script = etc / "init.sh"
    script.write_text(init_script(site.name, etc, usr, wanted, needed))
    return script


def _start(site: Site, script: Path, dies_with_us: bool) -> Site:
    flags = ["-n", "-m", "-p", "-u", "-i", "-f", "--mount-proc", "--propagation", "private"]
    if dies_with_us:
        flags.append("--kill-child=SIGKILL")
    command = ["unshare", *flags, "bash", str(script)]
    if site.cgroup:
        joined = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
        command = ["sh", "-c", joined, site.cgroup, *command]
    log = site.directory / "log" / "init.log"
    outer = process.spawn(command, log=log, dies_with_us=dies_with_us)

    def lives() -> bool:
        return process.is_alive(outer.pid, outer.started_ticks)

    found = _await(lambda: process.children_of(outer.pid), lives, _READY_LIMIT_S)
    ticks = process.started_ticks(found[0]) if found else None
    if ticks is not None:
        site = replace(site, init_pid=found[0], started_ticks=ticks)
        _record(site, "starting")
        if _await(
            (site.directory / "etc" / "ready").exists, lambda: is_site_alive(site), _READY_LIMIT_S
        ):
            return site
    with suppress(Exception):
        process.end(outer.pid, outer.started_ticks, grace_s=0)
    _end_all(site)
    last = log.read_text("utf-8", "replace")[-500:].strip()
    raise SiteError(
        f"site {site.name} did not come up: {last or 'no output'}",
        "this needs root and a kernel that allows namespaces and overlay mounts",
    )


def _link(site: Site, hub: Site | None) -> None:
    """Give the site its address: on its own bridge, or by a cable into the hub's bridge."""
    with_prefix = f"{site.address}/{PREFIX_LENGTH}"
    if hub is None:
        lines = [
            f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0",
            f"addr add {with_prefix} dev {BRIDGE}",
            f"link set {BRIDGE} up",
        ]
        _ip(site, lines)
        return
    cable = "v" + site.address.replace(".", "")[-10:]
    _ip(
        hub,
        [
            f"link add {cable} type veth peer name eth0 netns {site.init_pid}",
            f"link set {cable} master {BRIDGE} up",
        ],
    )
    _ip(site, [f"addr add {with_prefix} dev eth0", "link set eth0 up"])


def _ip(site: Site, lines: list[str]) -> None:
    # Only the network is entered, so that the peer's pid keeps the host's meaning.
    command = ["nsenter", "-t", str(site.init_pid), "-n", "ip", "-batch", "-"]
    done = process.run(command, stdin="\n".join([*lines, ""]).encode(), timeout_s=10)
    if done.code != 0:
        said = done.err.decode("utf-8", "replace").strip()
        raise SiteError(f"network of site {site.name}: {said}", "is the package iproute2 there?")


def _enter(site: Site, user: str, cwd: str, env: Mapping[str, str], *setpriv: str) -> list[str]:
    uid = USERS[user]
    ids = [f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid else []
    home = str(site.directory) if uid else "/root"
    whole = {"PATH": _PATH, "HOME": home, "LANG": "C.UTF-8", "TZ": "UTC", **env}
    return [
        *("nsenter", "-t", str(site.init_pid), "-n", "-m", "-p", "-u", "-i", "--"),
        *("env", "-i", f"--chdir={cwd}", *(f"{key}={value}" for key, value in whole.items())),
        *("setpriv", *ids, "--no-new-privs", *setpriv, "--"),
    ]


def _await(question: Callable[[], T], lives: Callable[[], bool], limit_s: float) -> T:
    """Ask until the answer is true-ish, the asked one is dead, or the limit passed."""
    pause = threading.Event()
    deadline = time.monotonic() + limit_s
    while True:
        lived = lives()
        answer = question()
        if answer or not lived or time.monotonic() > deadline:
            return answer
        pause.wait(0.003)


def _end_all(site: Site) -> None:
    # Init first: the kernel waits until every process inside was reaped, and those that came from
    # outside are reaped by their `nsenter`, which the control group would kill too.
    is_gone = True
    if is_site_alive(site):
        is_gone = process.end(site.init_pid, site.started_ticks, grace_s=0)
    if site.cgroup:
        is_gone = remove_cgroup(Path(site.cgroup)) and is_gone
    if not is_gone:
        raise SiteError(
            f"site {site.name} does not die (init {site.init_pid})",
            "look for a process in uninterruptible sleep (state D) and its disk",
        )


def _record(site: Site, state: str) -> None:
    """Write site.json so that it is whole and on disk, whatever happens next."""
    content = {**asdict(site), "directory": str(site.directory), "state": state}
    text = json.dumps(content, indent=1)
    write_durably(site.directory / "site.json", text.encode(), mode=0o644)


def _paths_needed(
    place: Path, usr: Path | None, binds: tuple[tuple[Path, Path, str], ...]
) -> tuple[Path, ...]:
    """What must stay reachable for the site's users below folders that only root may enter."""
    package = Path(__file__).resolve().parents[2]
    wanted = [place.parent, Path(sys.prefix), Path(sys.base_prefix), package]
    wanted += [source for source, _, _ in binds] + ([usr] if usr else [])
    return tuple(dict.fromkeys(path.resolve() for path in wanted))
