# SPDX-License-Identifier: Apache-2.0
"""Looking into a site from this program: a call made in its network, the processes that run in it.

Entering a network namespace holds for one thread only; the program itself stays outside.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from blackstart.world.sites import Site, SiteError

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000
_setns = ctypes.CDLL(None, use_errno=True).setns


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A process of a site: its pid on the host, its user and its command name."""

    pid: int
    uid: int
    command: str


def enter_network(init_pid: int) -> None:
    """Move the calling THREAD into the network of the site for good. Raises SiteError."""
    handle = os.open(f"/proc/{init_pid}/ns/net", os.O_RDONLY)
    try:
        if _setns(handle, _CLONE_NEWNET) != 0:
            why = os.strerror(ctypes.get_errno())
            raise SiteError(f"cannot enter the network of process {init_pid}: {why}", "be root")
    finally:
        os.close(handle)


def call_in_network(site: Site, call: Callable[[], T]) -> T:
    """Return what `call` returns when made by a thread inside the site's network.

    Names are still resolved as the host does: use addresses. Raises what `call` raises.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            enter_network(site.init_pid)
            outcome.set_result(call())
        except BaseException as failure:  # noqa: BLE001 - raised again in the caller's thread
            outcome.set_exception(failure)

    threading.Thread(target=work, name=f"in-{site.name}", daemon=True).start()
    return outcome.result()


def residents(site: Site) -> tuple[Resident, ...]:
    """Return every process of the site but its init, as the host sees them."""
    try:
        space = Path(f"/proc/{site.init_pid}/ns/pid").readlink()
    except OSError:
        return ()
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    found = (_resident(pid, space) for pid in pids if pid != site.init_pid)
    return tuple(one for one in found if one is not None)


def _resident(pid: int, space: Path) -> Resident | None:
    folder = Path(f"/proc/{pid}")
    try:
        if (folder / "ns/pid").readlink() != space:
            return None
        command = (folder / "comm").read_text("utf-8", "replace").strip()
        return Resident(pid=pid, uid=folder.stat().st_uid, command=command)
    except OSError:
        return None
