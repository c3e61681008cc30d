# SPDX-License-Identifier: Apache-2.0
"""A pgBackRest repository: what is in it, and the configuration to work with it.

pgBackRest's `info` answers "ok" for a damaged backup, so nothing here calls a backup good: that
takes a restore and a query. Formats: the pgBackRest user guide and command reference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import Context
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import said, seconds_left
from blackstart.world import process

_SEGMENT = re.compile(r"[0-9A-F]{24}(\.partial)?")
_PROGRESS = re.compile(r"\([0-9.]+[KMGTP]?B, ([0-9.]+)%\)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_INFO_LIMIT_S = 60.0
_MESSAGE_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where a repository is, what opens it (the revealed key), and the stanza in it."""

    path: str
    key: str
    stanza: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupEntry:
    """One backup of a stanza: its label, when it ended, and the size that a restore writes."""

    label: str
    taken_at: datetime
    size_bytes: int
    has_errors: bool


class _Times(msgspec.Struct):
    stop: int


class _Sizes(msgspec.Struct):
    size_bytes: int = msgspec.field(default=0, name="size")


class _Backup(msgspec.Struct):
    label: str
    timestamp: _Times
    info: _Sizes = msgspec.field(default_factory=_Sizes)
    error: bool | None = None


class _Status(msgspec.Struct):
    code: int
    message: str = ""


class _Repo(msgspec.Struct):
    status: _Status


class _Archive(msgspec.Struct):
    newest: str | None = msgspec.field(default=None, name="max")


class _Stanza(msgspec.Struct):
    name: str
    status: _Status
    repo: list[_Repo] = msgspec.field(default_factory=list)
    backup: list[_Backup] = msgspec.field(default_factory=list)
    archive: list[_Archive] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a repository lists: the backups, oldest first, and the newest WAL file it archived."""

    entries: tuple[BackupEntry, ...]
    newest_wal: str


def repository_of(context: Context, path: str, key: SecretRef, stanza: str) -> Repository:
    """Return the repository with its key revealed."""
    return Repository(path=path, key=context.reveal(key).strip(), stanza=stanza)


def list_backups(
    repository: Repository, packages: str, context: Context
) -> tuple[BackupEntry, ...]:
    """Return the backups of the stanza, oldest first. Raises WorldFailed (see list_all)."""
    return list_all(repository, packages, context).entries


def list_all(repository: Repository, packages: str, context: Context) -> Listed:
    """Return what the repository lists for the stanza.

    Runs `pgbackrest info` on this machine with the program of `packages` (a folder laid out like
    /usr; empty: that of PATH). Raises WorldFailed when the repository is not there, does not open
    with the key, or holds no such stanza.
    """
    hint = "check the repository's path, its owner and its key"
    try:
        done = process.run(
            [*_program(packages), "info", f"--stanza={repository.stanza}", "--output=json"],
            env=_environment(repository, packages),
            timeout_s=min(_INFO_LIMIT_S, seconds_left(context)),
            cancelled=context.cancelled,
        )
    except process.ProcessError as failure:
        raise WorldFailed(f"the repository cannot be asked: {failure}", failure.hint) from failure
    if done.code != 0:
        raise WorldFailed(f"the repository {repository.path} does not open: {said(done)}", hint)
    return parse_listed(done.out, repository.stanza)


def parse_backups(document: bytes, stanza: str) -> tuple[BackupEntry, ...]:
    """Return the backups in the output of `info --output=json`. Raises WorldFailed."""
    return parse_listed(document, stanza).entries


def parse_listed(document: bytes, stanza: str) -> Listed:
    """Return what the output of `info --output=json` lists. Raises WorldFailed."""
    hint = "check the repository's path, its key and the name of the stanza"
    # With a wrong key the messages quote what came out of the cipher, as raw bytes.
    text = _CONTROL.sub(" ", document.decode("utf-8", "replace"))
    try:
        stanzas = msgspec.json.decode(text, type=list[_Stanza])
    except msgspec.DecodeError as failure:
        raise WorldFailed(f"pgBackRest's answer cannot be read: {failure}", hint) from failure
    found = next((one for one in stanzas if one.name == stanza), None)
    if found is None:
        raise WorldFailed(f"the repository holds no stanza {stanza}", hint)
    if found.status.code not in {0, 2}:  # 2: the stanza is there and has no backup yet
        raise WorldFailed(f"the repository does not open: {_why(found)}", hint)
    entries = (
        BackupEntry(
            label=one.label,
            taken_at=datetime.fromtimestamp(one.timestamp.stop, UTC),
            size_bytes=one.info.size_bytes,
            has_errors=bool(one.error),
        )
        for one in found.backup
    )
    return Listed(
        entries=tuple(sorted(entries, key=lambda entry: (entry.taken_at, entry.label))),
        newest_wal=max((one.newest or "" for one in found.archive), default=""),
    )


def _why(stanza: _Stanza) -> str:
    """Return the first line of what the repository, or else the stanza, is said to have."""
    messages = [one.status.message for one in stanza.repo if one.status.code not in {0, 2}]
    return (messages or [stanza.status.message])[0].splitlines()[0][:_MESSAGE_CHARACTERS]


def newest_received(folder: str) -> tuple[str, datetime] | None:
    """Return the newest WAL file that pg_receivewal wrote, and when it last wrote to it.

    None when there is no such file, or the folder cannot be read.
    """
    try:
        files = [path for path in Path(folder).iterdir() if _SEGMENT.fullmatch(path.name)]
        newest = max(files, key=lambda path: (path.stat().st_mtime, path.name), default=None)
        if newest is None:
            return None
        return newest.name, datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    except OSError:
        return None


def config_text(repository: Repository, work: Path, data: Path, socket: Path) -> str:
    """Return a configuration file for one repository and one cluster.

    Every path that pgBackRest writes to is set: its defaults below /var belong to somebody else.
    """
    return "\n".join(
        [
            "[global]",
            f"repo1-path={repository.path}",
            "repo1-cipher-type=aes-256-cbc",
            f"repo1-cipher-pass={repository.key}",
            "repo1-retention-full=2",
            f"lock-path={work / 'lock'}",
            f"spool-path={work / 'spool'}",
            f"log-path={work / 'log'}",
            "log-level-file=off",
            "start-fast=y",
            "compress-type=zst",
            "compress-level=1",
            f"process-max={max(1, os.cpu_count() or 1)}",
            "",
            f"[{repository.stanza}]",
            f"pg1-path={data}",
            "pg1-port=5432",
            f"pg1-socket-path={socket}",
            "pg1-user=postgres",
            "",
        ]
    )


def fetch_wal_text(config: Path, stanza: str, received: str, log: Path) -> str:
    """Return the script that PostgreSQL asks for each WAL file: from the archive, else received.

    pg_receivewal's last file is `.partial`. An archive that cannot be asked (any code but 0 and 1)
    must not look like the end of the WAL: the script then ends with 200, which makes PostgreSQL
    stop instead of coming up with less than there is.
    """
    return f"""#!/bin/sh
pgbackrest --config={_word(str(config))} --stanza={_word(stanza)} \\
  --log-level-console=off --log-level-stderr=off archive-get "$1" "$2"
code=$?
[ $code -eq 0 ] && {{ echo "archive $1" >> {_word(str(log))}; exit 0; }}
for name in "$1" "$1.partial"; do
  if [ -n {_word(received)} ] && [ -f {_word(received)}/"$name" ]; then
    cp {_word(received)}/"$name" "$2" && {{ echo "received $name" >> {_word(str(log))}; exit 0; }}
    exit 200
  fi
done
[ $code -eq 1 ] && exit 1
echo "archive-get of $1 ended with $code" >> {_word(str(log))}
exit 200
"""


def percent_in(line: str) -> float | None:
    """Return the share of the restore that a log line of level detail reports, 0 to 100."""
    found = _PROGRESS.search(line)
    return None if found is None else float(found.group(1))


def _program(packages: str) -> tuple[str, str]:
    """Return the program, told not to read the machine's own configuration."""
    tool = str(Path(packages) / "bin" / "pgbackrest") if packages else "pgbackrest"
    return tool, "--no-config"


def _environment(repository: Repository, packages: str) -> Mapping[str, str]:
    """The key goes by the environment, which only this user can read; a command line is public."""
    folders = sorted((Path(packages) / "lib").glob("*-linux-gnu")) if packages else []
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "TZ": "UTC",
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, folders)),
        "PGBACKREST_REPO1_PATH": repository.path,
        "PGBACKREST_REPO1_CIPHER_TYPE": "aes-256-cbc",
        "PGBACKREST_REPO1_CIPHER_PASS": repository.key,
        "PGBACKREST_LOG_LEVEL_FILE": "off",
        "PGBACKREST_LOG_LEVEL_CONSOLE": "off",
        "PGBACKREST_LOG_LEVEL_STDERR": "error",
    }


def _word(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
