# SPDX-License-Identifier: Apache-2.0
"""Removes what a dead command left: processes, namespaces, control groups, folders.

A run is dead when nobody holds the lock on its owner.lock: the kernel gives the lock back however
the owner died. A run that was to be kept is left alone unless asked for.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blackstart.sandbox.doorway import close_doorway
from blackstart.sandbox.layout import Layout
from blackstart.world import process
from blackstart.world.cgroups import cgroup_of, remove_cgroup
from blackstart.world.files import locked
from blackstart.world.sites import end_site, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The runs that were removed, those that are kept on purpose, those whose owner lives."""

    removed: tuple[str, ...]
    kept: tuple[Path, ...]
    alive: tuple[str, ...]


def sweep(cache: Path, *, kept: bool = False) -> Swept:
    """Remove every run whose owner is dead; with `kept`, also those that were to be kept.

    Raises SiteError when something does not die.
    """
    removed: list[str] = []
    left: list[Path] = []
    alive: list[str] = []
    runs = cache / "run"
    if not runs.is_dir():
        return Swept(removed=(), kept=(), alive=())
    with locked(runs / ".sweep.lock"):
        for root in sorted(path for path in runs.iterdir() if path.is_dir()):
            layout = Layout(root)
            with locked(layout.owner_lock, wait=False) as is_dead:
                if not is_dead:
                    alive.append(root.name)
                elif layout.keep.exists() and not kept:
                    left.append(root)
                else:
                    remove_run(root)
                    removed.append(root.name)
    return Swept(removed=tuple(removed), kept=tuple(left), alive=tuple(alive))


def remove_run(root: Path) -> None:
    """End everything of a run and remove its folder. Raises SiteError when one does not die."""
    close_doorway(root)
    place = Layout(root).sites
    for record in sorted(place.glob("*/site.json")):
        site = read_record(record.parent)
        if site is not None:
            end_site(site)
    _end_unrecorded(root)
    groups = cgroup_of(place)
    if groups is not None and groups.is_dir():
        for group in [*(path for path in groups.iterdir() if path.is_dir()), groups]:
            remove_cgroup(group)
    shutil.rmtree(root)


def _end_unrecorded(root: Path) -> None:
    """End what still names the run on its command line: an init that died between two records."""
    start = f"{Layout(root).sites}/".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            is_ours = words[-1].startswith(start) and words[-1].endswith(b"/etc/init.sh")
            if is_ours and words[0] in {b"sh", b"bash", b"unshare"}:
                _end(int(folder.name))


def _end(pid: int) -> None:
    ticks = process.started_ticks(pid)
    if ticks is not None:
        process.end(pid, ticks, grace_s=0)
