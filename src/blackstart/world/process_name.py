# SPDX-License-Identifier: Apache-2.0
"""A name for this very process, by which another on the same machine can see that it is dead.

`HOST:PID/TICKS.KERNEL`: TICKS is when it started, KERNEL stands for this start of this machine and
for the space in which the pid counts. So a reused pid, another container with the same host name
or a copy of the folder on another machine is never taken for it.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from pathlib import Path

from blackstart.world.process import is_alive, started_ticks

_NAME = re.compile(r":(\d+)/(\d+)\.([0-9a-f]{12})$")


def own_name() -> str:
    """Return the name of this process."""
    pid = os.getpid()
    return f"{socket.gethostname()}:{pid}/{started_ticks(pid) or 0}.{_kernel()}"


def is_surely_dead(name: str) -> bool:
    """Say whether the process of this name is dead; False when that cannot be seen from here."""
    found = _NAME.search(name)
    if found is None or found[3] != _kernel():
        return False
    return not is_alive(int(found[1]), int(found[2]))


def _kernel() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    space = Path("/proc/self/ns/pid").readlink()
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:12]
