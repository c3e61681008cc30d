# SPDX-License-Identifier: Apache-2.0
"""Any program as an action: for what no provider knows yet.

The program is given as a list of words and never goes through a shell. It dies with us. Programs
that it started itself may outlive it: they are found by the attempt's key in their environment, and
nothing is repeated while one of them runs. What it did to the world only its author knows, so the
plan has to say whether it may be run a second time.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.model.errors import WorldFailed
from blackstart.model.runbook import Param
from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Partial,
    Running,
    Unknown,
)
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import directory_of, said, seconds_left, work_in
from blackstart.providers.traces import (
    begin,
    finding,
    finish,
    forget,
    has_begun,
    returns_failures,
)
from blackstart.world import process
from blackstart.world.sites import inside

_VERB = "command.run"
_KEPT_BYTES = 200_000
_KEY, _TRACES = "BLACKSTART_KEY", "BLACKSTART_TRACES"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Run a program to its end and expect an exit code.

    Runs on this machine, or inside `site` of `place` as `user` when a site is named. The trace of
    each attempt is left in `traces` (a folder; in a site its own `keys` folder when not given).
    `repeatable` says that it may be run again after it was cut off in its middle; without it such
    an attempt is shown to a person. `BLACKSTART_KEY` in its environment names the attempt: a good
    command leaves it with what it does. Its output is kept as evidence: it must not print secrets.

    With `prints_json` its standard output has to be one JSON document, which becomes the output
    `json`; `value_at` names one value in it (`instances.0.address`), which becomes `value`. Secrets
    of `secret_env` are put into its environment; not in a site, where others could see them.
    `undo_argv` takes its work back and may be run more than once; what runs in a site needs none,
    because the site goes as a whole.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "code": "the exit code",
        "text": "the last line of the standard output",
        "took_s": "how long it ran, in seconds",
        "json": "what it printed, with `prints_json`",
        "value": "the value at `value_at` of what it printed",
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
    prints_json: bool = False
    value_at: str = ""
    secret_env: Mapping[str, SecretRef] = field(default_factory=dict)
    undo_argv: tuple[str, ...] = ()

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
        if self.secret_env and self.site:
            return Failed(
                summary="Secrets cannot be put into the environment of a command in a site.",
                hint="let the command read them from a file of mode 0600 in the site",
            )
        folder = self._folder(context)
        folder.mkdir(parents=True, exist_ok=True)
        begin(folder, _VERB, context, work=self._work)
        try:
            done = self._run(self.argv, context)
        except (process.ProcessTimedOut, process.ProcessCancelled) as cut:
            return self._cut_off(cut, context)
        evidence = (context.keep(f"{Path(self.argv[0]).name}.txt", done.out + done.err),)
        if done.code != self.expected_code:
            return self._failed(done, evidence)
        lines = done.text.strip().splitlines()
        result = Done(
            summary=f"{self.argv[0]} ended with {done.code} after {done.took_s:.1f} s.",
            outputs={
                "code": done.code,
                "text": lines[-1] if lines else "",
                "took_s": round(done.took_s, 3),
                **self._read(done),
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
        if isinstance(found, Partial) and (left := process.with_environment(self._names(context))):
            pids = ", ".join(map(str, left))
            return Running(note=f"{self.argv[0]} left processes that still run: {pids}")
        if isinstance(found, Partial) and not self.repeatable:
            return Unknown(
                note=f"{self.argv[0]} was begun and its end is not known; the plan does not say "
                "that it may be repeated",
                for_good=True,
            )
        return found

    def cancel(self, context: Context) -> Outcome:
        """Kill what the command started and left running, wherever it moved to."""
        left = process.end_with_environment(self._names(context))
        if left:
            return Failed(
                summary=f"processes of {self.argv[0]} do not die: {', '.join(map(str, left))}",
                hint="look what they wait for (state D: a disk or a network file system)",
            )
        return Done(summary=f"Nothing that {self.argv[0]} started runs any more.")

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Run `undo_argv`, where this run ran the command; in a site nothing is needed."""
        if self.site and not self.undo_argv:
            return Done(summary=f"What {self.argv[0]} did in site {self.site} goes with it.")
        folder = Path(self.traces) if self.traces else directory_of(self.place, self.site)
        if not has_begun(folder, _VERB, context.marker, work=self._work):
            return Done(summary=f"{self.argv[0]} was not run by this run.")
        if not self.undo_argv:
            return Failed(
                summary=f"Nothing says how to take back what {self.argv[0]} did.",
                hint="take it back by hand; give `undo_argv` in the plan for the next time",
            )
        done = self._run(self.undo_argv, context)
        evidence = (context.keep(f"{Path(self.undo_argv[0]).name}.txt", done.out + done.err),)
        if done.code != 0:
            return Failed(
                summary=f"{self.undo_argv[0]} ended with {done.code}, expected 0: {said(done)}.",
                hint="read its output (evidence), and take the work back by hand",
                evidence=evidence,
            )
        forget(folder, _VERB, context.marker, work=self._work)
        return Done(summary=f"{self.undo_argv[0]} took the work back.", evidence=evidence)

    def _failed(self, done: process.Completed, evidence: tuple[str, ...]) -> Failed:
        how = f"ended with {done.code}"
        hint = "read its output (evidence), repair the cause, and run the step again"
        if done.code == -signal.SIGKILL:
            how = "was killed"
            hint = (
                "when nobody did that, the machine was out of memory (`dmesg`): make room, look "
                "what it did, then retry"
            )
        summary = f"{self.argv[0]} {how}, expected {self.expected_code}: {said(done)}."
        return Failed(summary=summary, hint=hint, evidence=evidence)

    def _cut_off(self, cut: process.ProcessError, context: Context) -> Failed:
        """Say that it was ended in its middle, or after its work: nobody but its author knows.

        Its group is dead by now; what left the group, or ignores every request, is killed here.
        """
        self.cancel(context)
        again = "may be run again" if self.repeatable else "is not repeatable, the plan says"
        return Failed(
            summary=f"{cut.what}; it may have done its work, or a part of it.",
            hint=f"look what it did: it {again}. Then retry, or finish the step by hand; if it is "
            "only slow, allow it more time (`limit`)",
            is_held=not self.repeatable,
            evidence=(context.keep(f"{Path(self.argv[0]).name}.txt", cut.out + cut.err),),
        )

    @property
    def _work(self) -> str:
        """Return what tells this command from others that leave their traces in the same folder."""
        words = "\0".join([self.place, self.site, self.user, self.cwd, *self.argv])
        return sha256(words.encode()).hexdigest()

    def _run(self, argv: tuple[str, ...], context: Context) -> process.Completed:
        return process.run(
            self._command(argv, context),
            timeout_s=seconds_left(context),
            cwd=None if self.site else Path(self.cwd),
            env=self._environment(context),
            cancelled=context.cancelled,
            keep_bytes=_KEPT_BYTES,
        )

    def _environment(self, context: Context) -> Mapping[str, str] | None:
        if self.site:
            return None
        secret = {name: context.reveal(ref).strip() for name, ref in self.secret_env.items()}
        # Beside secrets alone the rest of the environment stays; a given one replaces it.
        return {**(self.env or os.environ), **secret, **self._names(context)}

    def _names(self, context: Context) -> Mapping[str, str]:
        """Return what every process of this attempt has in its environment."""
        traces = Path(self.traces) if self.traces else directory_of(self.place, self.site)
        return {_KEY: context.key, _TRACES: str(traces)}

    def _read(self, done: process.Completed) -> Mapping[str, Param]:
        """Return the outputs that come from JSON. Raises WorldFailed."""
        if not (self.prints_json or self.value_at):
            return {}
        try:
            found: Param = msgspec.json.decode(done.out)
        except msgspec.MsgspecError as wrong:
            raise WorldFailed(
                f"{self.argv[0]} printed no JSON: {wrong}",
                "let it print one JSON document on its standard output, and nothing else there",
            ) from wrong
        return {"json": found, **({"value": pick(found, self.value_at)} if self.value_at else {})}

    def _folder(self, context: Context) -> Path:
        if self.traces:
            return Path(self.traces)
        return work_in(self.place, self.site, context).directory

    def _command(self, argv: tuple[str, ...], context: Context) -> list[str]:
        if not self.site:
            return list(argv)
        site = work_in(self.place, self.site, context).site
        env = {**self.env, **self._names(context)}
        return inside(site, argv, user=self.user, cwd=self.cwd, env=env)


def pick(document: Param, path: str) -> Param:
    """Return the value at a path such as `instances.0.address`. Raises WorldFailed."""
    here = document
    for word in path.split("."):
        if isinstance(here, dict) and word in here:
            here = here[word]
        elif isinstance(here, list) and word.isdigit() and int(word) < len(here):
            here = here[int(word)]
        else:
            raise WorldFailed(
                f"the JSON has nothing at '{word}' of '{path}'",
                "look at what the command printed (evidence), and correct `value_at`",
            )
    return here


PROVIDES: Mapping[str, type] = {"run": Run}
