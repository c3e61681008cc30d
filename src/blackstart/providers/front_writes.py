# SPDX-License-Identifier: Apache-2.0
"""What users wrote through the front of a new site: kept by Caddy, one line a request.

The first one is the point of no return: before it the new site can be closed and removed as if it
had never been, after it the site holds what exists nowhere else. Requests that only read are not
kept. Format: the access log of Caddy 2, as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

WRITES_LOG = "writes.log"
_OWN = {"127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """How many writes of others were accepted, and when the first one was (ISO 8601)."""

    count: int
    first_at: str = ""


class _Request(msgspec.Struct):
    remote_ip: str


class _Line(msgspec.Struct):
    ts: float
    status: int
    request: _Request


def log_lines(directory: str, *reading: str) -> Sequence[str]:
    """Return the lines of a Caddyfile that keep the requests of one front.

    `reading` are the methods that are not kept; a request that asks for a WebSocket always is.
    """
    lines = ["log {", f'output file "{directory}/{WRITES_LOG}"', "format json", "}"]
    if reading:
        lines += ["@reading {", f"method {' '.join(reading)}", "not header Upgrade *", "}"]
        lines += ["log_skip @reading"]
    return lines


def read_writes(directory: str) -> Writes:
    """Return what was accepted so far; none without a log. Raises OSError."""
    try:
        lines = (Path(directory) / WRITES_LOG).read_bytes().splitlines()
    except FileNotFoundError:
        return Writes(count=0)
    accepted = [one for one in map(_parsed, lines) if one is not None]
    if not accepted:
        return Writes(count=0)
    first = datetime.fromtimestamp(min(one.ts for one in accepted), UTC)
    return Writes(count=len(accepted), first_at=first.isoformat(timespec="milliseconds"))


def _parsed(line: bytes) -> _Line | None:
    """Return a line that counts: accepted, and not from the site itself."""
    try:
        found = msgspec.json.decode(line, type=_Line)
    except msgspec.MsgspecError:
        return None  # the last line may still be on its way
    is_own = found.request.remote_ip in _OWN
    return None if is_own or found.status >= 400 else found
