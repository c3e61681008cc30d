# SPDX-License-Identifier: Apache-2.0
"""The shell script that a site's init runs: it sets up the site's own view of the machine.

It is a script, not Python, because init stays for the whole life of the site and a shell needs only
4 MB. It ends as a loop that reaps orphans.
"""

from __future__ import annotations

import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

_STAGE = "/mnt"


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder shown at another path: "ro" or "rw"."""

    source: Path
    target: Path
    mode: str


def init_script(
    name: str, etc: Path, usr: Path | None, binds: tuple[Bind, ...], needed: tuple[Path, ...]
) -> str:
    """The text of the script. `etc` holds the site's own passwd, hosts and so on."""
    lines = ["set -e", "mount -t tmpfs -o mode=1777 shm /dev/shm"]
    if usr is not None:
        lower = shlex.quote(f"ro,lowerdir={usr}:/usr")
        lines.append(f"mount -t overlay blackstart -o {lower} /usr")
    lines += _open_a_way(needed)
    for bind in binds:
        source, target = shlex.quote(str(bind.source)), shlex.quote(str(bind.target))
        lines.append(f"mkdir -p {target}")
        lines.append(f"mount --bind {source} {target}")
        if bind.mode == "ro":
            lines.append(f"mount -o remount,bind,ro {target}")
    for file in ("passwd", "group", "hosts", "nsswitch.conf", "resolv.conf"):
        lines.append(f"mount --bind {shlex.quote(str(etc / file))} /etc/{file}")
    lines += [
        f"echo {shlex.quote(name)} > /proc/sys/kernel/hostname",
        "ip link set lo up",
        "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start",
        "echo up > " + shlex.quote(str(etc / "ready")),
        "trap 'exit 0' TERM",
        "while :; do sleep 3600 & wait $!; done",
    ]
    return "\n".join([*lines, ""])


def _open_a_way(needed: tuple[Path, ...]) -> list[str]:
    """Replace each folder that only root may enter by an empty one that holds what is needed."""
    ways: dict[Path, list[Path]] = {}
    for path in needed:
        closed = _first_closed_above(path)
        if closed is not None:
            ways.setdefault(closed, []).append(path)
    lines: list[str] = []
    for closed, paths in ways.items():
        tops = [path for path in sorted(paths) if not _is_below_another(path, paths)]
        lines.append(f"mount -t tmpfs -o mode=755 stage {_STAGE}")
        for number, path in enumerate(tops):
            lines.append(f"mkdir {_STAGE}/{number}")
            lines.append(f"mount --rbind {shlex.quote(str(path))} {_STAGE}/{number}")
        lines.append(f"mount -t tmpfs -o mode=755 closed {shlex.quote(str(closed))}")
        for number, path in enumerate(tops):
            lines.append(f"mkdir -p {shlex.quote(str(path))}")
            lines.append(f"mount --move {_STAGE}/{number} {shlex.quote(str(path))}")
        lines.append(f"umount {_STAGE}")
    return lines


def _first_closed_above(path: Path) -> Path | None:
    """The topmost folder above `path` that other users may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _is_below_another(path: Path, others: list[Path]) -> bool:
    return any(other != path and other in path.parents for other in others)
