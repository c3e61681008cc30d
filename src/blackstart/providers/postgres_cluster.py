# SPDX-License-Identifier: Apache-2.0
"""A restored PostgreSQL cluster: its own configuration, its start, and how far it has replayed.

Nothing of the lost server's configuration is used: it names the lost site's folders and
certificates, archives into the old repository, and may wait for a standby that no longer exists.
Only the limits that replay needs are taken over, from the control file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from blackstart.model.errors import WorldFailed
from blackstart.providers.limits import wait_within
from blackstart.providers.places import Workplace
from blackstart.world.files import write_durably
from blackstart.world.namespaces import residents
from blackstart.world.process import end, started_ticks
from blackstart.world.sites import USERS, start_inside

SERVICE = "postgres"
# What pg_controldata calls the limits of the server that wrote the WAL → the setting.
_LIMITS: Mapping[str, str] = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
}
_LAST_TRANSACTION = re.compile(r"last completed transaction was at log time (\S+ \S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a server says of its recovery."""

    in_recovery: bool
    replayed_bytes: int


def server_text(limits: Mapping[str, int], socket: Path, tls: Path | None) -> str:
    """Return postgresql.conf for a cluster of a new site.

    archive_mode is on and archive_command empty: WAL is kept until the new site has a repository
    of its own, and no restart is needed then.
    """
    lines = [
        "listen_addresses = '*'",  # the site's firewall says who gets through
        "port = 5432",
        f"unix_socket_directories = '{socket}'",
        *(f"{name} = {value}" for name, value in sorted(limits.items())),
        "shared_buffers = 64MB",
        "jit = off",
        "password_encryption = scram-sha-256",
        "wal_level = replica",
        "max_replication_slots = 5",
        "max_slot_wal_keep_size = 1GB",
        "archive_mode = on",
        "archive_timeout = 60s",
        "synchronous_standby_names = ''",
        "log_line_prefix = '%m [%p] '",
        "log_timezone = 'UTC'",
        "timezone = 'UTC'",
        "include_if_exists = 'archive.conf'",
    ]
    if tls is not None:
        lines += ["ssl = on", f"ssl_cert_file = '{tls}/server.pem'"]
        lines += [f"ssl_key_file = '{tls}/server.key'"]
    return "\n".join([*lines, ""])


def access_text(database: str, owner: str, replication: str, trusted: str) -> str:
    """Return pg_hba.conf: who may come in, and how. Replication only over TLS from one address."""
    lines = [
        "local all postgres peer",
        f"host {database} {owner} 127.0.0.1/32 scram-sha-256",
    ]
    if trusted:
        lines.append(f"hostssl replication {replication} {trusted}/32 scram-sha-256")
    return "\n".join([*lines, ""])


def parse_limits(control: str) -> Mapping[str, int]:
    """Return the settings that replay needs at least, from the output of pg_controldata."""
    pairs = (line.partition(":") for line in control.splitlines())
    return {
        _LIMITS[name.strip()]: int(value) for name, _, value in pairs if name.strip() in _LIMITS
    }


def last_transaction(log: str) -> datetime | None:
    """Return the time of the last transaction that recovery found, from the server's log."""
    found = _LAST_TRANSACTION.findall(log)
    return datetime.fromisoformat(found[-1].replace("UTC", "+00:00")) if found else None


def configure_cluster(
    work: Workplace, *, access: str, restore_command: str, tls: Path | None, until: str = ""
) -> None:
    """Replace all configuration of the restored cluster; `until` are settings of where to stop.

    Raises WorldFailed.
    """
    data = work.directory / "pg"
    control = work.must(
        ["pg_controldata", "-D", str(data)],
        user="postgres",
        hint="the backup holds no cluster of this version of PostgreSQL",
        limit_s=20,
    )
    server = server_text(parse_limits(control), work.directory / "pgsock", tls)
    put_for_postgres(data / "postgresql.conf", server)
    put_for_postgres(data / "pg_hba.conf", access)
    put_for_postgres(data / "pg_ident.conf", "")
    quoted = restore_command.replace("'", "''")
    # It beats postgresql.conf and brought the lost server's own settings along.
    put_for_postgres(data / "postgresql.auto.conf", f"restore_command = '{quoted}'\n{until}")


def start_cluster(work: Workplace) -> int:
    """Start the server of the site, which lives as long as the site; return its pid.

    Its log starts anew.
    """
    (work.directory / "log" / f"{SERVICE}.log").unlink(missing_ok=True)
    data = str(work.directory / "pg")
    argv = ["postgres", "-D", data]
    return start_inside(work.site, SERVICE, argv, user="postgres", cwd=data)


def stop_cluster(work: Workplace) -> None:
    """Stop the server of the site, if it runs: SIGTERM, then SIGKILL after ten seconds."""
    for pid in cluster_pids(work):
        ticks = started_ticks(pid)
        if ticks is not None:
            end(pid, ticks, grace_s=10.0)


def cluster_pids(work: Workplace) -> tuple[int, ...]:
    """Return the pids of the server's processes in the site, the first one first."""
    return tuple(sorted(one.pid for one in residents(work.site) if one.command == "postgres"))


def wait_for_promotion(work: Workplace, pid: int, *, tell_progress: bool = True) -> None:
    """Wait until the server `pid` has replayed everything and takes writes. Raises WorldFailed."""
    seen: list[Progress] = []

    def is_promoted() -> bool:
        if started_ticks(pid) is None:
            raise WorldFailed(
                f"PostgreSQL ended during recovery: {log_tail(work)}",
                "read log/postgres.log and log/wal.log in the site's folder",
            )
        progress = read_progress(work)
        if progress is None:
            return False
        seen.append(progress)
        if tell_progress:
            work.context.progress(float(progress.replayed_bytes - seen[0].replayed_bytes), 0.0, "B")
        return not progress.in_recovery

    if not wait_within(work.context, is_promoted, every_s=0.05):
        raise WorldFailed(
            "PostgreSQL had not finished recovery when it was ended",
            "read log/postgres.log in the site's folder; it may only need more time",
        )


def read_progress(work: Workplace) -> Progress | None:
    """Ask the server whether it recovers and how far it is; None while it does not answer."""
    query = (
        "SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0)::bigint"
    )
    try:
        row = work.sql(query, database="postgres", limit_s=10)
    except WorldFailed:
        return None
    recovers, _, replayed = row.partition("|")
    return Progress(in_recovery=recovers == "t", replayed_bytes=int(replayed or 0))


def log_text(work: Workplace) -> str:
    """Return the server's log since its start."""
    try:
        path = work.directory / "log" / f"{SERVICE}.log"
        return path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""


def log_tail(work: Workplace) -> str:
    """Return the last lines of the server's log, on one line."""
    return " | ".join(log_text(work).splitlines()[-3:]) or "its log is empty"


def put_for_postgres(path: Path, content: str, mode: int = 0o600) -> None:
    """Write a file durably, owned by the site's user postgres."""
    write_durably(path, content.encode(), mode=mode)
    os.chown(path, USERS["postgres"], USERS["postgres"])


def make_postgres_folder(path: Path) -> None:
    """Make a folder that only the site's user postgres may enter."""
    path.mkdir(mode=0o700, exist_ok=True)
    os.chown(path, USERS["postgres"], USERS["postgres"])
    path.chmod(0o700)


def as_utc(moment: datetime) -> str:
    """Return the moment as ISO 8601 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
