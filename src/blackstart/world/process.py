# SPDX-License-Identifier: Apache-2.0
"""Programs of the operating system: run one to its end, start one for later, end one.

Every child is forked by ONE permanent thread, because Linux sends the parent-death signal when the
*thread* that forked ends, not when the whole program ends. A child is named by its pid together
with its start time (field 22 of /proc/PID/stat, in clock ticks), so that a reused pid is never
taken for it; signals go through a pidfd.
"""

from __future__ import annotations

import os
import queue
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, ClassVar

from blackstart.model.errors import WorldFailed
from blackstart.world.process_output import Ending, Output, follow

_SETPRIV = shutil.which("setpriv") or "/usr/bin/setpriv"
_SH = shutil.which("sh") or "/bin/sh"
# Asked after the parent-death signal was asked for: a parent that died sooner is seen here.
_IF_PARENT_LIVES = '[ "$PPID" = "$0" ] && exec "$@"'
_BOUND_WITHIN_S = 2.0
_ROUNDS = 20  # of looking for what a process that is being killed may have started
_PAUSE = threading.Event()


class ProcessError(WorldFailed):
    """A program could not be run to its end; `out` and `err` hold what it had said."""

    remedy: ClassVar[str] = "read the end of the program's output"

    def __init__(
        self, argv: tuple[str, ...], what: str, out: bytes = b"", err: bytes = b""
    ) -> None:
        super().__init__(f"{argv[0] if argv else '(nothing)'}: {what}", self.remedy)
        self.argv = argv
        self.out = out
        self.err = err


class ProcessTimedOut(ProcessError):
    """The time limit passed; the program and its group were killed."""

    remedy = "look why it hangs, or allow it more time"


class ProcessCancelled(ProcessError):
    """The caller asked to stop; the program and its group were killed."""

    remedy = "it was stopped on request, or because its time was over: allow it more, if it is slow"


class ProcessNotStarted(ProcessError):
    """The operating system refused to start the program."""

    remedy = "check that it is installed and may be executed, and that no limit was reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended by itself; a negative `code` is the signal that ended it."""

    argv: tuple[str, ...]
    code: int
    out: bytes
    err: bytes
    took_s: float

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spawned:
    """A program left running: its pid and its start time in clock ticks after boot."""

    pid: int
    started_ticks: int


def never() -> bool:
    """Answer the cancel question of a caller that never cancels."""
    return False


def run(
    argv: Sequence[str],
    *,
    timeout_s: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    cancelled: Callable[[], bool] = never,
    on_line: Callable[[str], None] | None = None,
    keep_bytes: int = 1_000_000,
) -> Completed:
    """Run a program to its end. Never raises because of its exit code.

    `on_line` gets each line of either output as it comes. Of each output at most `keep_bytes` are
    kept; the middle is dropped. What it leaves running in the background is not waited for.
    Raises ProcessTimedOut or ProcessCancelled (its whole group is killed first), or
    ProcessNotStarted.
    """
    words = tuple(argv)
    started = time.monotonic()
    child = _STARTER.start(
        lambda: _popen(words, _as_file(stdin), subprocess.PIPE, subprocess.PIPE, env, cwd, True)
    )
    outputs = (Output(keep_bytes, on_line), Output(keep_bytes, on_line))
    try:
        ending = follow(child, outputs, started + timeout_s, cancelled)
    finally:
        if child.poll() is None:
            _kill_group(child.pid)
            child.wait()
        for stream in (child.stdout, child.stderr):
            if stream is not None:
                stream.close()
    out, err = (output.finish() for output in outputs)
    if ending is Ending.CANCELLED:
        raise ProcessCancelled(words, "cancelled", out, err)
    if ending is Ending.TIMED_OUT:
        raise ProcessTimedOut(words, f"not ended after {timeout_s:g} s", out, err)
    took_s = time.monotonic() - started
    return Completed(argv=words, code=child.returncode, out=out, err=err, took_s=took_s)


def spawn(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    dies_with_us: bool,
) -> Spawned:
    """Start a program in a session of its own and leave it running; its output is added to `log`.

    With `dies_with_us` the kernel kills it when this program ends, however it ends.
    Raises ProcessNotStarted.
    """
    words = tuple(argv)

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as sink:
            return _popen(words, _as_file(stdin or b""), sink, sink, env, cwd, dies_with_us)

    child = _STARTER.start(start, keep=True)
    if dies_with_us:
        _wait_until_bound(child.pid)
    return Spawned(pid=child.pid, started_ticks=started_ticks(child.pid) or 0)


def _wait_until_bound(pid: int) -> None:
    """Wait until setpriv has become what follows: from then on the child dies with us."""
    deadline_s = time.monotonic() + _BOUND_WITHIN_S
    while time.monotonic() < deadline_s:
        try:
            program = Path(f"/proc/{pid}/exe").readlink()
        except OSError:
            return  # it has ended already
        if program.name != Path(_SETPRIV).resolve().name:
            return
        _PAUSE.wait(0.002)


def bound_to(parent: int) -> tuple[str, ...]:
    """Return the words before a command that dies with its parent, however soon the parent dies.

    Nothing is run when the parent is dead already: the kernel sends its signal only to those who
    asked for it before.
    """
    return (_SETPRIV, "--pdeathsig", "KILL", "--", _SH, "-c", _IF_PARENT_LIVES, str(parent))


def with_environment(variables: Mapping[str, str]) -> tuple[int, ...]:
    """Return the pids of living processes that were started with these variables; we see only ours.

    The environment is handed on to children, so it finds what outlived its parent.
    """
    wanted = {f"{name}={value}".encode() for name, value in variables.items()}
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            if wanted <= set((folder / "environ").read_bytes().split(b"\0")):
                found.append(int(folder.name))
    return tuple(pid for pid in sorted(found) if started_ticks(pid) is not None)


def end_with_environment(variables: Mapping[str, str]) -> tuple[int, ...]:
    """Kill every process that was started with these variables, and what those start meanwhile.

    Returns the pids of those that do not die.
    """
    for _ in range(_ROUNDS):
        found = with_environment(variables)
        if not found:
            return ()
        for pid in found:
            end(pid, _ticks_of(pid) or 0, grace_s=0)
    return with_environment(variables)


def started_ticks(pid: int) -> int | None:
    """Return when the process started, in clock ticks after boot; None when dead or a zombie."""
    return _ticks_of(pid)


def _ticks_of(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if not fields or fields[0] in "ZXx" else int(fields[19])


def children_of(pid: int) -> tuple[int, ...]:
    """Return the pids of the direct children of a process; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except OSError:
        return ()
    return tuple(int(word) for word in text.split())


def is_alive(pid: int, started_ticks: int) -> bool:
    """Return True when that very process runs: no zombie, no other process with its pid."""
    return _ticks_of(pid) == started_ticks


def end(pid: int, started_ticks: int, *, grace_s: float) -> bool:
    """Ask the process to stop, kill it after `grace_s` seconds; return True when it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if not is_alive(pid, started_ticks):
            return True
        if grace_s > 0 and _signal_and_wait(handle, signal.SIGTERM, grace_s):
            return True
        return _signal_and_wait(handle, signal.SIGKILL, 10.0)
    finally:
        os.close(handle)


def _signal_and_wait(handle: int, number: signal.Signals, limit_s: float) -> bool:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(handle, number)
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    return bool(poller.poll(limit_s * 1000))


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _as_file(content: bytes) -> IO[bytes] | int:
    """Input as a file, so that a program which never reads cannot block us."""
    if not content:
        return subprocess.DEVNULL
    source = tempfile.TemporaryFile()  # noqa: SIM115 - closed after the fork, by _popen
    source.write(content)
    source.seek(0)
    return source


def _popen(
    argv: tuple[str, ...],
    stdin: IO[bytes] | int,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    dies_with_us: bool,
) -> subprocess.Popen[bytes]:
    # No Python may run between fork and exec: another thread could hold a lock for ever there.
    # Therefore setpriv asks for the parent-death signal, and is gone with the execs that follow.
    try:
        if dies_with_us:
            found = shutil.which(argv[0], path=(env or os.environ).get("PATH")) if argv else None
            if found is None:
                raise FileNotFoundError(f"there is no program '{argv[0] if argv else ''}'")
            argv = (*bound_to(os.getpid()), found, *argv[1:])
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as refusal:
        raise ProcessNotStarted(argv, str(refusal)) from refusal
    finally:
        if not isinstance(stdin, int):
            stdin.close()


@dataclass(slots=True)
class _Starter:
    """The permanent thread that forks every child, and reaps those left running."""

    _work: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], bool, _Fresh]] = field(
        default_factory=queue.SimpleQueue
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def start(
        self, fork: Callable[[], subprocess.Popen[bytes]], *, keep: bool = False
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="starter", daemon=True)
                self._thread.start()
        fresh: _Fresh = Future()
        self._work.put((fork, keep, fresh))
        return fresh.result()

    def _serve(self) -> None:
        left_running: list[subprocess.Popen[bytes]] = []
        while True:
            fork, keep, fresh = self._work.get()
            left_running = [child for child in left_running if child.poll() is None]
            try:
                child = fork()
            except BaseException as refusal:  # noqa: BLE001 - handed to the caller's thread
                fresh.set_exception(refusal)
                continue
            if keep:
                left_running.append(child)
            fresh.set_result(child)


_Fresh = Future[subprocess.Popen[bytes]]
_STARTER = _Starter()
