# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL: bring a restored database up to the newest write there is, and open it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from blackstart.model.errors import Refused, WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, Outcome, Partial, Unknown
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import Workplace, directory_of, gone_with, look_into, work_in
from blackstart.providers.postgres_access import ExpectAccess
from blackstart.providers.postgres_cluster import (
    access_text,
    as_utc,
    cluster_pids,
    configure_cluster,
    last_transaction,
    log_text,
    make_postgres_folder,
    put_for_postgres,
    read_progress,
    start_cluster,
    wait_for_promotion,
)
from blackstart.providers.postgres_replayed import ExpectReplayed
from blackstart.providers.postgres_rows import ExpectRows
from blackstart.providers.traces import begin, finding, finish, returns_failures, traces_of

_VERB = "postgres.promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Start the restored cluster, replay all WAL, open it, and give its roles new passwords.

    The passwords of `owner` (owns the database) and `replication` are replaced, so that the lost
    site cannot write here if it comes back. Replication is admitted from `trusted` only, over TLS
    with the certificate of the site's front. A pg_receivewal that still follows the old site is
    harmless: this one has another address and another password. Without any replication leave
    `trusted` and `replication` empty.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "recovered_to": "the time of the last transaction that was recovered (ISO 8601)",
        "timeline": "the new time line of the database",
    }
    place: str
    site: str
    database: str
    owner: str
    owner_password: SecretRef
    replication_password: SecretRef
    trusted: str
    replication: str = "repl"

    def preview(self, context: Context) -> str:
        """Say what would be opened."""
        return f"the restored database of site {self.site} would replay all WAL and be opened"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Start, wait for the end of the replay, then change the passwords."""
        work = work_in(self.place, self.site, context)
        _require_restored(work)
        begin(work.directory, _VERB, context)
        running = cluster_pids(work)  # of an earlier attempt that died
        wait_for_promotion(work, running[0] if running else self._start(work))
        moment = last_transaction(log_text(work))
        recovered_to = as_utc(moment) if moment else _backup_end(work)
        timeline = _open(work, self._passwords(context))
        sources = _sources(work)
        evidence = (
            context.keep("postgres.log", log_text(work).encode()),
            context.keep("wal.log", _wal_log(work).encode()),
        )
        if not moment and not recovered_to:
            return Failed(
                summary="the database is open and does not say up to which transaction",
                hint="read log/postgres.log; compare the newest rows with what users know",
                evidence=evidence,
            )
        done = Done(
            summary=f"open on time line {timeline}, recovered to {recovered_to}; {sources}",
            outputs={"recovered_to": recovered_to, "timeline": timeline},
            evidence=evidence,
        )
        return finish(work.directory, _VERB, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key, and ask the server whether it is open."""
        found = finding(directory_of(self.place, self.site), _VERB, context)
        if not isinstance(found, Done):
            return found
        if gone := gone_with(self.place, self.site):
            return gone
        try:
            progress = read_progress(look_into(self.place, self.site, context))
        except WorldFailed as failure:
            return Unknown(note=str(failure.what))
        if progress is None:
            return Unknown(note="it had been promoted, and does not answer now")
        return Partial(note="it recovers again") if progress.in_recovery else found

    def _start(self, work: Workplace) -> int:
        script = work.directory / "pg-etc" / "fetch-wal"
        configure_cluster(
            work,
            access=access_text(self.database, self.owner, self.replication, self.trusted),
            restore_command=f'{script} %f "%p"',
            tls=_copy_certificate(work),
        )
        return start_cluster(work)

    def _passwords(self, context: Context) -> Mapping[str, str]:
        owner = {self.owner: context.reveal(self.owner_password)}
        if not self.replication:
            return owner
        return {**owner, self.replication: context.reveal(self.replication_password)}


def _require_restored(work: Workplace) -> None:
    if not traces_of(work.directory, "pgbackrest.restore", work.context.marker):
        raise Refused(
            f"this run has restored no database into site {work.site.name}",
            "restore one first: nothing else may be promoted",
        )


def _copy_certificate(work: Workplace) -> Path | None:
    """Give the server the front's certificate, readable for its own user; None without one."""
    front, own = work.directory / "front", work.directory / "pg-etc" / "tls"
    if not (front / "web.key").exists():
        return None
    make_postgres_folder(own)
    put_for_postgres(own / "server.pem", (front / "web.pem").read_text(), 0o644)
    put_for_postgres(own / "server.key", (front / "web.key").read_text())
    return own


def _open(work: Workplace, passwords: Mapping[str, str]) -> str:
    """Set the new passwords, drop what only recovery needed, and return the time line."""
    for role, word in passwords.items():
        work.sql(
            """ALTER ROLE :"role" PASSWORD :'word'""",
            values={"role": role, "word": word},
            database="postgres",
        )
    row = work.sql(
        "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int",
        database="postgres",
    )
    put_for_postgres(work.directory / "pg" / "postgresql.auto.conf", "")
    for name in ("restore.conf", "fetch-wal"):  # they open the old repository
        (work.directory / "pg-etc" / name).unlink(missing_ok=True)
    return row


def _backup_end(work: Workplace) -> str:
    """Return the time up to which a backup alone goes, when no transaction followed it."""
    row = work.sql(
        "SELECT to_char(checkpoint_time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS')"
        " FROM pg_control_checkpoint()",
        database="postgres",
    )
    return f"{row}+00:00" if row else ""


def _wal_log(work: Workplace) -> str:
    path = work.directory / "log" / "wal.log"
    return path.read_text("utf-8", "replace") if path.exists() else ""


def _sources(work: Workplace) -> str:
    """Say how many WAL files came from where."""
    counts = Counter(line.split(" ", 1)[0] for line in _wal_log(work).splitlines())
    return f"WAL files: {counts['archive']} from the archive, {counts['received']} received"


PROVIDES: Mapping[str, type] = {
    "promote": Promote,
    "expect_access": ExpectAccess,
    "expect_replayed": ExpectReplayed,
    "expect_rows": ExpectRows,
}
