# SPDX-License-Identifier: Apache-2.0
"""pgBackRest: choose a restore point, restore it into a new site, back the new site up again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from blackstart.model.errors import Refused, WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.pgbackrest_ownership import claim_repository, release_repository
from blackstart.providers.pgbackrest_repository import (
    BackupEntry,
    Repository,
    config_text,
    fetch_wal_text,
    list_all,
    newest_received,
    parse_backups,
    percent_in,
    repository_of,
)
from blackstart.providers.pgbackrest_verify import VerifyPoint
from blackstart.providers.places import Workplace, directory_of, end_strays, said, work_in
from blackstart.providers.postgres_cluster import (
    access_text,
    as_utc,
    cluster_pids,
    configure_cluster,
    make_postgres_folder,
    put_for_postgres,
)
from blackstart.providers.traces import (
    begin,
    finding,
    finish,
    forget,
    returns_failures,
    traces_of,
)

_RESTORE, _BACKUP = "pgbackrest.restore", "pgbackrest.backup"
# pgBackRest's exit codes for what no repetition repairs: checksum, format, a file that is not there
# or cannot be decrypted (its source, src/build/error/error.yaml).
_DAMAGED = frozenset({26, 28, 29, 55, 95})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoosePoint:
    """Choose the newest verified backup: one that was restored and queried, and is still there.

    A newer one that pgBackRest itself calls damaged makes the choice degraded. One that nobody has
    proven yet does not: what it holds is replayed from the WAL as well.
    `received_wal` is where pg_receivewal keeps what it received; replay goes on from the backup
    through the archive to the newest of it.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "point": "the label of the backup to restore",
        "taken_at": "when that backup ended (ISO 8601)",
        "received_until": "when WAL was last received (ISO 8601), empty when none was",
        "older": "the labels of the other verified backups, the newest first",
        "newest_wal": "the newest WAL file there is, archived or received",
    }
    repository: str
    repository_key: SecretRef
    stanza: str
    received_wal: str = ""
    packages: str = ""
    item: str = "database"

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Compare what the repository lists with what was verified."""
        opened = repository_of(context, self.repository, self.repository_key, self.stanza)
        listed = list_all(opened, self.packages, context)
        entries = listed.entries
        verified = set(context.verified_points(self.item))
        good = [entry for entry in entries if entry.label in verified and not entry.has_errors]
        if not good:
            others = ", ".join(entry.label for entry in reversed(entries)) or "none"
            return Failed(
                summary=f"no verified restore point of {self.item}; unverified backups: {others}",
                hint="verify one now with `blackstart backups verify`, or have the commander "
                "decide to restore an unverified one",
            )
        chosen = good[-1]
        received = newest_received(self.received_wal) if self.received_wal else None
        until = as_utc(received[1]) if received else ""
        later = f", WAL received until {until}" if until else ", no WAL received beside the archive"
        return Done(
            summary=f"backup {chosen.label} of {as_utc(chosen.taken_at)} is verified{later}",
            degraded=say_newer_damaged(entries, chosen),
            outputs={
                "point": chosen.label,
                "taken_at": as_utc(chosen.taken_at),
                "received_until": until,
                "older": [entry.label for entry in reversed(good[:-1])],
                "newest_wal": _newest_of(listed.newest_wal, received[0] if received else ""),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Restore a backup into the new site's empty data folder, ready to replay all WAL there is.

    The restore command is given to pgBackRest itself: it writes its own into postgresql.auto.conf,
    which silently beats any other place. It asks the archive first, then what pg_receivewal
    received, then its unfinished last file. All configuration of the lost server is replaced.
    When the backup turns out to be damaged, those of `older` are tried in their order: more WAL is
    replayed then, and the restore ends degraded.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "size_bytes": "how much was restored, in bytes",
        "restored": "the label of the backup that was restored",
    }
    place: str
    site: str
    repository: str
    repository_key: SecretRef
    stanza: str
    point: str
    received_wal: str = ""
    older: str | tuple[str, ...] = ()

    def preview(self, context: Context) -> str:
        """Say what would be restored."""
        return f"backup {self.point} would be restored into site {self.site}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Restore; files of an earlier attempt that are already right are kept."""
        work = work_in(self.place, self.site, context)
        _refuse_used_cluster(work)
        begin(work.directory, _RESTORE, context)
        end_strays(work, "pgbackrest")
        opened = repository_of(context, self.repository, self.repository_key, self.stanza)
        command = _prepare_tool(work, opened, self.received_wal)
        older = (self.older,) if isinstance(self.older, str) else self.older
        restored = _restore_first(work, opened.stanza, (self.point, *older), command)
        configure_cluster(
            work,
            access=access_text("nobody", "nobody", "nobody", ""),  # until it is promoted
            restore_command=command,
            tls=None,
        )
        size_bytes = _size_of(work.directory / "pg")
        done = Done(
            summary=f"backup {restored} restored, {size_bytes / 1e6:.0f} MB",
            degraded=""
            if restored == self.point
            else f"backup {self.point} is damaged, the older {restored} was restored instead, and "
            "what was recorded since is replayed on it",
            outputs={"size_bytes": size_bytes, "restored": restored},
        )
        return finish(work.directory, _RESTORE, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key and a cluster in the data folder."""
        directory = directory_of(self.place, self.site)
        return finding(directory, _RESTORE, context, (directory / "pg" / "PG_VERSION").exists)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """Protect the new site: archive its WAL and take its first full backup.

    It goes to a repository of its own with a key of its own: the old one stays as it is, for
    evidence and for another attempt.
    """

    outputs: ClassVar[Mapping[str, str]] = {"label": "the label of the new site's first backup"}
    place: str
    site: str
    repository: str
    repository_key: SecretRef
    stanza: str

    def preview(self, context: Context) -> str:
        """Say what would be backed up."""
        return f"the database of site {self.site} would be backed up to {self.repository}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Create the stanza, switch archiving on, check that a segment arrives, back up."""
        work = work_in(self.place, self.site, context)
        begin(work.directory, _BACKUP, context)
        end_strays(work, "pgbackrest")
        opened = repository_of(context, self.repository, self.repository_key, self.stanza)
        claim_repository(Path(self.repository), context)
        tool = _tool(_write_config(work, opened, "pgbackrest.conf"), opened.stanza)
        hint = "read what pgBackRest says; a repository with another key must be emptied first"
        work.must([*tool, "stanza-create"], user="postgres", hint=hint)
        push = " ".join([*tool, "archive-push", "%p"])
        put_for_postgres(work.directory / "pg" / "archive.conf", f"archive_command = '{push}'\n")
        work.sql("SELECT pg_reload_conf()", database="postgres")
        work.must([*tool, "--type=full", "backup"], user="postgres", hint=hint)
        listed = work.must([*tool, "--output=json", "info"], user="postgres", hint=hint)
        labels = [entry.label for entry in parse_backups(listed.encode(), self.stanza)]
        if not labels:
            return Failed(summary="the backup ended well and the repository lists none", hint=hint)
        done = Done(
            summary=f"the new site archives its WAL; first full backup {labels[-1]}",
            outputs={"label": labels[-1]},
            evidence=(context.keep("backups.json", listed.encode()),),
        )
        return finish(work.directory, _BACKUP, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key and the repository."""
        archive = Path(self.repository) / "backup" / self.stanza
        return finding(directory_of(self.place, self.site), _BACKUP, context, archive.is_dir)

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Remove the backups of the new site from a repository that this run made.

        A repository that was there before stays as it is. So does one of a site that served users.
        """
        directory = directory_of(self.place, self.site)
        if (directory / "served").exists():
            raise Refused(
                f"site {self.site} has served users, and this may be their only backup",
                "keep it until somebody has looked at what they wrote",
            )
        if not release_repository(Path(self.repository), self.stanza, context):
            return Done(summary=f"{self.repository} was not made by this run and is left alone.")
        forget(directory, _BACKUP, context.marker)
        return Done(summary=f"The backups of site {self.site} in {self.repository} were removed.")


def _refuse_used_cluster(work: Workplace) -> None:
    """Never restore over a cluster that was promoted: it may hold what users wrote since."""
    if traces_of(work.directory, "postgres.promote", work.context.marker):
        raise Refused(
            f"the database of site {work.site.name} has been promoted already",
            "create the environment anew to restore again",
        )
    if cluster_pids(work):
        raise Refused(
            f"a database server runs in site {work.site.name}",
            "create the environment anew to restore again",
        )


def _prepare_tool(work: Workplace, opened: Repository, received: str) -> str:
    """Write the configuration and the script that fetches WAL; return the restore command."""
    config = _write_config(work, opened, "restore.conf")
    log = work.directory / "log" / "wal.log"
    put_for_postgres(log, "", 0o644)
    script = work.directory / "pg-etc" / "fetch-wal"
    put_for_postgres(script, fetch_wal_text(config, opened.stanza, received, log), 0o500)
    return f'{script} %f "%p"'


class _Damaged(WorldFailed):
    """The backup cannot be restored, whatever is done here."""


def _restore_first(
    work: Workplace, stanza: str, points: tuple[str, ...], restore_command: str
) -> str:
    """Restore the first of the backups that is whole, and return its label. Raises WorldFailed."""
    damaged: list[str] = []
    for point in points:
        try:
            _run_restore(work, stanza, point, restore_command)
        except _Damaged as failure:
            damaged.append(failure.what)
            _empty(work.directory / "pg")
            continue
        return point
    raise WorldFailed("; ".join(damaged), "every verified backup is damaged: look for other copies")


def _run_restore(work: Workplace, stanza: str, point: str, restore_command: str) -> None:
    data = work.directory / "pg"
    can_go_on = any((data / name).exists() for name in ("PG_VERSION", "backup.manifest"))
    if not can_go_on:
        _empty(data)

    def tell(line: str) -> None:
        percent = percent_in(line)
        if percent is not None:
            work.context.progress(percent, 100.0, "%")

    done = work.run(
        [
            *_tool(work.directory / "pg-etc" / "restore.conf", stanza),
            *(f"--set={point}", "--type=default", "--archive-mode=off"),
            *(("--delta",) if can_go_on else ()),
            f"--recovery-option=restore_command={restore_command}",
            "--log-level-console=detail",
            "restore",
        ],
        user="postgres",
        on_line=tell,
    )
    if done.code != 0:
        raise (_Damaged if done.code in _DAMAGED else WorldFailed)(
            f"pgBackRest ended with {done.code} on backup {point}: {said(done)}",
            "a damaged backup: choose another point"
            if done.code in _DAMAGED
            else "see its message; the backup itself is not said to be damaged",
        )


def _write_config(work: Workplace, opened: Repository, name: str) -> Path:
    folder = work.directory / "pg-etc"
    for part in ("lock", "spool", "log"):
        make_postgres_folder(folder / part)
    path = folder / name
    text = config_text(opened, folder, work.directory / "pg", work.directory / "pgsock")
    put_for_postgres(path, text)
    return path


def _tool(config: Path, stanza: str) -> list[str]:
    return ["pgbackrest", f"--config={config}", f"--stanza={stanza}"]


def say_newer_damaged(entries: Sequence[BackupEntry], chosen: BackupEntry) -> str:
    """Return which backups after the chosen one have errors, empty when none has."""
    newer = entries[entries.index(chosen) + 1 :]
    damaged = [entry.label for entry in newer if entry.has_errors]
    if not damaged:
        return ""
    return f"backup {', '.join(damaged)} is damaged, the older {chosen.label} is restored instead"


def _newest_of(*segments: str) -> str:
    """Return the newest of these WAL files, without `.partial`; empty when there is none."""
    return max((name.partition(".")[0] for name in segments), key=lambda name: name[8:])


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


PROVIDES: Mapping[str, type] = {
    "choose_point": ChoosePoint,
    "restore": Restore,
    "backup": Backup,
    "verify_point": VerifyPoint,
}
