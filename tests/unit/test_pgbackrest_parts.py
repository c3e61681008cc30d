# SPDX-License-Identifier: Apache-2.0
"""What pgBackRest and PostgreSQL say, and the script that decides where WAL comes from."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from blackstart.model.errors import WorldFailed
from blackstart.providers.pgbackrest_repository import (
    Repository,
    config_text,
    fetch_wal_text,
    newest_received,
    parse_backups,
    percent_in,
)
from blackstart.providers.postgres_cluster import (
    access_text,
    last_transaction,
    parse_limits,
    server_text,
)

SEGMENT = "000000010000000000000004"
# With a wrong key the tool quotes what came out of the cipher, raw bytes and all.
WRONG_KEY = (
    b'[{"name":"main","status":{"code":99,"message":"other"},"repo":[{"status":{"code":99,'
    b'"message":"[FormatError] unable to load\\nline 1: \xff\xfe\x01\x7f"}}]}]'
)


def listing(*labels: str, code: int = 0, message: str = "ok", stanza: str = "main") -> bytes:
    backups = [
        {
            "label": label,
            "error": False,
            "timestamp": {"start": 1_795_478_600, "stop": 1_795_478_603 + number},
            "info": {"size": 32_953_773, "delta": 1},
        }
        for number, label in enumerate(labels)
    ]
    status = {"code": code, "message": message}
    return msgspec.json.encode(
        [{"name": stanza, "status": status, "backup": backups, "repo": [{"status": status}]}]
    )


def test_backups_are_listed_oldest_first() -> None:
    first, second = parse_backups(listing("20261124-000320F", "20261124-000421F"), "main")
    assert (first.label, second.label) == ("20261124-000320F", "20261124-000421F")
    assert first.taken_at == datetime.fromtimestamp(1_795_478_603, UTC)
    assert first.size_bytes == 32_953_773
    assert parse_backups(listing(code=2, message="no valid backups"), "main") == ()


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (listing(code=1, message="missing stanza path"), "missing stanza path"),
        (listing(stanza="other"), "holds no stanza main"),
        (b"not json", "cannot be read"),
        (WRONG_KEY, "unable to load"),
    ],
)
def test_a_repository_that_does_not_open_says_why(document: bytes, why: str) -> None:
    with pytest.raises(WorldFailed, match=why) as failure:
        parse_backups(document, "main")
    assert "\xff" not in failure.value.what


def test_progress_is_read_from_the_log() -> None:
    line = "P01 DETAIL: restore file /s/pg/base/5/1255 (752KB, 18.23%) checksum 0f"
    assert percent_in(line) == 18.23
    assert percent_in("P00   INFO: restore command begin 2.45") is None


def test_the_newest_received_wal_counts_also_when_unfinished(tmp_path: Path) -> None:
    assert newest_received(str(tmp_path)) is None
    assert newest_received(str(tmp_path / "none")) is None
    for name, at in ((SEGMENT, 100), (f"{SEGMENT[:-1]}5.partial", 200), ("notes.txt", 300)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (at, at))
    assert newest_received(str(tmp_path)) == (
        f"{SEGMENT[:-1]}5.partial",
        datetime.fromtimestamp(200, UTC),
    )


def test_the_configuration_writes_nowhere_outside_its_folder(tmp_path: Path) -> None:
    opened = Repository(path="/repo", key="k3y", stanza="main")
    text = config_text(opened, tmp_path, Path("/s/pg"), Path("/s/pgsock"))
    for name in ("lock-path", "spool-path", "log-path"):
        assert f"{name}={tmp_path}/" in text
    assert "repo1-cipher-pass=k3y" in text
    assert "[main]\npg1-path=/s/pg\n" in text


def fetch_wal(folder: Path, archive_code: int, received: tuple[str, ...]) -> tuple[int, str, str]:
    """Run the script beside a program that ends like pgBackRest; return code, WAL and log."""
    for part in ("bin", "wal"):
        (folder / part).mkdir()
    tool = folder / "bin" / "pgbackrest"
    tool.write_text(
        f'#!/bin/sh\n[ {archive_code} = 0 ] && echo archived > "$7"\nexit {archive_code}\n'
    )
    tool.chmod(0o755)
    for name in received:
        (folder / "wal" / name).write_text(f"{name}\n")
    script, log = folder / "it's fetch-wal", folder / "wal.log"
    script.write_text(fetch_wal_text(folder / "c.conf", "main", str(folder / "wal"), log))
    env = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin"}
    argv = ["sh", str(script), SEGMENT, str(folder / "got")]
    code = subprocess.run(argv, env=env, check=False, timeout=10).returncode
    texts = [path.read_text() if path.exists() else "" for path in (folder / "got", log)]
    return code, texts[0].strip(), texts[1].strip()


@pytest.mark.parametrize(
    ("archive_code", "received", "code", "source"),
    [
        (0, (SEGMENT,), 0, f"archive {SEGMENT}"),
        (1, (SEGMENT, f"{SEGMENT}.partial"), 0, f"received {SEGMENT}"),
        (1, (f"{SEGMENT}.partial",), 0, f"received {SEGMENT}.partial"),
        (1, (), 1, ""),  # the end of the WAL
        (25, (SEGMENT,), 0, f"received {SEGMENT}"),
        (25, (), 200, f"archive-get of {SEGMENT} ended with 25"),  # not the end: stop
    ],
)
def test_wal_comes_from_the_archive_or_else_from_the_receiver(
    tmp_path: Path, archive_code: int, received: tuple[str, ...], code: int, source: str
) -> None:
    got = fetch_wal(tmp_path, archive_code, received)
    wanted = "archived" if archive_code == 0 else source.removeprefix("received ")
    assert got[0] == code
    assert got[2] == source
    if code == 0:
        assert got[1] == wanted


def test_replay_gets_the_limits_of_the_lost_server() -> None:
    control = (
        "pg_control version number:            1300\n"
        "max_connections setting:              60\n"
        "max_worker_processes setting:         8\n"
        "max_wal_senders setting:              5\n"
        "max_prepared_xacts setting:           0\n"
        "max_locks_per_xact setting:           64\n"
    )
    limits = parse_limits(control)
    assert limits["max_connections"] == 60
    assert limits["max_locks_per_transaction"] == 64
    text = server_text(limits, Path("/s/pgsock"), None)
    assert "max_connections = 60" in text
    assert "synchronous_standby_names = ''" in text
    assert "ssl = on" not in text
    assert "ssl = on" in server_text(limits, Path("/s/pgsock"), Path("/s/tls"))


def test_only_the_owner_on_loopback_and_the_trusted_receiver_get_in() -> None:
    text = access_text("flowforge", "forge", "repl", "10.70.0.1")
    assert text.splitlines() == [
        "local all postgres peer",
        "host flowforge forge 127.0.0.1/32 scram-sha-256",
        "hostssl replication repl 10.70.0.1/32 scram-sha-256",
    ]
    assert "replication" not in access_text("flowforge", "forge", "repl", "")


def test_the_last_recovered_transaction_is_in_the_log() -> None:
    log = (
        "2026-11-24 00:25:35.1 UTC [7] LOG:  last completed transaction was at log time "
        "2026-11-24 00:25:25.851123+00\n"
    )
    assert last_transaction(log) == datetime(2026, 11, 24, 0, 25, 25, 851_123, UTC)
    assert last_transaction("LOG:  redo is not required") is None
