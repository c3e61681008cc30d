# SPDX-License-Identifier: Apache-2.0
"""Sites on this machine: made for a recovery, fenced when lost, secured before they serve.

A site is an isolated host (see `blackstart.world.sites`). One that a run made carries its marker
and lives on when Blackstart dies. A file `served` in its folder says that it was opened to users:
from then on no retry may remove it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.model.errors import Refused
from blackstart.ports.action import Context, Done, Finding, NotDone, Outcome, Partial
from blackstart.providers.places import directory_of, look_into
from blackstart.providers.site_security import ExpectModes, Firewall, Listeners
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world.files import sync_folder, write_durably
from blackstart.world.namespaces import residents
from blackstart.world.sites import (
    USERS,
    Site,
    create_site,
    destroy_site,
    end_site,
    is_site_alive,
    load_site,
    read_record,
)

SERVED = "served"
_MARKER = "marker.json"
# Folder, owner and mode of what the other providers expect in a new site.
_FOLDERS = (
    ("pg", "postgres", 0o700),
    ("pgsock", "postgres", 0o755),
    ("pg-etc", "postgres", 0o700),
    ("flowfuse", "flowfuse", 0o750),
    ("app", "root", 0o755),  # its program belongs to root: an application cannot change itself
    ("front", "svc", 0o750),
    ("keys", "root", 0o700),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """The content of marker.json: which run made the site, and when."""

    marker: str
    made_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced:
    """The content of PLACE/SITE.fenced: who fenced the old site, when, and what ran in it then."""

    key: str
    marker: str
    fenced_at: str
    processes: tuple[str, ...] = ()
    before: Fenced | None = None  # the mark of an earlier run, which comes back at an undo


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Make a new isolated host that carries this run's marker and outlives Blackstart.

    A site of that name which this run made and which never served is removed first; any other is
    refused. `hub` is the site that holds the network. `packages` is a folder laid over /usr.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "directory": "the folder of the new site, the same path inside and outside",
        "data_directory": "the folder for the database cluster",
    }
    place: str
    site: str
    address: str
    hub: str
    packages: str = ""
    name_server: str = ""

    def preview(self, context: Context) -> str:
        """Say what would be made."""
        there = "in place of what is there" if self._is_there() else "new"
        return f"site {self.site} would be made in {self.place} with {self.address} ({there})"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Make it."""
        directory = directory_of(self.place, self.site)
        _make_room(Path(self.place), self.site, context.marker)
        _claim_folder(directory, context)
        begin(directory, "site.create", context)
        site = create_site(
            Path(self.place),
            self.site,
            address=self.address,
            marker=context.marker,
            purpose="recovered",
            hub=look_into(self.place, self.hub, context).site if self.hub else None,
            usr=Path(self.packages).resolve() if self.packages else None,
            nameserver=self.name_server or None,
            hosts=_own_names(context),
        )
        for name, owner, mode in _FOLDERS:
            _make_folder(site.directory / name, owner, mode)
        done = Done(
            summary=f"site {self.site} runs at {self.address}, process {site.init_pid}",
            outputs={"directory": str(directory), "data_directory": str(directory / "pg")},
        )
        return finish(directory, "site.create", context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for the site and this attempt's key in it."""
        directory = directory_of(self.place, self.site)
        if not directory.exists():
            return NotDone(note=f"there is no folder {directory}")
        return finding(directory, "site.create", context, self._is_alive)

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Remove the site of this run and all in it, unless it has served users."""
        directory = directory_of(self.place, self.site)
        draft = _draft_of(directory)
        if _read_marker(draft) == context.marker:
            shutil.rmtree(draft)
        if not directory.exists():
            return Done(summary=f"There is no site {self.site} in {self.place}.")
        if not _is_of(directory, context.marker):
            return Done(summary=f"Site {self.site} was not made by this run and is left alone.")
        _refuse_served(directory)
        _remove(directory)
        return Done(summary=f"Site {self.site} and all in it was removed.")

    def _is_there(self) -> bool:
        return directory_of(self.place, self.site).exists()

    def _is_alive(self) -> bool:
        return load_site(Path(self.place), self.site) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Make sure that the old site can neither serve nor write, now or when it comes back.

    All its processes are killed, and with them its network. Its files stay, as evidence. The mark
    `SITE.fenced` beside its folder keeps this installation from starting it under that name.
    What it shared with the new site (passwords, certificates) is new there, so a copy of it
    elsewhere cannot write either. A site that this run made is refused.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "fenced_at": "the moment (ISO 8601) from which the old site could neither serve nor write",
    }
    place: str
    site: str

    def preview(self, context: Context) -> str:
        """Say what would be killed."""
        site = load_site(Path(self.place), self.site)
        if site is None:
            return f"site {self.site} is gone already; it would only be marked as fenced"
        return f"all {len(residents(site))} processes of site {self.site} would be killed"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Kill what lives of it and leave the mark."""
        site = read_record(directory_of(self.place, self.site))
        if site is not None and site.marker == context.marker:
            raise Refused(
                f"site {self.site} was made by this run, so it is not the old one",
                "name the lost site in `old_site`",
            )
        was_alive = site is not None and is_site_alive(site)
        ran = _processes(site) if site is not None and was_alive else ()
        evidence = (
            (context.keep(f"{self.site}-processes.txt", "\n".join(ran).encode()),) if ran else ()
        )
        if site is not None:
            end_site(site)
        fenced = self._mark(context, ran, was_alive=was_alive)
        what = f"{len(ran)} processes killed" if was_alive else "it was already gone"
        return Done(
            summary=f"site {self.site} can neither serve nor write: {what}",
            outputs={"fenced_at": fenced.fenced_at},
            evidence=evidence,
        )

    def inspect(self, context: Context) -> Finding:
        """Look whether the old site lives and whether this attempt's mark is there."""
        fenced = read_fence(Path(self.place), self.site)
        if fenced is None or fenced.key != context.key:
            return NotDone(note=f"site {self.site} does not carry this attempt's mark")
        if load_site(Path(self.place), self.site) is not None:
            return Partial(note=f"site {self.site} is marked as fenced and lives again")
        summary = f"site {self.site} can neither serve nor write"
        return Done(summary=summary, outputs={"fenced_at": fenced.fenced_at})

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Take the mark away, so that the site may be started under its name again.

        What ran in it was killed and is not started here: that is for those who run the site.
        """
        fenced = read_fence(Path(self.place), self.site)
        if fenced is None or fenced.marker != context.marker:
            return Done(summary=f"Site {self.site} was not fenced by this run.")
        path = _fence_path(Path(self.place), self.site)
        if fenced.before is not None:
            write_durably(path, msgspec.json.encode(fenced.before))
            return Done(summary=f"Site {self.site} stays fenced, as it was before this run.")
        path.unlink()
        sync_folder(path.parent)
        if not directory_of(self.place, self.site).exists():
            return Done(summary=f"The fence is gone; of site {self.site} nothing is left to serve.")
        return Done(
            summary=f"Site {self.site} may serve again: start it as it was started before "
            f"({len(fenced.processes)} processes were ended by the fence)."
        )

    def _mark(self, context: Context, ran: tuple[str, ...], *, was_alive: bool) -> Fenced:
        """Write the mark; the moment of an earlier fence stays when nothing came back since."""
        earlier = read_fence(Path(self.place), self.site)
        at = context.now().isoformat(timespec="milliseconds")
        if earlier is not None and not was_alive:
            at, ran = earlier.fenced_at, earlier.processes
        fenced = Fenced(
            key=context.key,
            marker=context.marker,
            fenced_at=at,
            processes=ran,
            before=_of_others(earlier, context.marker),
        )
        write_durably(_fence_path(Path(self.place), self.site), msgspec.json.encode(fenced))
        return fenced


def _own_names(context: Context) -> Mapping[str, str]:
    """The site calls its public name itself (instances ask the platform by it): that must not
    depend on where the name points at the moment."""
    name = context.target.public_name
    return {name: "127.0.0.1"} if name else {}


def read_fence(place: Path, name: str) -> Fenced | None:
    """Return the mark of a fenced site; None when there is none."""
    try:
        return msgspec.json.decode(_fence_path(place, name).read_bytes(), type=Fenced)
    except (OSError, msgspec.DecodeError):
        return None


def _of_others(earlier: Fenced | None, marker: str) -> Fenced | None:
    """Return the newest mark that another run left."""
    while earlier is not None and earlier.marker == marker:
        earlier = earlier.before
    return earlier


def _fence_path(place: Path, name: str) -> Path:
    return place / f"{name}.fenced"


def _processes(site: Site) -> tuple[str, ...]:
    return tuple(f"{one.pid} uid={one.uid} {one.command}" for one in residents(site))


def _make_room(place: Path, name: str, marker: str) -> None:
    """Remove what an earlier attempt of this run left under the name. Raises Refused for others."""
    directory = place / name
    if read_fence(place, name) is not None:
        raise Refused(
            f"a site named {name} was lost and fenced in this place",
            "give the new site another name, so that nobody takes one for the other",
        )
    if not directory.exists():
        return
    if not _is_of(directory, marker):
        raise Refused(
            f"{directory} exists and was not made by this run",
            "name another site; what another run made is never touched",
        )
    _refuse_served(directory)
    _remove(directory)


def _is_of(directory: Path, marker: str) -> bool:
    """Say whether a run made this site: its folder, and the record of its start if there is one."""
    site = read_record(directory)
    return _read_marker(directory) == marker and (site is None or site.marker == marker)


def _refuse_served(directory: Path) -> None:
    if (directory / SERVED).exists():
        raise Refused(
            f"site {directory.name} has served users already",
            "it holds what users wrote since: recover into another site, or fail back",
        )


def _remove(directory: Path) -> None:
    site = read_record(directory)
    if site is not None:
        destroy_site(site)
    elif directory.exists():
        shutil.rmtree(directory)


def _draft_of(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.new")


def _claim_folder(directory: Path, context: Context) -> None:
    """Make the site's folder with the marker in it, both at once."""
    draft = _draft_of(directory)
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o711, parents=True)
    draft.chmod(0o711)
    made_at = context.now().isoformat(timespec="milliseconds")
    marker = Marker(marker=context.marker, made_at=made_at)
    write_durably(draft / _MARKER, msgspec.json.encode(marker), mode=0o644)
    draft.rename(directory)


def _read_marker(directory: Path) -> str:
    try:
        return msgspec.json.decode((directory / _MARKER).read_bytes(), type=Marker).marker
    except (OSError, msgspec.DecodeError):
        return ""


def _make_folder(path: Path, owner: str, mode: int) -> None:
    path.mkdir(exist_ok=True)
    os.chown(path, USERS[owner], USERS[owner])
    path.chmod(mode)


PROVIDES: Mapping[str, type] = {
    "create": Create,
    "fence": Fence,
    "firewall": Firewall,
    "listeners": Listeners,
    "expect_modes": ExpectModes,
}
