# SPDX-License-Identifier: Apache-2.0
"""Production's database: PostgreSQL 15 with checksums, its WAL leaving the site all the time.

Two ways out at once: pgBackRest archives whole segments into an encrypted repository elsewhere, and
pg_receivewal, running elsewhere, streams every record over verified TLS.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from blackstart.sandbox.layout import (
    ADDRESSES,
    DATABASE,
    DATABASE_ROLE,
    ELSEWHERE,
    REPLICATION_ROLE,
    REPLICATION_SLOT,
    STANZA,
    Layout,
    PlatformPaths,
)
from blackstart.sandbox.on_site import expect, make_folder, must, put_file, sql
from blackstart.sandbox.pki import Pki
from blackstart.world import process
from blackstart.world.sites import Site, inside, start_inside

_SETTINGS = """\
listen_addresses = '*'
port = 5432
unix_socket_directories = '{socket}'
max_connections = 60
shared_buffers = 64MB
min_wal_size = 32MB
max_wal_size = 256MB
jit = off
password_encryption = scram-sha-256
wal_level = replica
max_wal_senders = 5
max_replication_slots = 5
max_slot_wal_keep_size = 1GB
archive_mode = on
archive_timeout = 60s
archive_command = 'pgbackrest --config={config} --stanza={stanza} archive-push %p'
ssl = on
ssl_cert_file = '{tls}/server.pem'
ssl_key_file = '{tls}/server.key'
log_line_prefix = '%m [%p] '
timezone = 'UTC'
"""
_ACCESS = f"""\
local   all             postgres                            peer
host    {DATABASE}      {DATABASE_ROLE}     127.0.0.1/32    scram-sha-256
hostssl replication     {REPLICATION_ROLE}  {{receiver}}/32   scram-sha-256
"""
_BACKUP_TOOL = """\
[global]
repo1-path={repo}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass={cipher}
repo1-retention-full=2
lock-path={work}/lock
spool-path={work}/spool
log-level-console=warn
log-level-file=off
start-fast=y
compress-type=zst
compress-level=1
process-max=2

[{stanza}]
pg1-path={pgdata}
pg1-port=5432
pg1-socket-path={socket}
pg1-user=postgres
"""


def create_cluster(site: Site, paths: PlatformPaths) -> None:
    """Make an empty cluster with data checksums."""
    make_folder(paths.pgdata, "postgres")
    initdb = ["initdb", "-D", str(paths.pgdata), "-U", "postgres", "--data-checksums"]
    must(site, [*initdb, "--encoding=UTF8", "--locale=C.UTF-8", "-A", "peer"], user="postgres")


def configure_database(layout: Layout, paths: PlatformPaths, pki: Pki, cipher: str) -> None:
    """Write the settings of the cluster, its certificate and the backup tool's configuration."""
    tls = make_folder(paths.site / "pgtls", "postgres")
    issued = pki.issue("db.flowfuse.test", ADDRESSES["production"])
    put_file(tls / "server.pem", issued.certificate, "postgres", 0o644)
    put_file(tls / "server.key", issued.key, "postgres")
    make_folder(paths.socket, "postgres", 0o755)
    work = make_folder(paths.site / "pgbackrest", "postgres")
    settings = _SETTINGS.format(
        socket=paths.socket, config=paths.pgbackrest_conf, stanza=STANZA, tls=tls
    )
    put_file(paths.pgdata / "postgresql.conf", settings, "postgres")
    access = _ACCESS.format(receiver=ADDRESSES[ELSEWHERE])
    put_file(paths.pgdata / "pg_hba.conf", access, "postgres")
    tool = _BACKUP_TOOL.format(
        repo=layout.backup / "repo",
        cipher=cipher,
        work=work,
        stanza=STANZA,
        pgdata=paths.pgdata,
        socket=paths.socket,
    )
    put_file(paths.pgbackrest_conf, tool, "postgres")


def start_database(site: Site, paths: PlatformPaths) -> None:
    """Start the server and wait until it answers. Raises SandboxError."""
    server = ["postgres", "-D", str(paths.pgdata)]
    start_inside(site, "postgres", server, user="postgres", cwd=str(paths.pgdata))
    ready = ["pg_isready", "-q", "-h", str(paths.socket), "-d", "postgres"]

    def answers() -> bool:
        return process.run(inside(site, ready, user="postgres"), timeout_s=10).code == 0

    expect("PostgreSQL", answers, timeout_s=30, log=site.directory / "log" / "postgres.log")


def stop_database(site: Site, paths: PlatformPaths) -> None:
    """Stop the server cleanly; every segment is archived when this returns."""
    stop = ["pg_ctl", "stop", "-D", str(paths.pgdata), "-m", "fast", "-w", "-t", "60"]
    must(site, stop, user="postgres", timeout_s=90)


def create_roles(site: Site, password: str, replication_password: str) -> None:
    """Make the platform's role and database and the receiver's role."""
    sql(
        site,
        f"CREATE ROLE {DATABASE_ROLE} LOGIN PASSWORD '{password}';"
        f"CREATE ROLE {REPLICATION_ROLE} LOGIN REPLICATION PASSWORD '{replication_password}';",
    )
    sql(site, f"CREATE DATABASE {DATABASE} OWNER {DATABASE_ROLE}")


def run_backup_tool(site: Site, *words: str, timeout_s: float = 120) -> str:
    """Run pgBackRest for production's stanza and return its output. Raises SandboxError."""
    config = f"--config={PlatformPaths(site.directory).pgbackrest_conf}"
    tool = ["pgbackrest", config, f"--stanza={STANZA}", *words]
    return must(site, tool, user="postgres", timeout_s=timeout_s)


def start_receiver(layout: Layout, elsewhere: Site, password: str) -> None:
    """Receive production's WAL elsewhere, record by record, into backup/wal."""
    address = ADDRESSES["production"]
    entry = f"*:*:*:{REPLICATION_ROLE}:{password}\n"
    pgpass = put_file(layout.backup / "pgpass", entry, "postgres")
    wal = make_folder(layout.backup / "wal", "postgres")
    target = f"host={address} port=5432 user={REPLICATION_ROLE} sslmode=verify-full"
    target = f"{target} sslrootcert={layout.pki / 'ca.pem'} application_name={REPLICATION_SLOT}"
    receive = ["pg_receivewal", "-d", target, "-D", str(wal), "-S", REPLICATION_SLOT]
    env = {"PGPASSFILE": str(pgpass)}
    must(elsewhere, [*receive, "--create-slot", "--if-not-exists"], user="postgres", env=env)
    stream = [*receive, "--synchronous", "--status-interval=1"]
    start_inside(elsewhere, "pg_receivewal", stream, user="postgres", env=env)


def is_receiver_streaming(production: Site) -> bool:
    """Return True when the receiver has caught up and streams."""
    states = sql(production, "SELECT state FROM pg_stat_replication")
    return "streaming" in states.split()


def copy_cluster(source: Path, paths: PlatformPaths) -> None:
    """Copy a stopped cluster, keeping owners and modes."""
    must_copy(source, paths.pgdata)


def must_copy(source: Path, target: Path) -> None:
    """Copy a tree with owners, modes and times; shares blocks where the disk can."""
    if target.exists():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    copy = ["cp", "-a", "--reflink=auto", str(source), str(target)]
    done = process.run(copy, timeout_s=120)
    if done.code != 0:
        raise OSError(done.err.decode("utf-8", "replace"))
