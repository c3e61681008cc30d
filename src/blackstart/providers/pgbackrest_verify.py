# SPDX-License-Identifier: Apache-2.0
"""Prove that a backup can be restored: restore it somewhere private, start it, check it, ask it.

No exit code of a backup tool proves that. The place is a site of its own without any network,
which dies with Blackstart and is removed at the end, whatever happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, NotDone, Outcome, Partial
from blackstart.ports.secrets import SecretRef
from blackstart.providers.manifest import (
    Manifest,
    TableManifest,
    describes_platform,
    read_manifest,
    read_table_manifest,
)
from blackstart.providers.pgbackrest_repository import (
    BackupEntry,
    Repository,
    config_text,
    fetch_wal_text,
    list_backups,
    repository_of,
)
from blackstart.providers.places import DATABASE, Workplace
from blackstart.providers.postgres_cluster import (
    access_text,
    as_utc,
    configure_cluster,
    make_postgres_folder,
    put_for_postgres,
    start_cluster,
    stop_cluster,
    wait_for_promotion,
)
from blackstart.providers.postgres_rows import count_rows, missing_rows
from blackstart.providers.traces import returns_failures
from blackstart.world.clock import SystemClock
from blackstart.world.random import nonce
from blackstart.world.sites import Site, create_site, destroy_site, list_sites

_PURPOSE = "verify"
_ADDRESS = "10.70.0.1"  # of a network that nobody else is in
_COUNTS = """
SELECT json_build_object('users', (SELECT count(*) FROM "Users"),
  'teams', (SELECT count(*) FROM "Teams"),
  'instances', (SELECT coalesce(json_agg(p.id), '[]') FROM "Projects" p
     JOIN "StorageFlows" f ON f."ProjectId" = p.id WHERE f.flow LIKE '[%'))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    users: int
    teams: int
    instances: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPoint:
    """Restore the newest backup into a private place, start it, check it, and throw it away.

    Proven are: the backup is whole (checksums of every file, `pg_amcheck` of every table and
    index), it comes up as a consistent database, and what the manifest names is in it: the
    platform's users, teams and instances with their flows, or of any other application at least
    the rows of each table. `place` is where the private site is made for these seconds.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "point": "the label of the backup that was verified",
        "taken_at": "when it was taken (ISO 8601)",
        "checked": "what was checked, one sentence each",
        "took_s": "how long it took, in seconds",
    }
    place: str
    repository: str
    repository_key: SecretRef
    stanza: str
    manifest: str
    packages: str = ""
    point: str = ""
    database: str = DATABASE

    def preview(self, context: Context) -> str:
        """Say what would be verified."""
        return f"backup {self.point or 'newest'} would be restored privately and queried"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Restore, start, check, ask, remove."""
        clock = SystemClock()
        began = clock.monotonic_s()
        self._remove_leftovers(context)
        is_platform = describes_platform(self.manifest)
        read = read_manifest if is_platform else read_table_manifest
        manifest: Manifest | TableManifest = read(self.manifest)
        opened = repository_of(context, self.repository, self.repository_key, self.stanza)
        entry = self._choose(list_backups(opened, self.packages, context))
        try:
            checked = self._check_privately(context, opened, entry, manifest)
        except WorldFailed as failed:
            is_about_us = "space" in failed.what.lower()  # says nothing of the backup
            subject = "" if is_about_us else entry.label
            return Failed(summary=failed.what, hint=failed.hint, subject=subject)
        took_s = round(clock.monotonic_s() - began, 3)
        if missing := [one for one in checked if one.startswith("missing")]:
            return Failed(
                summary=f"backup {entry.label} restores, and {'; '.join(missing)}",
                hint="find out why the backup holds less than the manifest says; take a new one",
                subject=entry.label,
            )
        return Done(
            summary=f"backup {entry.label} was restored and queried in {took_s:.1f} s",
            outputs={
                "point": entry.label,
                "taken_at": as_utc(entry.taken_at),
                "checked": list(checked),
                "took_s": took_s,
            },
            evidence=(context.keep("verified.json", msgspec.json.encode(checked)),),
        )

    def inspect(self, context: Context) -> Finding:
        """Look for a private site of this run; nothing else stays, so it may be done again."""
        if self._leftovers(context):
            return Partial(note="a private site of this run is still there")
        return NotDone(note="verifying leaves nothing; it may be done again")

    def _check_privately(
        self,
        context: Context,
        opened: Repository,
        entry: BackupEntry,
        manifest: Manifest | TableManifest,
    ) -> tuple[str, ...]:
        """Make the private site, restore and ask in it, and remove it."""
        site = create_site(
            Path(self.place),
            f"verify-{nonce(4)}",
            address=_ADDRESS,
            marker=context.marker,
            purpose=_PURPOSE,
            hub=None,
            usr=Path(self.packages).resolve() if self.packages else None,
            nameserver=None,
            dies_with_us=True,
        )
        work = Workplace(site, context)
        try:
            checked = (*_restore(work, opened, entry), *_ask(work, self.database, manifest))
            stop_cluster(work)
        finally:
            destroy_site(site)
        return checked

    def _choose(self, entries: tuple[BackupEntry, ...]) -> BackupEntry:
        found = [one for one in entries if self.point in {"", one.label}]
        if not found:
            wanted = self.point or "any"
            raise WorldFailed(f"the repository has no backup ({wanted})", "take a backup first")
        return found[-1]

    def _remove_leftovers(self, context: Context) -> None:
        for site in self._leftovers(context):
            destroy_site(site)

    def _leftovers(self, context: Context) -> tuple[Site, ...]:
        wanted = (_PURPOSE, context.marker)
        sites = list_sites(Path(self.place))
        return tuple(site for site in sites if (site.purpose, site.marker) == wanted)


def _restore(work: Workplace, opened: Repository, entry: BackupEntry) -> tuple[str, ...]:
    """Restore until the backup is consistent, start, and check every table and index."""
    folder = work.directory
    for name in ("pg", "pgsock", "pg-etc", "pg-etc/lock", "pg-etc/spool"):
        make_postgres_folder(folder / name)
    config = folder / "pg-etc" / "restore.conf"
    put_for_postgres(
        config, config_text(opened, folder / "pg-etc", folder / "pg", folder / "pgsock")
    )
    script, log = folder / "pg-etc" / "fetch-wal", folder / "log" / "wal.log"
    put_for_postgres(log, "", 0o644)
    put_for_postgres(script, fetch_wal_text(config, opened.stanza, "", log), 0o500)
    work.must(
        [
            *("pgbackrest", f"--config={config}", f"--stanza={opened.stanza}"),
            *(f"--set={entry.label}", "--type=immediate", "--target-action=promote"),
            *("--archive-mode=off", "--log-level-console=warn", "restore"),
        ],
        user="postgres",
        hint="the backup is damaged: take a new one now, and look at the disk of the repository",
    )
    configure_cluster(
        work,
        access=access_text("nobody", "nobody", "nobody", ""),
        restore_command=f'{script} %f "%p"',
        tls=None,
        until="recovery_target = 'immediate'\nrecovery_target_action = 'promote'\n",
    )
    wait_for_promotion(work, start_cluster(work), tell_progress=False)
    amcheck = ["pg_amcheck", "--install-missing", "--all", "--jobs=2", "--no-strict-names"]
    work.must(
        [*amcheck, "-h", str(folder / "pgsock"), "-U", "postgres"],
        user="postgres",
        hint="the database in the backup is corrupt: check production's disks, take a new backup",
    )
    return (
        f"backup {entry.label} restored: every file has its checksum",
        "the database came up consistent",
        "pg_amcheck found no corruption",
    )


def _ask(work: Workplace, database: str, manifest: Manifest | TableManifest) -> tuple[str, ...]:
    """Ask for what the manifest names; a sentence that begins with `missing` is a defect."""
    if isinstance(manifest, TableManifest):
        rows = count_rows(work, database, manifest.rows)
        lacking = [f"missing: {one}" for one in missing_rows(manifest, rows)]
        return tuple(lacking) or (f"{sum(rows.values())} rows in {len(rows)} tables",)
    return _ask_platform(work, database, manifest)


def _ask_platform(work: Workplace, database: str, manifest: Manifest) -> tuple[str, ...]:
    found = msgspec.json.decode(work.sql(_COUNTS, database=database), type=_Counted)
    lacking = [one.name for one in manifest.instances if one.id not in found.instances]
    pairs = (("users", found.users, manifest.users), ("teams", found.teams, manifest.teams))
    told = [
        f"{have} {what}" if have >= want else f"missing: {want - have} of {want} {what}"
        for what, have, want in pairs
    ]
    told.append(
        f"missing: instances {', '.join(lacking)}"
        if lacking
        else f"{len(found.instances)} instances with their flows"
    )
    return tuple(told)
