# SPDX-License-Identifier: Apache-2.0
"""Logs: a shipper in the new site, and proof that its lines reach the central server.

The shipper is rsyslog: it follows the platform's log file and sends each line by TLS, with a
certificate issued for this site, both sides checked (RFC 5425, octet counting). The platform writes
to a file, so that a dead shipper never stops it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.ports.action import Context, Done, Failed, Finding, NotDone, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.client_certificate import first_name_of, issue_client_certificate
from blackstart.providers.limits import wait_within
from blackstart.providers.places import (
    Workplace,
    directory_of,
    end_started,
    look_into,
    seconds_left,
    work_in,
)
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world import process
from blackstart.world.files import write_durably
from blackstart.world.http import read_certificate
from blackstart.world.namespaces import call_in_network
from blackstart.world.random import nonce
from blackstart.world.site_identity import USERS
from blackstart.world.sites import start_inside

_SERVICE = "shipper"
_VERB = "logs.ship"
_USER = "svc"
_CONFIG = """\
global(
  workDirectory="{folder}" localHostname="{name}" maxMessageSize="256k" net.enableDNS="off"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/ship.pem"
  defaultNetstreamDriverKeyFile="{folder}/ship.key"
)
module(load="imfile" mode="inotify")
input(type="imfile" File="{log}" Tag="{tag}:" addMetadata="off")
action(
  type="omfwd" target="{server}" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
  template="RSYSLOG_SyslogProtocol23Format" StreamDriver="gtls" StreamDriverMode="1"
  StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="{server_name}"
  action.resumeRetryCount="-1" action.resumeInterval="1"
  queue.type="LinkedList" queue.filename="waiting" queue.maxDiskSpace="64m"
  queue.saveOnShutdown="on"
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    pid: int
    started_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship:
    """Send the platform's log of a site to the central log server.

    Starts rsyslog in the site, which has to have it, as the user `svc`; it lives as long as the
    site. `name` is the name in the site's certificate, by which the server knows who may send
    (empty: the site's own). Before that the server is looked at from inside the site: its
    certificate must be of our authority and hold `server_name` (empty: `server` itself, a name or
    an address); rsyslog then accepts the names of that certificate only.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "server_name": "the name of the server's certificate that is accepted",
        "log": "the file that is followed",
    }

    place: str
    site: str
    ca_certificate: str
    ca_key: SecretRef
    server: str
    port: int = 6514
    server_name: str = ""
    name: str = ""
    log: str = "flowfuse.log"
    days: int = 90

    def preview(self, context: Context) -> str:
        """Say what would be sent where."""
        return f"{self.log} of site {self.site} would be sent to {self.server}:{self.port} by TLS"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Issue the certificate, write the configuration, start the shipper."""
        workplace = work_in(self.place, self.site, context)
        begin(workplace.directory, _VERB, context)
        folder = workplace.directory / "shipper"
        accepted = self._look_at_server(workplace)
        end_started(workplace, _SERVICE, grace_s=2.0)
        self._write(folder, workplace, context, accepted)
        trouble = self._start(folder, workplace)
        if trouble:
            return Failed(
                summary=f"rsyslog does not run in site {self.site}: {trouble}.",
                hint="show the package rsyslog-gnutls in the new site, and read log/shipper.log",
            )
        done = Done(
            summary=f"{self.log} of {self.site} is sent to {self.server}:{self.port} by TLS.",
            outputs={
                "server_name": accepted,
                "log": str(workplace.directory / "log" / self.log),
            },
        )
        return finish(workplace.directory, _VERB, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key in the site, and whether its shipper lives."""
        directory = directory_of(self.place, self.site)
        if not directory.exists():
            return NotDone(note=f"there is no folder {directory}")
        return finding(directory, _VERB, context, lambda: _lives(directory / "shipper"))

    def _look_at_server(self, workplace: Workplace) -> str:
        """Return the name to accept, from a certificate that was checked. Raises FetchFailed."""
        served = call_in_network(
            workplace.site,
            lambda: read_certificate(
                self.server,
                self.port,
                name=self.server_name or self.server,
                ca=Path(self.ca_certificate),
                timeout_s=min(5.0, seconds_left(workplace.context)),
            ),
        )
        return self.server_name or first_name_of(served) or self.server

    def _write(self, folder: Path, workplace: Workplace, context: Context, accepted: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, USERS[_USER], USERS[_USER])
        authority = Path(self.ca_certificate).read_bytes()
        certificate, key = issue_client_certificate(
            authority,
            context.reveal(self.ca_key),
            self.name or self.site,
            context.now(),
            days=self.days,
        )
        config = _CONFIG.format(
            folder=folder,
            name=self.site,
            log=workplace.directory / "log" / self.log,
            tag=Path(self.log).stem,
            server=self.server,
            port=self.port,
            server_name=accepted,
        )
        for name, content in (
            ("ca.pem", authority),
            ("ship.pem", certificate),
            ("ship.key", key),
            ("rsyslog.conf", config.encode()),
        ):
            write_durably(folder / name, content)
            os.chown(folder / name, USERS[_USER], USERS[_USER])
        # The shipper watches the folder of logs, which the site made for root only.
        logs = workplace.directory / "log"
        followed = logs / self.log
        followed.touch(mode=0o640)
        for path, mode in ((logs, 0o751), (followed, followed.stat().st_mode & 0o777 | 0o040)):
            os.chown(path, -1, USERS[_USER])
            path.chmod(mode)

    def _start(self, folder: Path, workplace: Workplace) -> str:
        """Start rsyslog and wait until it runs; returns what is wrong, or nothing."""
        config, running = str(folder / "rsyslog.conf"), folder / "rsyslogd.pid"
        tried = workplace.run(["rsyslogd", "-N1", "-f", config], user=_USER, limit_s=10)
        if tried.code != 0:
            return tried.err.decode("utf-8", "replace").strip()[-300:] or f"code {tried.code}"
        running.unlink(missing_ok=True)
        argv = ["rsyslogd", "-n", "-f", config, "-i", str(running)]
        pid = start_inside(workplace.site, _SERVICE, argv, user=_USER)
        ticks = process.started_ticks(pid) or 0
        content = msgspec.json.encode(_Running(pid=pid, started_ticks=ticks))
        write_durably(folder / "running.json", content)
        wait_within(
            workplace.context,
            lambda: running.exists() or not _lives(folder),
            at_most_s=5.0,
            every_s=0.02,
        )
        return "" if running.exists() and _lives(folder) else "it ended at once"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectCanary:
    """Expect that a line with a fresh nonce, logged inside the new site, reaches the central logs.

    The platform is asked for a page whose address holds the nonce, and logs that request. `logs` is
    the folder of the central server's files; what was in them before the request does not count.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "nonce": "the text that was looked for",
        "file": "the file of the central logs that has it",
        "took_s": "seconds from the request until the line was there",
    }

    place: str
    site: str
    logs: str
    url: str = "http://127.0.0.1:3000/api/v1/settings"
    log: str = "flowfuse.log"
    within_s: float = 10.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Cause the line and look for it."""
        workplace = look_into(self.place, self.site, context)
        central, fresh = Path(self.logs), f"canary-{nonce()}"
        before_bytes = sizes_of(central)
        started_at = context.now()
        answer = workplace.get(f"{self.url}?{fresh}")
        found: Path | None = None

        def has_arrived() -> bool:
            nonlocal found
            found = find_text(central, fresh, before_bytes)
            return found is not None

        if wait_within(context, has_arrived, at_most_s=self.within_s, every_s=0.05):
            took_s = (context.now() - started_at).total_seconds()
            return Done(
                summary=f"A line that {self.site} logged was found in the central logs "
                f"after {took_s:.1f} s.",
                outputs={"nonce": fresh, "file": str(found), "took_s": round(took_s, 2)},
            )
        local = workplace.directory / "log" / self.log
        return self._say_where(local, fresh, answer.status)

    def _say_where(self, local: Path, fresh: str, status: int) -> Failed:
        if not local.exists() or fresh.encode() not in local.read_bytes():
            return Failed(
                summary=f"The platform answered {status} and did not log the request in {local}.",
                hint="its log level for requests has to be info (logging.http)",
            )
        return Failed(
            summary=f"The platform logged the request, and after {self.within_s:g} s the line "
            f"is not in the central logs.",
            hint="look at the shipper (log/shipper.log in the site), at port 6514 of the log "
            "server, and at the names in both certificates",
        )


def sizes_of(folder: Path) -> Mapping[str, int]:
    """Return the present size of each log file of a folder, in bytes."""
    return {path.name: path.stat().st_size for path in folder.glob("*.log")}


def find_text(folder: Path, text: str, after_bytes: Mapping[str, int]) -> Path | None:
    """Return the log file that holds the text beyond its given place; None when none does."""
    for path in sorted(folder.glob("*.log")):
        with path.open("rb") as file:
            known_bytes = after_bytes.get(path.name, 0)
            if known_bytes <= path.stat().st_size:  # else it was rotated: all of it is new
                file.seek(known_bytes)
            if text.encode() in file.read():
                return path
    return None


def _running_in(folder: Path) -> _Running | None:
    try:
        return msgspec.json.decode((folder / "running.json").read_bytes(), type=_Running)
    except (OSError, msgspec.MsgspecError):
        return None


def _lives(folder: Path) -> bool:
    running = _running_in(folder)
    return running is not None and process.is_alive(running.pid, running.started_ticks)


PROVIDES: Mapping[str, type] = {"ship": Ship, "expect_canary": ExpectCanary}
