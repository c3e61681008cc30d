# SPDX-License-Identifier: Apache-2.0
"""Files and folders copied to where they are needed: whole or not at all, compared, taken back.

Beside a copy NAME stand, until it is taken back: `.NAME.blackstart` (which run made it, in which
attempt, and its digest) and, when something was replaced, `.NAME.blackstart-before` (that thing).
"""

from __future__ import annotations

import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.model.errors import Refused, WorldFailed
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
from blackstart.providers.places import seconds_left, work_in
from blackstart.providers.traces import returns_failures
from blackstart.world.file_trees import (
    Look,
    Measure,
    copy_durably,
    exchange,
    measure,
    put_new,
    remove,
)
from blackstart.world.files import free_bytes, sync_folder, write_durably
from blackstart.world.sites import USERS


class Mark(msgspec.Struct, frozen=True):
    """Who put a copy in place, in which attempt, and what it holds.

    `earlier` is the digest of what an earlier attempt of the same run had put there, `before` the
    mark of another run whose copy was replaced.
    """

    key: str
    marker: str
    at: str
    digest: str
    files: int
    size_bytes: int
    replaced: bool = False
    earlier: str = ""
    before: Mark | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """Copy a file or a folder with all in it to the path `into`, in one step.

    What is there already and was not put there by this run is refused, unless `replace` is true
    and `reason` says why; it is kept beside it, and an undo puts it back. `into` is the path of the
    copy itself, not of a folder that it goes into; its folder has to be there. With `place` and
    `site` it has to lie in the folder of that site, which this run made. `digest` is the SHA-256
    that the source must have; the copy is compared with the source in any case. `owner` is a user
    (of the site, or of this machine) or `UID:GID`; `mode` and `folder_mode` are octal. What is left
    out stays as in the source. Links are copied as links; devices and sockets are refused.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "path": "the copy",
        "digest": "its SHA-256 (of a folder: over names, contents and link targets)",
        "files": "how many files it holds",
        "size_bytes": "how many bytes they hold",
    }

    source: str
    into: str
    place: str = ""
    site: str = ""
    mode: str = ""
    folder_mode: str = ""
    owner: str = ""
    digest: str = ""
    replace: bool = False
    reason: str = ""

    def preview(self, context: Context) -> str:
        """Say what would be copied, and what would be replaced."""
        try:
            found = measure(Path(self.source))
        except (OSError, WorldFailed) as trouble:
            return f"{self.source} would be copied to {self.into}, and cannot be read: {trouble}"
        there = "in place of what is there" if self._path.exists() else "which is free"
        return (
            f"{self.source} ({found.files} files, {found.size_bytes} bytes) would be copied to "
            f"{self.into}, {there}"
        )

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Copy beside it, compare, and put it in place."""
        look = self._look()
        self._require_place(context)
        found = measure(Path(self.source), _Teller(context, 0))
        if self.digest and found.digest != self.digest.removeprefix("sha256:"):
            return Failed(
                summary=f"{self.source} is not what it should be: its digest is {found.digest}.",
                hint=f"{self.digest} is expected: fetch it again, or correct the plan",
            )
        self._settle(context)
        is_foreign = self._require_free(context)
        self._make_draft(found, look, context)
        mark = self._mark_of(found, context, is_foreign=is_foreign)
        write_durably(self._mark_path, msgspec.json.encode(mark))
        if self._is_there():
            exchange(self._draft_of(context), self._path)
        else:
            put_new(self._draft_of(context), self._path)
        self._settle(context)
        return self._done(mark)

    def inspect(self, context: Context) -> Finding:
        """Look for the mark of this attempt, and compare what is there with it."""
        try:
            mark = self._read_mark()
            if mark is None or mark.key != context.key:
                return NotDone(note=f"{self.into} does not carry this key")
            if not self._holds(mark):
                return Partial(note=f"{self.into} was begun, or was changed since")
        except (OSError, WorldFailed) as trouble:
            return Unknown(note=f"{self.into} cannot be read: {trouble}")
        if _exists(self._draft_of(context)):
            return Partial(note=f"what {self.into} replaced was not yet put aside")
        return self._done(mark)

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Remove the copy, and put back what it replaced; only where this run made it."""
        mark = self._read_mark()
        self._settle(context)
        if mark is None or mark.marker != context.marker:
            return Done(summary=f"This run has put nothing at {self.into}.")
        if self._is_there() and not self._holds(mark):
            # Maybe an undo that died had put back what was replaced, and only its mark is left.
            if not mark.replaced or (_exists(self._before) and not _is(self._before, mark)):
                raise Refused(
                    f"{self.into} was changed since this run put it there",
                    "look what others wrote; then remove it, or what it replaced, by hand",
                )
        elif mark.replaced and _exists(self._before):
            put_back = exchange if self._is_there() else put_new
            put_back(self._before, self._path)
        else:
            remove(self._path)
        if mark.replaced:
            remove(self._before)
        self._write_mark_back(mark)
        back = "is what it was before" if mark.replaced else "was removed"
        return Done(summary=f"{self.into} {back}.")

    @property
    def _path(self) -> Path:
        return Path(self.into)

    @property
    def _mark_path(self) -> Path:
        return self._path.with_name(f".{self._path.name}.blackstart")

    def _draft_of(self, context: Context) -> Path:
        """Return the name of this run's draft; no other run uses it."""
        run = sha256(context.marker.encode()).hexdigest()[:8]
        return self._path.with_name(f".{self._path.name}.blackstart-new-{run}")

    def _mark_of(self, found: Measure, context: Context, *, is_foreign: bool) -> Mark:
        earlier = self._read_mark()
        ours = earlier if earlier is not None and earlier.marker == context.marker else None
        return Mark(
            key=context.key,
            marker=context.marker,
            at=context.now().isoformat(timespec="milliseconds"),
            digest=found.digest,
            files=found.files,
            size_bytes=found.size_bytes,
            replaced=is_foreign or (ours is not None and ours.replaced),
            earlier=ours.digest if ours is not None else "",
            before=ours.before if ours is not None else earlier,
        )

    def _write_mark_back(self, mark: Mark) -> None:
        if mark.before is not None and self._is_there():
            write_durably(self._mark_path, msgspec.json.encode(mark.before))
            return
        self._mark_path.unlink()
        sync_folder(self._path.parent)

    @property
    def _before(self) -> Path:
        return self._path.with_name(f".{self._path.name}.blackstart-before")

    def _is_there(self) -> bool:
        return _exists(self._path)

    def _read_mark(self) -> Mark | None:
        try:
            return msgspec.json.decode(self._mark_path.read_bytes(), type=Mark)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except msgspec.MsgspecError as wrong:
            raise WorldFailed(
                f"{self._mark_path} is no mark of ours: {wrong}", "look who wrote it"
            ) from wrong

    def _holds(self, mark: Mark) -> bool:
        return _is(self._path, mark)

    def _was_made_by(self, mark: Mark) -> bool:
        return measure(self._path).digest in {mark.digest, mark.earlier}

    def _require_place(self, context: Context) -> None:
        if self.site:
            directory = work_in(self.place, self.site, context).directory.resolve()
            folder = self._path.parent.resolve()
            if directory not in (folder, *folder.parents):
                raise Refused(
                    f"{self.into} does not lie in site {self.site}", f"write a path in {directory}"
                )
        if not self._path.is_absolute() or self._path.name in {"", ".", ".."}:
            raise Refused(f"{self.into!r} is no whole path", "write one that begins with /")
        source, target = Path(self.source).resolve(), self._path.parent.resolve() / self._path.name
        if source == target or source in target.parents or target in source.parents:
            raise Refused(f"{self.source} and {self.into} lie in each other", "copy elsewhere")

    def _require_free(self, context: Context) -> bool:
        """Say whether something of others has to give way. Raises Refused when it may not."""
        mark = self._read_mark()
        if not self._is_there():
            return False
        if mark is not None and mark.marker == context.marker and self._was_made_by(mark):
            return False
        if not self.replace or not self.reason:
            raise Refused(
                f"{self.into} is there already and is not what this run put there",
                "choose another path, or say `replace: true` with a `reason`",
            )
        if _exists(self._before):
            raise Refused(
                f"{self._before} keeps what an earlier copy replaced",
                "look at it, and remove it when nobody needs it",
            )
        return True

    def _settle(self, context: Context) -> None:
        """Bring what a death may have left to one end: a draft goes, what was replaced is kept."""
        draft = self._draft_of(context)
        if not _exists(draft):
            return
        mark = self._read_mark()
        is_exchanged = mark is not None and mark.marker == context.marker and self._holds(mark)
        if is_exchanged and mark is not None and mark.replaced and not _exists(self._before):
            put_new(draft, self._before)
        else:
            remove(draft)

    def _make_draft(self, found: Measure, look: Look, context: Context) -> None:
        free = free_bytes(self._path.parent)
        if found.size_bytes > free:
            raise WorldFailed(
                f"{self.source} holds {found.size_bytes} bytes, {self._path.parent} has room for "
                f"{free}",
                "make room, or choose another path",
            )
        tell, draft = _Teller(context, found.size_bytes), self._draft_of(context)
        copy_durably(Path(self.source), draft, look, tell)
        if measure(draft).digest != found.digest:
            remove(draft)
            raise WorldFailed(
                f"{self.source} changed while it was copied, or the disk does not keep its content",
                "copy from what stands still, such as a snapshot; look at the kernel's log",
            )

    def _look(self) -> Look:
        return Look(
            owner=owner_of(self.owner, is_site=bool(self.site)) if self.owner else None,
            mode=mode_of(self.mode) if self.mode else None,
            folder_mode=mode_of(self.folder_mode) if self.folder_mode else None,
        )

    def _done(self, mark: Mark) -> Done:
        return Done(
            summary=f"{self.into} holds what the source held: {mark.files} files, "
            f"{mark.size_bytes} bytes.",
            outputs={
                "path": self.into,
                "digest": mark.digest,
                "files": mark.files,
                "size_bytes": mark.size_bytes,
            },
        )


class _Teller:
    """Tells how much was copied, and stops when the run or its time is over."""

    def __init__(self, context: Context, size_bytes: int) -> None:
        self._context = context
        self._size_bytes = size_bytes
        self._done_bytes = 0

    def __call__(self, piece_bytes: int) -> None:
        self._done_bytes += piece_bytes
        if self._context.cancelled() or seconds_left(self._context) <= 0.1:
            raise WorldFailed(
                f"the copy was stopped after {self._done_bytes} bytes",
                "run the step again, and allow it more time",
            )
        if self._size_bytes:
            self._context.progress(float(self._done_bytes), float(self._size_bytes), "B")


def mode_of(text: str) -> int:
    """Return a mode written in octal digits. Raises Refused."""
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise Refused(f"{text!r} is no mode", "write one in octal, such as '0640'")
    return mode


def owner_of(text: str, *, is_site: bool) -> tuple[int, int]:
    """Return user and group number of an owner, given by name or as UID:GID. Raises Refused."""
    user, _, group = text.partition(":")
    if user.isdigit() and (group or user).isdigit():
        return int(user), int(group or user)
    if is_site and text in USERS:
        return USERS[text], USERS[text]
    try:
        known = pwd.getpwnam(text)
    except KeyError as missing:
        raise Refused(
            f"there is no user {text!r}", "name one that is there, or UID:GID"
        ) from missing
    return known.pw_uid, known.pw_gid


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is(path: Path, mark: Mark) -> bool:
    """Say whether a path holds what the mark says."""
    return _exists(path) and measure(path).digest == mark.digest


PROVIDES: Mapping[str, type] = {"copy": Copy}
