# SPDX-License-Identifier: Apache-2.0
"""Any long-running program as the application of a site: started, and seen to stay up.

What was started is written to DIRECTORY/run/NAME.json: process and start time. A later attempt ends
what was started under the name, also when the note was not written any more. Its output goes to
DIRECTORY/log/NAME.log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.model.errors import Refused, WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, Outcome
from blackstart.providers.limits import wait_within
from blackstart.providers.places import (
    Workplace,
    directory_of,
    end_started,
    look_into,
    work_in,
)
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world import process
from blackstart.world.clock import SystemClock
from blackstart.world.files import write_durably
from blackstart.world.http import FetchFailed
from blackstart.world.sites import USERS, start_inside

_VERB = "program.start"
_LAST_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A program that was started: its process on this machine."""

    pid: int
    started_ticks: int

    @property
    def is_alive(self) -> bool:
        """Say whether that very process runs."""
        return process.is_alive(self.pid, self.started_ticks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start a long-running program in the site and wait until its page answers.

    `argv` is run as `user` in the folder `cwd` (within the site's folder), never through a shell.
    `page` is a URL inside the site; it has to answer `status`. The program lives as long as the
    site, also when Blackstart dies. One that an earlier attempt started is ended first.
    """

    outputs: ClassVar[Mapping[str, str]] = {"pid": "the program's process on this machine"}
    place: str
    site: str
    name: str
    argv: tuple[str, ...]
    page: str
    status: int = 200
    user: str = "app"
    cwd: str = "app"
    env: Mapping[str, str] = field(default_factory=dict)

    def preview(self, context: Context) -> str:
        """Say what would be started."""
        return f"{' '.join(self.argv)} would be started on site {self.site} as {self.user}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """End what an earlier attempt left, start, wait for the first answer."""
        work = work_in(self.place, self.site, context)
        if not self.argv or self.user not in USERS or "/" in self.name:
            raise Refused(
                "the program to start is not described",
                f"give `argv`, a `name` without '/', and a `user` of: {', '.join(USERS)}",
            )
        begin(work.directory, _VERB, context)
        end_started(work, self.name, grace_s=5.0)
        started = self._start(work)
        self._wait_for_page(work, started)
        done = Done(
            summary=f"{self.name} answers {self.status} at {self.page}, process {started.pid}",
            outputs={"pid": started.pid},
        )
        return finish(work.directory, _VERB, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key and a program that lives and answers."""
        directory = directory_of(self.place, self.site)

        def holds() -> bool:
            started = read_running(directory, self.name)
            try:
                work = look_into(self.place, self.site, context)
            except WorldFailed:
                return False
            return started is not None and started.is_alive and self._answers(work)

        return finding(directory, _VERB, context, holds)

    def _start(self, work: Workplace) -> Running:
        log_of(work.directory, self.name).unlink(missing_ok=True)
        folder = str(work.directory / self.cwd)
        env = {"HOME": folder, **self.env}
        pid = start_inside(work.site, self.name, self.argv, user=self.user, cwd=folder, env=env)
        started = Running(pid=pid, started_ticks=process.started_ticks(pid) or 0)
        (work.directory / "run").mkdir(mode=0o700, exist_ok=True)
        write_durably(_record_of(work.directory, self.name), msgspec.json.encode(started))
        return started

    def _wait_for_page(self, work: Workplace, started: Running) -> None:
        wait_within(work.context, lambda: not started.is_alive or self._answers(work), every_s=0.05)
        if started.is_alive and self._answers(work):
            return
        what = f"does not answer {self.status} at {self.page}" if started.is_alive else "ended"
        log = log_of(work.directory, self.name)
        raise WorldFailed(f"{self.name} {what}: {_last_words(log)}", f"read {log}")

    def _answers(self, work: Workplace) -> bool:
        return _status_of(work, self.page) == self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectStable:
    """Expect that the program stays up, in the same process, and answers, for some seconds.

    The first answer proves little: many programs crash a moment later, or are started anew again
    and again.
    """

    outputs: ClassVar[Mapping[str, str]] = {"for_s": "how long it stayed up, in seconds"}
    place: str
    site: str
    name: str
    page: str
    status: int = 200
    for_s: float = 5.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look again and again until the time is over or something changed."""
        work = look_into(self.place, self.site, context)
        clock = SystemClock()
        began_s = clock.monotonic_s()
        first = read_running(work.directory, self.name)
        problem = ""

        def has_changed() -> bool:
            nonlocal problem
            problem = self._problem(work, first)
            return bool(problem)

        wait_within(context, has_changed, at_most_s=float(self.for_s), every_s=0.25)
        lasted_s = clock.monotonic_s() - began_s
        if problem or lasted_s < self.for_s:
            return Failed(
                summary=problem or f"stopped on request after {lasted_s:.1f} s",
                hint=f"read {log_of(work.directory, self.name)}, then start it again",
            )
        return Done(
            summary=f"{self.name} stayed up and answered for {self.for_s:g} s",
            outputs={"for_s": float(self.for_s)},
        )

    def _problem(self, work: Workplace, first: Running | None) -> str:
        now = read_running(work.directory, self.name)
        if first is None or now is None or not now.is_alive:
            return f"{self.name} does not run: {_last_words(log_of(work.directory, self.name))}"
        if now != first:
            return f"{self.name} was started again meanwhile"
        status = _status_of(work, self.page)
        return "" if status == self.status else f"{self.page} answers {status or 'nothing'}"


def read_running(directory: Path, name: str) -> Running | None:
    """Return what was started under that name; None when nothing was."""
    try:
        return msgspec.json.decode(_record_of(directory, name).read_bytes(), type=Running)
    except (OSError, msgspec.DecodeError):
        return None


def log_of(directory: Path, name: str) -> Path:
    """Return the file that a program's output goes to."""
    return directory / "log" / f"{name}.log"


def _record_of(directory: Path, name: str) -> Path:
    return directory / "run" / f"{name}.json"


def _status_of(work: Workplace, page: str) -> int:
    """Return the status that a page answers with, 0 when it does not answer."""
    try:
        return work.get(page, limit_s=2.0).status
    except FetchFailed:
        return 0


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").splitlines()[-3:]
    except OSError:
        return "it left no log"
    return " | ".join(lines)[-_LAST_CHARACTERS:] or "it said nothing"


PROVIDES: Mapping[str, type] = {"start": Start, "expect_stable": ExpectStable}
