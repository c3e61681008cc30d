# SPDX-License-Identifier: Apache-2.0
"""What a person types, waited for in short steps, so that Ctrl-C ends the waiting for certain.

`input()` can miss a signal that comes just before it blocks, and then waits for the next key.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Sequence

import click

_LOOK_EVERY_S = 0.1


class TypedLines:
    """The lines typed at a terminal; the waiting for one ends when `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        """Read standard input from now on."""
        self._stop = stop
        self._source = sys.stdin.fileno()
        self._held = b""

    def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        """Return what is typed; with choices, ask until it is one of them.

        Raises KeyboardInterrupt when `stop` was set, Abort at the end of the input.
        """
        shown = f"{question} ({', '.join(choices)}): " if choices else f"{question}: "
        while True:
            click.echo(shown, nl=False)
            line = self._next()
            if not choices or line in choices:
                return line
            click.echo(f"'{line}' is none of them.")

    def _next(self) -> str:
        while b"\n" not in self._held:
            if self._stop.is_set():
                raise KeyboardInterrupt
            if select.select([self._source], [], [], _LOOK_EVERY_S)[0]:
                piece = os.read(self._source, 4096)
                if not piece:
                    raise click.Abort
                self._held += piece
        line, _, self._held = self._held.partition(b"\n")
        return line.decode("utf-8", "replace").strip()
