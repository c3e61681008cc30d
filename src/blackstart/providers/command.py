# SPDX-License-Identifier: Apache-2.0
"""Any program as an action: for what no provider knows yet.

The program is given as a list of words and never goes through a shell. It dies with us. What it did
to the world only its author knows, so the plan has to say whether it may be run a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Partial,
    Unknown,
)
from blackstart.providers.places import said, seconds_left, work_in
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world import process
from blackstart.world.sites import inside

_VERB = "command.run"
_KEPT_BYTES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run a program to its end and expect an exit code.

    Runs on this machine, or inside `site` of `place` as `user` when a site is named. The trace of
    each attempt is left in `traces` (a folder; in a site its own `keys` folder when not given).
    `repeatable` says that it may be run again after it was cut off in its middle; without it such
    an attempt is shown to a person. Its output is kept as evidence: it must not print secrets.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "code": "the exit code",
        "text": "the last line of the standard output",
        "took_s": "how long it ran, in seconds",
    }

    argv: tuple[str, ...]
    traces: str = ""
    place: str = ""
    site: str = ""
    user: str = "root"
    cwd: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    expected_code: int = 0
    repeatable: bool = False

    def preview(self, context: Context) -> str:
        """Say what would be run where."""
        where = f"in site {self.site}" if self.site else "on this machine"
        return f"{' '.join(self.argv)} would be run {where}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Run it."""
        if not self.argv or not (self.traces or self.site):
            return Failed(
                summary="The command or the folder for its trace is not given.",
                hint="give `argv`, and `traces` when it does not run in a site",
            )
        folder = self._folder(context)
        folder.mkdir(parents=True, exist_ok=True)
        begin(folder, _VERB, context)
        done = process.run(
            self._command(context),
            timeout_s=seconds_left(context),
            cwd=None if self.site else Path(self.cwd),
            env=None if self.site or not self.env else dict(self.env),
            cancelled=context.cancelled,
            keep_bytes=_KEPT_BYTES,
        )
        evidence = (context.keep(f"{Path(self.argv[0]).name}.txt", done.out + done.err),)
        if done.code != self.expected_code:
            return Failed(
                summary=f"{self.argv[0]} ended with {done.code}, "
                f"expected {self.expected_code}: {said(done)}.",
                hint="read its output (evidence), repair the cause, and run the step again",
                evidence=evidence,
            )
        lines = done.text.strip().splitlines()
        result = Done(
            summary=f"{self.argv[0]} ended with {done.code} after {done.took_s:.1f} s.",
            outputs={
                "code": done.code,
                "text": lines[-1] if lines else "",
                "took_s": round(done.took_s, 3),
            },
            evidence=evidence,
        )
        return finish(folder, _VERB, context, result)

    def inspect(self, context: Context) -> Finding:
        """Look for the trace of this attempt."""
        folder = Path(self.place) / self.site if self.site else Path(self.traces)
        if not folder.exists():
            return NotDone(note=f"there is no folder {folder}")
        found = finding(Path(self.traces) if self.traces else folder, _VERB, context)
        if isinstance(found, Partial) and not self.repeatable:
            return Unknown(
                note=f"{self.argv[0]} was begun and its end is not known; the plan does not say "
                "that it may be repeated"
            )
        return found

    def _folder(self, context: Context) -> Path:
        if self.traces:
            return Path(self.traces)
        return work_in(self.place, self.site, context).directory

    def _command(self, context: Context) -> list[str]:
        if not self.site:
            return list(self.argv)
        site = work_in(self.place, self.site, context).site
        return inside(site, self.argv, user=self.user, cwd=self.cwd, env=self.env)


PROVIDES: Mapping[str, type] = {"run": Run}
