# SPDX-License-Identifier: Apache-2.0
"""FlowFuse's program on a new site: installed from a built artefact, configured, not started.

An artefact is a compressed tar of the installed tree (`flowfuse-VERSION.tar.zst`,
`stack-VERSION.tar.zst`) with its SHA-256 beside it: nothing is asked of a package registry.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from socket import INADDR_ANY
from typing import ClassVar

from blackstart.model.errors import Refused, WorldFailed
from blackstart.ports.action import Context, Done, Finding, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import (
    DATABASE,
    Workplace,
    directory_of,
    end_strays,
    said,
    work_in,
)
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world.files import write_durably
from blackstart.world.namespaces import residents
from blackstart.world.sites import USERS

_INSTALL, _CONFIGURE = "flowfuse.install", "flowfuse.configure"
ENTRY = "app/node_modules/@flowfuse/flowfuse/forge/app.js"
_USER = "flowfuse"
_READ_BYTES = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """Install the pinned FlowFuse and the pinned Node-RED stack from their artefacts.

    Each is checked against its SHA-256, unpacked beside its place and renamed when whole. The
    files belong to root: the platform cannot change its own program.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "sha256": "the SHA-256 of the installed FlowFuse artefact",
    }
    place: str
    site: str
    artefacts: str
    version: str
    stack: str

    def preview(self, context: Context) -> str:
        """Say what would be installed."""
        return f"FlowFuse {self.version} and Node-RED {self.stack} would be installed"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Check and unpack both at the same time."""
        work = work_in(self.place, self.site, context)
        begin(work.directory, _INSTALL, context)
        end_strays(work, "zstd", "tar")
        home = work.directory / "flowfuse"
        stacks = home / "var" / "stacks"
        for folder in (home / "var", stacks):
            _own_folder(folder)
        trees = (
            (Path(self.artefacts) / f"flowfuse-{self.version}.tar.zst", home / "app"),
            (Path(self.artefacts) / f"stack-{self.stack}.tar.zst", stacks / self.stack),
        )
        progress = _Progress(work=work, total=sum(path.stat().st_size for path, _ in trees))
        with ThreadPoolExecutor(max_workers=len(trees)) as pool:
            digests = list(pool.map(lambda tree: _install(work, tree[0], tree[1], progress), trees))
        if not (home / ENTRY).is_file():
            raise WorldFailed("the artefact holds no FlowFuse", f"it must contain {ENTRY[4:]}")
        lines = (f"{digest}  {path.name}" for digest, (path, _) in zip(digests, trees, strict=True))
        done = Done(
            summary=f"FlowFuse {self.version} and Node-RED {self.stack} installed",
            outputs={"sha256": digests[0]},
            evidence=(context.keep("installed.txt", "\n".join(lines).encode()),),
        )
        return finish(work.directory, _INSTALL, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key and the program."""
        directory = directory_of(self.place, self.site)
        return finding(directory, _INSTALL, context, (directory / "flowfuse" / ENTRY).is_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """Write FlowFuse's configuration: its names, its database, its mail relay, its authority."""

    outputs: ClassVar[Mapping[str, str]] = {}
    place: str
    site: str
    public_name: str
    database_password: SecretRef
    ca_certificate: str
    relay_host: str = ""
    relay_port: int = 25
    start_port: int = 12080

    def preview(self, context: Context) -> str:
        """Say what would be written."""
        return f"FlowFuse on site {self.site} would be configured as https://{self.public_name}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Write it, readable for FlowFuse only."""
        work = work_in(self.place, self.site, context)
        begin(work.directory, _CONFIGURE, context)
        home = work.directory / "flowfuse"
        for folder in (home / "etc", home / "var", home / "var" / "projects"):
            _own_folder(folder)
        authority = home / "etc" / "ca.pem"
        _put(authority, Path(self.ca_certificate).read_bytes(), 0o644)
        content = settings_of(self, context.reveal(self.database_password), str(authority))
        _put(home / "etc" / "flowforge.yml", json.dumps(content, indent=1).encode(), 0o600)
        shown = json.dumps(settings_of(self, "(hidden)", str(authority)), indent=1).encode()
        done = Done(
            summary=f"FlowFuse is configured as https://{self.public_name}",
            evidence=(context.keep("flowforge.yml", shown),),
        )
        return finish(work.directory, _CONFIGURE, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key and the file."""
        directory = directory_of(self.place, self.site)
        path = directory / "flowfuse" / "etc" / "flowforge.yml"
        return finding(directory, _CONFIGURE, context, path.is_file)


def settings_of(wanted: Configure, password: str, authority: str) -> Mapping[str, object]:
    """Return flowforge.yml as a value (JSON is valid YAML). Source: the reference of FlowFuse 2.4.

    `host` is all addresses, because Prometheus asks for the metrics over the network; the site's
    firewall admits only it. Inside the site everything talks to `api_url`.
    """
    relay = {
        "host": wanted.relay_host,
        "port": wanted.relay_port,
        "secure": False,
        "ignoreTLS": True,
    }
    sender = f'"FlowFuse" <noreply@{wanted.public_name}>'
    return {
        "host": str(IPv4Address(INADDR_ANY)),
        "port": 3000,
        "domain": wanted.public_name.partition(".")[2],
        "base_url": f"https://{wanted.public_name}",
        "api_url": "http://127.0.0.1:3000",
        "db": {
            "type": "postgres",
            "host": "127.0.0.1",
            "port": 5432,
            "user": "forge",
            "password": password,
            "database": DATABASE,
            "logging": False,
        },
        "driver": {
            "type": "localfs",
            "options": {"start_port": wanted.start_port, "privateCA": authority},
        },
        "email": {"enabled": True, "from": sender, "smtp": relay}
        if wanted.relay_host
        else {"enabled": False},
        "telemetry": {"enabled": False, "backend": {"prometheus": {"enabled": True}}},
        "logging": {"level": "info", "http": "info", "pretty": False},
        "rate_limits": {"enabled": True, "global": False},
        "create_admin": False,
    }


@dataclass(slots=True, kw_only=True)
class _Progress:
    """How many compressed bytes the unpackers have read, all together."""

    work: Workplace
    total: int
    read: dict[str, int] = field(default_factory=dict)
    readers: dict[str, int] = field(default_factory=dict)

    def tell(self, artefact: Path) -> None:
        """Ask the kernel how far the program that decompresses this artefact has read."""
        name = str(artefact)
        if name not in self.readers:
            self.readers[name] = self._find_reader(artefact)
        try:
            position = Path(f"/proc/{self.readers[name]}/fdinfo/0").read_text().split()[1]
        except (OSError, IndexError):
            return
        self.read[name] = int(position)
        self.work.context.progress(float(sum(self.read.values())), float(self.total), "B")

    def _find_reader(self, artefact: Path) -> int:
        for one in residents(self.work.site):
            try:
                if one.command == "zstd" and Path(f"/proc/{one.pid}/fd/0").samefile(artefact):
                    return one.pid
            except OSError:
                continue
        return 0


def _install(work: Workplace, artefact: Path, target: Path, progress: _Progress) -> str:
    """Check one artefact, unpack it beside its place and rename it; return its digest."""
    digest = _checked_digest(artefact)
    draft = target.with_name(f".{target.name}.new")
    for left in (draft, target):  # of an earlier attempt of this run: the site is ours
        shutil.rmtree(left, ignore_errors=True)
    draft.mkdir(mode=0o755)
    unpack = 'exec zstd -q -d -c < "$0" | tar -x -C "$1" --no-same-owner --checkpoint=400'
    done = work.run(
        ["bash", "-o", "pipefail", "-c", unpack, str(artefact), str(draft)],
        on_line=lambda _: progress.tell(artefact),
    )
    if done.code != 0:
        raise WorldFailed(f"{artefact.name} cannot be unpacked: {said(done)}", "is the disk full?")
    draft.chmod(0o755)
    draft.rename(target)
    progress.read[str(artefact)] = artefact.stat().st_size
    return digest


def _checked_digest(artefact: Path) -> str:
    """Return the SHA-256 of the artefact. Raises Refused unless it is the one that is noted."""
    beside = artefact.with_name(f"{artefact.name}.sha256")
    try:
        noted = beside.read_text().split()[0]
        digest = hashlib.sha256()
        with artefact.open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    except (OSError, IndexError) as failure:
        raise WorldFailed(
            f"{artefact.name} or its .sha256 cannot be read: {failure}",
            "build the artefacts of this version and put them into `artefacts`",
        ) from failure
    if digest.hexdigest() != noted:
        raise Refused(
            f"{artefact.name} is not what was built: its SHA-256 is {digest.hexdigest()[:16]}…",
            "take an undamaged copy; nothing of this one was installed",
        )
    return noted


def _own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o750, exist_ok=True)
    folder.chmod(0o750)
    os.chown(folder, USERS[_USER], USERS[_USER])


def _put(path: Path, content: bytes, mode: int) -> None:
    write_durably(path, content, mode=mode)
    os.chown(path, USERS[_USER], USERS[_USER])
