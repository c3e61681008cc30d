# SPDX-License-Identifier: Apache-2.0
"""Control groups (version 2) as a handle on all processes of a site, whoever their parents are.

Source: the kernel's cgroup-v2 document, files cgroup.procs and cgroup.kill (Linux 5.14 and later).
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from blackstart.world.clock import wait_until

_GONE_LIMIT_S = 10.0


def cgroup_of(place: Path) -> Path | None:
    """Return the control group that holds the sites of a place; None when there can be none."""
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup2" and "rw" in options.split(",") and os.access(where, os.W_OK):
            digest = hashlib.sha256(str(place.resolve()).encode()).hexdigest()[:12]
            return Path(where) / "blackstart" / digest
    return None


def make_cgroup(place: Path, name: str) -> str:
    """Make the control group of a site; empty when this machine offers none that can kill."""
    parent = cgroup_of(place)
    if parent is None:
        return ""
    group = parent / name
    try:
        group.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(group) if (group / "cgroup.kill").exists() else ""


def remove_cgroup(group: Path) -> bool:
    """Kill what is in a control group, remove it and its empty parents; True when it is gone."""

    def is_removed() -> bool:
        with suppress(OSError):
            (group / "cgroup.kill").write_text("1")
        try:
            group.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    if not wait_until(is_removed, timeout_s=_GONE_LIMIT_S, every_s=0.003):
        return False
    with suppress(OSError):  # the place's own folder, then ours; busy while other sites live
        group.parent.rmdir()
        group.parent.parent.rmdir()
    return True
