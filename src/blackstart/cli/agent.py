# SPDX-License-Identifier: Apache-2.0
"""The agent: a driver for each open incident, kept alive through what passes by itself.

A full disk, a lock, a limit of the machine: it is said, waited for, and work goes on. A record that
is gone, was replaced or is damaged ends the agent, because nothing may be done without one.
"""

from __future__ import annotations

import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import click

from blackstart.bootstrap import Home, house_of, open_home, read_incidents
from blackstart.cli.driving import say, stop_on_signals
from blackstart.cli.options import with_alone, with_home
from blackstart.engine.runner import drive, is_finished
from blackstart.model.errors import (
    BlackstartError,
    JournalLost,
    JournalUnavailable,
    Superseded,
    WorldFailed,
)

_LOOK_EVERY_S = 0.2
_AGAIN_AFTER_S = 1.0
_PATIENCE_S = 2.0  # drivers wait for a lock by themselves, with an eye on their claims
_SAID_AGAIN_AFTER_S = 60.0
_QUIET_FOR_S = 5.0  # what did not come for so long and comes again is news
_SHORTAGES = (OSError, MemoryError, RuntimeError)  # the last: no thread can be started


@click.command()
@with_home
@with_alone
def agent(home: Path, alone: bool) -> None:
    """Drive every open incident of this installation until stopped, and keep its mirrors.

    What holds it up for a while (a full disk, a lock, too many open files) is said and waited for.
    It ends with exit code 7 when the record is gone, was replaced or is damaged, with 4 when the
    installation was brought back elsewhere.
    """
    opened = open_home(home, patience_s=_PATIENCE_S, alone=alone)
    drivers = _Drivers(home=opened, stop=stop_on_signals())
    opened.mirrors.confirm()
    click.echo("The agent drives what is open; end it with Ctrl-C, nothing is lost.")
    with opened.mirrors.shipping(say):
        _drive_until_stopped(drivers)


def _drive_until_stopped(drivers: _Drivers) -> None:
    try:
        while not drivers.stop.is_set():
            drivers.look()
            drivers.stop.wait(_LOOK_EVERY_S)
    finally:
        drivers.stop.set()
        for thread in drivers.threads.values():
            thread.join()


@dataclass(slots=True, kw_only=True)
class _Drivers:
    """A thread for each open incident, and when what is in the way was seen and said last."""

    home: Home
    stop: threading.Event
    threads: dict[str, threading.Thread] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    version: int = -1
    seen_s: dict[str, float] = field(default_factory=dict)
    said_s: dict[str, float] = field(default_factory=dict)

    def look(self) -> None:
        """Start a driver for each incident that has none. Raises JournalLost, Superseded."""
        for name in [name for name, thread in self.threads.items() if not thread.is_alive()]:
            del self.threads[name]
            self.version = -1
        try:
            self.home.mirrors.confirm()
            newest = self.home.journal.version()
            if newest != self.version:
                self._start()
                self.version = newest
        except (JournalLost, Superseded):
            raise
        except (BlackstartError, *_SHORTAGES) as trouble:
            self._say(trouble)

    def _start(self) -> None:
        known = frozenset(self.over) | self.threads.keys()
        for name, found in read_incidents(self.home, but=known):
            if isinstance(found, JournalUnavailable | JournalLost):
                raise found
            if isinstance(found, BlackstartError):
                self.over.add(name)
                self._say(found, name)
            elif is_finished(found):
                self.over.add(name)
            else:
                thread = threading.Thread(target=self._drive, args=(name,))
                thread.start()
                self.threads[name] = thread

    def _drive(self, incident: str) -> None:
        """Drive one incident; what is refused or cannot be recorded is said, and tried again."""
        try:
            house = house_of(self.home, incident)
            told = partial(self._say, about=incident)
            drive(replace(house, trouble=told), incident, self.stop)
        except Exception as trouble:  # noqa: BLE001  a defect too is said, redacted, not shouted
            self._say(trouble, incident)
            self.stop.wait(_AGAIN_AFTER_S)

    def _say(self, trouble: Exception, about: str = "") -> None:
        """Say what is in the way, without secrets; not again and again while it stays the same."""
        text = f"{about}: {_sentences(trouble)}" if about else _sentences(trouble)
        text = self.home.secrets.redact(text)
        now_s = time.monotonic()
        was_quiet = now_s - self.seen_s.get(text, -_QUIET_FOR_S) >= _QUIET_FOR_S
        self.seen_s[text] = now_s
        if was_quiet or now_s - self.said_s[text] >= _SAID_AGAIN_AFTER_S:
            self.said_s[text] = now_s
            with suppress(OSError):  # the disk that is full may be that of the log
                click.echo(text, err=True)


def _sentences(trouble: Exception) -> str:
    if isinstance(trouble, BlackstartError):
        return str(trouble)
    trace = "".join(traceback.format_exception(trouble))
    named = str(trouble) or type(trouble).__name__
    what = f"This machine or this program ran out of something: {named}."
    hint = "Raise the limit or end what uses it up; it is tried again by itself."
    if not isinstance(trouble, _SHORTAGES):
        what = f"Blackstart itself broke: {type(trouble).__name__}: {named}."
        hint = "This is a defect. `blackstart status` shows where it stands: go on by hand."
    return f"{trace}{WorldFailed(what, hint)}"
