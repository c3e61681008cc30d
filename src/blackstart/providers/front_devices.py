# SPDX-License-Identifier: Apache-2.0
"""Devices newer than the restore point: held off at the front, and named, never turned away.

A device agent asks the platform every few seconds. Told 401 or 404 it takes itself for removed,
stops its flows and clears its configuration; told 503 it goes on as it is and asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.providers.front_writes import WRITES_LOG
from blackstart.providers.traces import returns_failures

_POLLS = "/api/v1/devices/"
_HELD_OFF = 503
_ID_PART = 4  # of /api/v1/devices/ID/live/…


class _Request(msgspec.Struct):
    uri: str = ""


class _Line(msgspec.Struct):
    """A line of Caddy's access log, as far as it is read."""

    request: _Request = msgspec.field(default_factory=_Request)
    status: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectKnownDevices:
    """Expect that no device was held off: each one that asked is known to the restored platform.

    `directory` is that of `front.admit`. What it names is to be registered anew, or told to leave,
    by its owner: until then it keeps its flows.
    """

    outputs: ClassVar[Mapping[str, str]] = {"held_off": "ids of devices that nobody knows"}
    directory: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Read what the front answered since users were let in."""
        path = Path(self.directory) / WRITES_LOG
        lines = path.read_bytes().splitlines() if path.exists() else []
        found = held_off(lines)
        if found:
            return Failed(
                summary=f"{len(found)} devices are newer than the restored data and are held off "
                f"with 503, so that they keep their configuration: {', '.join(found)}",
                hint="let their owners register each one again, or remove it",
            )
        return Done(summary="no device was held off", outputs={"held_off": []})


def device_lines(
    paths: tuple[str, ...], upstream: str, unavailable: Iterable[str]
) -> Iterable[str]:
    """Return the part of a Caddyfile that passes polls on and turns 401 and 404 into 503."""
    if not paths:
        return ()
    return (
        f"@devices path {' '.join(paths)}",
        "handle @devices {",
        f"reverse_proxy {upstream} {{",
        "@unknown status 401 404",
        "handle_response @unknown {",
        *unavailable,
        "}",
        "}",
        "}",
    )


def held_off(lines: Iterable[bytes]) -> tuple[str, ...]:
    """Return the ids of the devices that were answered 503, each once."""
    found = []
    for line in lines:
        try:
            entry = msgspec.json.decode(line, type=_Line)
        except msgspec.MsgspecError:
            continue  # the last line may still be on its way
        parts = entry.request.uri.split("/")
        is_poll = entry.request.uri.startswith(_POLLS) and len(parts) > _ID_PART
        if entry.status == _HELD_OFF and is_poll:
            found.append(parts[_ID_PART])
    return tuple(dict.fromkeys(found))
