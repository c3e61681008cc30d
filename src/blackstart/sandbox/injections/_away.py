# SPDX-License-Identifier: Apache-2.0
"""Ends one program of a site, known by a word of its command line: stand-ins share a name."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from blackstart.sandbox.layout import SandboxError
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import residents
from blackstart.world.sites import Site


def end_program_with(site: Site, word: str) -> None:
    """Kill what was started with that word and wait until it is gone. Raises SandboxError."""
    found = _with(site, word)
    if not found:
        raise SandboxError(f"nothing on {site.name} was started with {word!r}", "is it up?")
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if not wait_until(lambda: not _with(site, word), timeout_s=10, every_s=0.05):
        raise SandboxError(f"{word!r} on {site.name} does not die", "look at its state")


def _with(site: Site, word: str) -> list[int]:
    found = []
    for one in residents(site):
        with suppress(OSError):
            words = Path(f"/proc/{one.pid}/cmdline").read_bytes().split(b"\0")
            if word.encode() in words:
                found.append(one.pid)
    return found
