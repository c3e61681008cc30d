# SPDX-License-Identifier: Apache-2.0
"""What an action leaves in the world, so that anyone who comes later knows how far it got.

Each attempt has two small files in the site's `keys` folder: `VERB.ID.begun` before it touches
anything and `VERB.ID.key` when it is done, with its result. ID stands for the attempt's key.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from blackstart.model.errors import BlackstartError, WorldFailed
from blackstart.model.runbook import Param
from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Partial,
    without_secrets,
)
from blackstart.world.clock import wait_until
from blackstart.world.files import write_durably
from blackstart.world.process import ProcessError
from blackstart.world.sites import SiteError

S = TypeVar("S")
_FOR_ROOM_S = 10.0
_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The content of a key file; `work` tells apart what one verb does several times in a place."""

    key: str
    marker: str
    verb: str
    at: str
    summary: str = ""
    degraded: str = ""
    outputs: Mapping[str, Param] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    work: str = ""


def returns_failures(
    work: Callable[[S, Context], Outcome],
) -> Callable[[S, Context], Outcome]:
    """Turn what the world refused into a returned `Failed`; bugs go on as exceptions."""

    @functools.wraps(work)
    def guarded(self: S, context: Context) -> Outcome:
        try:
            return work(self, context)
        except BlackstartError as failure:
            return Failed(summary=failure.what, hint=failure.hint)
        except (ProcessError, SiteError) as failure:
            return Failed(summary=str(failure), hint=failure.hint)
        except OSError as failure:
            what = f"{failure.filename or 'the machine'}: {failure.strerror or failure}"
            hint = "look at the file, its rights and the free space"
            if failure.errno in _SHORTAGES:
                hint = "raise that limit or end what uses it up, then retry"
            return Failed(summary=what, hint=hint)

    return guarded


def begin(directory: Path, verb: str, context: Context, *, work: str = "") -> None:
    """Leave the sign that this attempt starts to change things."""
    folder = directory / "keys"
    folder.mkdir(mode=0o700, exist_ok=True)
    _write(_path(directory, verb, context, "begun"), replace(_trace(verb, context), work=work))


def finish(directory: Path, verb: str, context: Context, done: Done) -> Done:
    """Leave the sign that this attempt is done, with its result, and return the result.

    A disk that is full at that moment is waited for. Raises WorldFailed when it stays so: the work
    is done then, and whoever reads that must not have it done once more.
    """
    trouble: OSError | None = None

    def is_over() -> bool:
        nonlocal trouble
        try:
            write_trace(_path(directory, verb, context, "key"), verb, context, done)
            trouble = None
        except OSError as refusal:
            trouble = refusal
        return trouble is None or context.cancelled()

    wait_until(is_over, timeout_s=_FOR_ROOM_S, every_s=0.2)
    if trouble is not None:
        raise WorldFailed(
            f"{verb} has done its work, and {directory} did not take the note of it "
            f"({trouble.strerror})",
            "make room there, look at the work, then finish the step by hand (`step done`): "
            "a retry could do it a second time",
        )
    return done


def write_trace(path: Path, verb: str, context: Context, done: Done) -> None:
    """Write the result of an attempt to a file of its own, durably."""
    _write(
        path,
        Trace(
            key=context.key,
            marker=context.marker,
            verb=verb,
            at=_stamp(context),
            summary=context.redact(done.summary),
            degraded=context.redact(done.degraded),
            outputs={k: without_secrets(context.redact, v) for k, v in done.outputs.items()},
            evidence=done.evidence,
        ),
    )


def finding(
    directory: Path, verb: str, context: Context, holds: Callable[[], bool] = lambda: True
) -> Finding:
    """Say how far the attempt got; `holds` is asked whether finished work is still there."""
    trace = read_trace(_path(directory, verb, context, "key"))
    if trace is not None and holds():
        return done_of(trace)
    if trace is not None:
        return Partial(note=f"{verb} had been done at {trace.at}, and its work is gone")
    if _path(directory, verb, context, "begun").exists():
        return Partial(note=f"{verb} was begun and did not come to its end")
    return NotDone(note=f"there is no trace of {verb} with this key")


def done_of(trace: Trace) -> Done:
    """Return the result that a key file holds."""
    return Done(
        summary=trace.summary,
        degraded=trace.degraded,
        outputs=trace.outputs,
        evidence=trace.evidence,
    )


def read_trace(path: Path) -> Trace | None:
    """Return the content of a key file; None when there is no whole one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Trace)
    except (OSError, msgspec.DecodeError):
        return None


def traces_of(directory: Path, verb: str, marker: str) -> tuple[Trace, ...]:
    """Return what this run finished with that verb, oldest first."""
    found = (read_trace(path) for path in (directory / "keys").glob(f"{verb}.*.key"))
    ours = (trace for trace in found if trace is not None and trace.marker == marker)
    return tuple(sorted(ours, key=lambda trace: trace.at))


def has_begun(directory: Path, verb: str, marker: str, *, work: str = "") -> bool:
    """Say whether any attempt of this run began with that verb (and that work) here."""
    return bool(_begun_by(directory, verb, marker, work))


def forget(directory: Path, verb: str, marker: str, *, work: str = "") -> None:
    """Remove every trace that this run left of that verb (and work): it was taken back."""
    for path in _begun_by(directory, verb, marker, work):
        path.with_suffix(".key").unlink(missing_ok=True)
        path.unlink()


def _begun_by(directory: Path, verb: str, marker: str, work: str) -> list[Path]:
    found = ((path, read_trace(path)) for path in (directory / "keys").glob(f"{verb}.*.begun"))
    return [
        path
        for path, trace in found
        if trace is not None and trace.marker == marker and work in {"", trace.work}
    ]


def _trace(verb: str, context: Context) -> Trace:
    return Trace(key=context.key, marker=context.marker, verb=verb, at=_stamp(context))


def _write(path: Path, trace: Trace) -> None:
    write_durably(path, msgspec.json.encode(trace, order="deterministic"))


def _path(directory: Path, verb: str, context: Context, end: str) -> Path:
    return directory / "keys" / f"{verb}.{sha256(context.key.encode()).hexdigest()[:12]}.{end}"


def _stamp(context: Context) -> str:
    return context.now().isoformat(timespec="milliseconds")
