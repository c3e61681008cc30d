# SPDX-License-Identifier: Apache-2.0
"""Free a restored FlowFuse database from the lost site, and prove it before anything starts on it.

A naive restore answers 200, crashes three seconds later because a row names the lost site's
folder, and says nothing at all when a credential secret is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, NotDone, Outcome, Unknown
from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_database import (
    broken_credentials,
    home_of,
    is_noted,
    relocate,
    require_open_database,
    rotate,
    sealed_credentials,
    stale_rows,
)
from blackstart.providers.manifest import read_manifest
from blackstart.providers.places import gone_with, look_into, work_in
from blackstart.providers.traces import returns_failures


@dataclass(frozen=True, slots=True, kw_only=True)
class Relocate:
    """Point every instance's folder and address to the new site and forget its old process.

    The three in one transaction, with a note of this attempt. Ports stay as they were.
    """

    outputs: ClassVar[Mapping[str, str]] = {}
    place: str
    site: str
    public_name: str

    def preview(self, context: Context) -> str:
        """Say what would be changed."""
        return f"paths, processes and addresses of all instances would point to site {self.site}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Change the rows."""
        work = work_in(self.place, self.site, context)
        require_open_database(work)
        base = f"https://{self.public_name}"
        relocate(work, base)
        count = work.sql('SELECT count(*) FROM "Projects"')
        return Done(summary=f"{count} instances point to {home_of(work)} and to {base}")

    def inspect(self, context: Context) -> Finding:
        """Look for the note of this attempt in the database."""
        return _inspect_note(self.place, self.site, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectRelocated:
    """Expect that no row of the database points to the lost site, and no port is claimed twice.

    Such a row makes the platform crash, run in the wrong folder, kill a stranger's process, or
    delete the lost site's files when an instance is deleted.
    """

    outputs: ClassVar[Mapping[str, str]] = {}
    place: str
    site: str
    public_name: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Read the rows afresh."""
        work = look_into(self.place, self.site, context)
        stale = stale_rows(work, f"https://{self.public_name}")
        if stale:
            shown = "; ".join(f"{row.instance}: {row.key} = {row.value}" for row in stale)
            return Failed(
                summary=f"{len(stale)} rows are stale, of the lost site or claimed twice: {shown}",
                hint="find what keeps them (a trigger, a rule), correct them, and try again; "
                "do not start the platform on them",
            )
        return Done(summary="no path, process or address of an instance points to the lost site")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectCredentials:
    """Expect that the stored credentials of every instance open with its secret, offline.

    The running platform is blind to it: an instance whose credentials do not open reports
    `running`. The manifest says which nodes must have some.
    """

    outputs: ClassVar[Mapping[str, str]] = {"instances": "how many instances' credentials open"}
    place: str
    site: str
    manifest: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Open all of them in memory; nothing of them is kept or shown."""
        work = look_into(self.place, self.site, context)
        wanted = {one.id: one.credential_nodes for one in read_manifest(self.manifest).instances}
        rows = sealed_credentials(work)
        problems = broken_credentials(rows, wanted)
        if problems:
            return Failed(
                summary="; ".join(problems),
                hint="take the instance's credentialSecret (ProjectSettings) from an older point; "
                "its flows would run without their passwords, and say nothing",
            )
        nodes = sum(len(found) for found in wanted.values())
        names = (f"{row.name}: opens, nodes {', '.join(wanted.get(row.id, ()))}" for row in rows)
        return Done(
            summary=f"the credentials of {len(rows)} instances open, all {nodes} nodes have theirs",
            outputs={"instances": len(rows)},
            evidence=(context.keep("credentials.txt", "\n".join(names).encode()),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSessions:
    """End every session and replace the secret that signs cookies: old cookies are void.

    People log in again with their old passwords. Personal tokens stay valid.
    """

    outputs: ClassVar[Mapping[str, str]] = {"sessions": "how many sessions were ended"}
    place: str
    site: str
    cookie_secret: SecretRef

    def preview(self, context: Context) -> str:
        """Say what would end."""
        return "every session would end and every cookie would become void"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Delete the sessions and set the new secret, in one transaction."""
        work = work_in(self.place, self.site, context)
        require_open_database(work)
        count = int(work.sql('SELECT count(*) FROM "Sessions"'))
        rotate(work, context.reveal(self.cookie_secret))
        return Done(
            summary=f"{count} sessions ended, cookies are signed with a new secret",
            outputs={"sessions": count},
        )

    def inspect(self, context: Context) -> Finding:
        """Look for the note of this attempt in the database."""
        return _inspect_note(self.place, self.site, context, {"sessions": 0})


def _inspect_note(
    place: str, site: str, context: Context, outputs: Mapping[str, int] | None = None
) -> Finding:
    """Ask the database; it is the only one to know, for the note is part of the transaction."""
    if gone := gone_with(place, site):
        return gone
    try:
        noted = is_noted(look_into(place, site, context), key=context.key)
    except WorldFailed as failure:
        return Unknown(note=failure.what)
    if noted:
        return Done(summary="noted in the database as done", outputs=dict(outputs or {}))
    return NotDone(note="the database holds no note of this attempt")
