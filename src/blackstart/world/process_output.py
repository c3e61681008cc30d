# SPDX-License-Identifier: Apache-2.0
"""What a running program says: both outputs are read at once, bounded, line by line.

A program that ends while something it left behind still holds its pipes does not keep us waiting.
"""

from __future__ import annotations

import enum
import os
import selectors
import subprocess
import time
from collections.abc import Callable

_LOOK_EVERY_S = 0.1
_LINE_LIMIT_BYTES = 64_000


class Ending(enum.Enum):
    """Why the reading stopped."""

    BY_ITSELF = "by itself"
    TIMED_OUT = "timed out"
    CANCELLED = "cancelled"


class Output:
    """One output stream: its beginning and its end are kept, its lines are passed on."""

    def __init__(self, keep_bytes: int, on_line: Callable[[str], None] | None) -> None:
        self._half = max(keep_bytes // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._line = bytearray()
        self._on_line = on_line

    def take(self, piece: bytes) -> None:
        """Keep a piece, and pass on the lines that it completes."""
        room = self._half - len(self._head)
        self._head += piece[:room]
        self._tail += piece[room:] if room > 0 else piece
        excess = len(self._tail) - self._half
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess
        if self._on_line is not None:
            self._pass_on(piece)

    def _pass_on(self, piece: bytes) -> None:
        self._line += piece
        *whole, rest = bytes(self._line).split(b"\n")
        if len(rest) > _LINE_LIMIT_BYTES:
            whole, rest = [*whole, rest], b""
        self._line = bytearray(rest)
        for line in whole:
            self._say(line)

    def _say(self, line: bytes) -> None:
        if self._on_line is not None:
            self._on_line(line.decode("utf-8", "replace").rstrip("\r"))

    def finish(self) -> bytes:
        """Pass on the last line; return what was kept."""
        if self._line:
            self._say(bytes(self._line))
            self._line.clear()
        gap = f"\n[{self._dropped} bytes dropped]\n".encode() if self._dropped else b""
        return bytes(self._head) + gap + bytes(self._tail)


def follow(
    child: subprocess.Popen[bytes],
    outputs: tuple[Output, Output],
    deadline: float,
    cancelled: Callable[[], bool],
) -> Ending:
    """Read both outputs until the child ends or has to be ended; return which it was."""
    handle = os.pidfd_open(child.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ, None)
            for stream, output in zip((child.stdout, child.stderr), outputs, strict=True):
                assert stream is not None
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ, output)
            while True:
                left_s = deadline - time.monotonic()
                is_cancelled = cancelled()
                wait_s = 0.0 if is_cancelled else max(0.0, min(left_s, _LOOK_EVERY_S))
                if _read_ready(selector, wait_s):  # first: what has ended cannot be ended any more
                    child.wait()
                    drained_by = time.monotonic() + 1.0  # a daemon left behind may never stop
                    while _drain(selector) and time.monotonic() < drained_by:
                        pass
                    return Ending.BY_ITSELF
                if left_s <= 0:
                    return Ending.TIMED_OUT
                if is_cancelled:
                    return Ending.CANCELLED
    finally:
        os.close(handle)


def _read_ready(selector: selectors.BaseSelector, wait_s: float) -> bool:
    """Read what is there; True when the child has ended."""
    has_ended = False
    for key, _ in selector.select(wait_s):
        if key.data is None:
            has_ended = True
        else:
            _read_once(selector, key)
    return has_ended


def _drain(selector: selectors.BaseSelector) -> bool:
    """Read what an ended child left in its pipes; True while there may be more."""
    ready = [key for key, _ in selector.select(0) if key.data is not None]
    still_open = [_read_once(selector, key) for key in ready]  # a list: read all, not up to a hit
    return any(still_open)


def _read_once(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> bool:
    try:
        piece = os.read(key.fd, 65_536)
    except BlockingIOError:
        return False
    if not piece:
        selector.unregister(key.fileobj)
        return False
    key.data.take(piece)
    return True
