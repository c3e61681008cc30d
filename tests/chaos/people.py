# SPDX-License-Identifier: Apache-2.0
"""The people of a quick day: they answer by the real commands, and look before they act.

A command can be killed too; whoever typed it sees that the question is still open and types again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from blackstart.model.incident import AskView, Incident
from tests.chaos.quick import COMMANDER, DEPUTY, Quick

_GONE = "there is no living site"
_AGAIN_S = 1.0  # until a question that is still open after its command is answered anew


@dataclass(slots=True, kw_only=True)
class People:
    """What they have typed and not yet seen the end of; `doomed_s` kills their next command."""

    quick: Quick
    doomed_s: list[float] = field(default_factory=list)
    typed: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    kill_at_s: dict[str, float] = field(default_factory=dict)
    again_at_s: dict[str, float] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run one command to its end."""
        return subprocess.run(self._argv(words), capture_output=True, timeout=60, check=False)

    def look(self, incident: Incident) -> None:
        """Answer what is open, and deal with the commands under way."""
        now_s = time.monotonic()
        for name, command in list(self.typed.items()):
            if command.poll() is None:
                if now_s >= self.kill_at_s.get(name, now_s + 1):
                    self.kill_at_s.pop(name)
                    os.kill(command.pid, signal.SIGKILL)
                    self.killed.append(name)
                continue
            self.typed.pop(name)
            self.again_at_s[name] = now_s + _AGAIN_S
        if incident.paused and not incident.undoing:
            self._say("paused", lambda: ("resume", incident.id, "--as", COMMANDER))
        for ask in incident.open_asks():
            self._say(ask.opened.ask, partial(self._answer, incident, ask))

    def end(self) -> None:
        """End what is still being typed."""
        for command in self.typed.values():
            command.kill()
            command.wait()

    def _say(self, name: str, choose: Callable[[], tuple[str, ...]]) -> None:
        if name not in self.typed and time.monotonic() >= self.again_at_s.get(name, 0.0):
            self._type(name, choose())

    def _type(self, name: str, words: tuple[str, ...]) -> None:
        with (self.quick.root / "people.log").open("ab") as log:
            log.write(f"$ blackstart {' '.join(words)}\n".encode())
            log.flush()
            self.typed[name] = subprocess.Popen(self._argv(words), stdout=log, stderr=log)
        if self.doomed_s:
            self.kill_at_s[name] = time.monotonic() + self.doomed_s.pop(0)

    def _argv(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "blackstart", *words, "--home", str(self.quick.home)]

    def _answer(self, incident: Incident, ask: AskView) -> tuple[str, ...]:
        step = ask.opened.step
        match ask.opened.kind:
            case "acknowledge":
                return ("acknowledge", incident.id, "--as", COMMANDER)
            case "decision":
                return ("activate", incident.id, "--as", COMMANDER, "--why", "it is lost")
            case "gate":
                return ("approve", incident.id, step, "--as", DEPUTY)
            case "manual":
                return (*_done(incident, step), *self._evidence)
            case "stopped":
                return self._after_stop(incident, ask)
            case "signoff":
                return ("close", incident.id, "--as", COMMANDER)
            case _:
                return ("answer", incident.id, ask.opened.ask, "noted", "--as", ask.persons[0])

    def _after_stop(self, incident: Incident, ask: AskView) -> tuple[str, ...]:
        step = ask.opened.step
        if _GONE in ask.opened.text:
            undo = ("step", "undo", incident.id, "create_environment", "--and-later")
            return (*undo, "--as", COMMANDER, "--why", "its machine was restarted")
        if step == "assess_damage":
            self._do_once()
            return (*_done(incident, step), *self._evidence)
        (self.quick.root / "repaired").touch()
        return ("step", "retry", incident.id, step, "--as", COMMANDER)

    @property
    def _evidence(self) -> tuple[str, ...]:
        return ("--evidence", str(self.quick.root / "seen.txt"))

    def _do_once(self) -> None:
        """Look whether it was done, and do it by hand when it was not."""
        effect = self.quick.root / "once"
        if not effect.exists():
            effect.write_text("by hand\n")


def _done(incident: Incident, step: str) -> tuple[str, ...]:
    return ("step", "done", incident.id, step, "--as", DEPUTY)
