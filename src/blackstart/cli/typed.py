# SPDX-License-Identifier: Apache-2.0
"""What a person types, waited for in short steps, so that Ctrl-C ends the waiting for certain.

`input()` can miss a signal that comes just before it blocks, and then waits for the next key.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
from collections.abc import Sequence
from contextlib import suppress

import click

_LOOK_EVERY_S = 0.1


def fitting(text: str, choices: Sequence[str]) -> tuple[str, ...]:
    """Return the choices that a typed text can mean: it alone, or all that begin with it.

    Capitals make no difference. Nothing typed means the only choice where there is one only.
    """
    typed = text.strip().casefold()
    if not typed:
        return tuple(choices) if len(choices) == 1 else ()
    exact = tuple(each for each in choices if each.casefold() == typed)
    return exact or tuple(each for each in choices if each.casefold().startswith(typed))


class TypedLines:
    """The lines typed at a terminal; the waiting for one ends when `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        """Read standard input from now on."""
        self._stop = stop
        self._source = sys.stdin.fileno()
        self._held = b""

    def forget(self) -> None:
        """Throw away what was typed before a question could be read, at a terminal only."""
        with suppress(termios.error):  # no terminal: lines that were prepared, one for each ask
            termios.tcflush(self._source, termios.TCIFLUSH)
            self._held = b""

    def ask(self, question: str, choices: Sequence[str] = ()) -> str:
        """Return what is typed; with choices, the one that it means, asked until it means one.

        Raises KeyboardInterrupt when `stop` was set, Abort at the end of the input.
        """
        shown = f"{question}{_say_choices(choices)}: "
        while True:
            click.echo(shown, nl=False)
            line = self._next()
            if not choices:
                return line
            meant = fitting(line, choices)
            if len(meant) == 1:
                return meant[0]
            what = f"can mean {' or '.join(meant)}" if meant else "is none of them"
            click.echo(f"'{line}' {what}.")

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


def _say_choices(choices: Sequence[str]) -> str:
    if not choices:
        return ""
    if len(choices) == 1:
        return f" ({choices[0]}; the only one, so Enter alone says it)"
    return f" ({', '.join(choices)}; the first letters do)"
