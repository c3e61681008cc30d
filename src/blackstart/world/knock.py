# SPDX-License-Identifier: Apache-2.0
"""Knocking at TCP ports: who answers, who refuses, who says nothing.

All ports are tried at once with sockets that do not block, so that a firewall that drops costs its
time-out once and not once per port.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from enum import StrEnum

_AT_ONCE = 200


class Answer(StrEnum):
    """What a port did: took the connection, refused it, was silent, or lies behind no route."""

    OPEN = "open"
    CLOSED = "closed"
    SILENT = "silent"
    UNREACHABLE = "unreachable"


_ANSWERS: Mapping[int, Answer] = {
    0: Answer.OPEN,
    errno.EHOSTUNREACH: Answer.UNREACHABLE,
    errno.ENETUNREACH: Answer.UNREACHABLE,
    errno.ETIMEDOUT: Answer.SILENT,
}


def knock(address: str, ports: Iterable[int], *, timeout_s: float) -> dict[int, Answer]:
    """Return the answer of each TCP port of an address (IPv4 or IPv6, no name)."""
    wanted = sorted(set(ports))
    found: dict[int, Answer] = {}
    for first in range(0, len(wanted), _AT_ONCE):
        found |= _knock_at(address, wanted[first : first + _AT_ONCE], timeout_s)
    return found


def _knock_at(address: str, ports: list[int], timeout_s: float) -> dict[int, Answer]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found: dict[int, Answer] = {}
    with ExitStack() as opened, selectors.DefaultSelector() as selector:
        for port in ports:
            caller = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            caller.setblocking(False)
            code = caller.connect_ex((address, port))
            if code == errno.EINPROGRESS:
                selector.register(caller, selectors.EVENT_WRITE, port)
            else:
                found[port] = _ANSWERS.get(code, Answer.CLOSED)
        deadline = time.monotonic() + timeout_s
        while selector.get_map() and (left_s := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left_s):
                assert isinstance(key.fileobj, socket.socket)
                code = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                found[key.data] = _ANSWERS.get(code, Answer.CLOSED)
                with suppress(KeyError):
                    selector.unregister(key.fileobj)
    return {port: found.get(port, Answer.SILENT) for port in ports}
