# SPDX-License-Identifier: Apache-2.0
"""Removes what a dead command left: processes, namespaces, control groups, folders.

A run is dead when nobody holds the lock on its owner.lock: the kernel gives the lock back however
the owner died. A run that was to be kept is left alone unless asked for.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blackstart.sandbox.doorway import close_doorway
from blackstart.sandbox.layout import Layout
from blackstart.world import process
from blackstart.world.cgroups import cgroup_of, remove_cgroup
from blackstart.world.files import locked
from blackstart.world.random import nonce
from blackstart.world.sites import end_site, read_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The runs that were removed, those that are kept on purpose, those whose owner lives."""

    removed: tuple[str, ...]
    kept: tuple[Path, ...]
    alive: tuple[str, ...]


_LOCK = ".sweep.lock"
_REMOVING = ".removing"  # folder of what is being removed


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
    with locked(runs / _LOCK):
        for going in (runs / _REMOVING).glob("*"):
            remove_tree(going)
        for root in sorted(path for path in runs.iterdir() if path.is_dir()):
            if root.name == _REMOVING:
                continue
            layout = Layout(root)
            with locked(layout.owner_lock, wait=False) as is_dead:
                if not is_dead:
                    alive.append(root.name)
                elif layout.keep.exists() and not kept:
                    left.append(root)
                else:
                    _end_all(root)
                    remove_tree(_hide(root))
                    removed.append(root.name)
        _forget_if_empty(runs)
    return Swept(removed=tuple(removed), kept=tuple(left), alive=tuple(alive))


def remove_run(root: Path) -> None:
    """End everything of a run and remove its folder. Raises SiteError when one does not die."""
    _end_all(root)
    with locked(root.parent / _LOCK):
        going = _hide(root)
    remove_tree(going)
    with locked(root.parent / _LOCK):
        _forget_if_empty(root.parent)


def _forget_if_empty(runs: Path) -> None:
    with suppress(OSError):
        (runs / _REMOVING).rmdir()


def _hide(root: Path) -> Path:
    """Move a run out of sight; the caller holds the lock of the sweep.

    With its files the owner's lock goes too, and another drill's sweep would take what is half
    removed for a run whose owner is dead.
    """
    going = root.parent / _REMOVING / f"{root.name}-{nonce(4)}"
    going.parent.mkdir(exist_ok=True)
    return root.rename(going)


def _end_all(root: Path) -> None:
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


def remove_tree(root: Path) -> None:
    """Remove a folder, also where somebody else removes parts of it at the same time.

    Raises OSError when something of it cannot be removed.
    """
    if sys.version_info >= (3, 12):
        shutil.rmtree(root, onexc=_pass_over_what_is_gone)
    else:
        shutil.rmtree(
            root, onerror=lambda act, path, what: _pass_over_what_is_gone(act, path, what[1])
        )


def _pass_over_what_is_gone(_act: object, _path: str, trouble: BaseException) -> None:
    if not isinstance(trouble, FileNotFoundError):
        raise trouble


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
