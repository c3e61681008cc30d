# SPDX-License-Identifier: Apache-2.0
"""Production's log leaves the site: rsyslog follows FlowFuse's log file and sends each line by TLS.

FlowFuse writes to a file, not to a pipe, so that a dead shipper cannot stop it.
"""

from __future__ import annotations

from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE
from blackstart.sandbox.log_server import PORT, SERVER_NAME
from blackstart.sandbox.on_site import make_folder, put_file
from blackstart.sandbox.pki import Pki
from blackstart.world.sites import Site, start_inside

_CONFIG = """\
global(
  workDirectory="{folder}" maxMessageSize="256k" localHostname="{host}" net.enableDNS="off"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/log.pem" defaultNetstreamDriverKeyFile="{folder}/log.key"
)
module(load="imfile" mode="inotify")
input(type="imfile" File="{log}" Tag="{tag}:" addMetadata="off" freshStartTail="on")
action(
  type="omfwd" target="{target}" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
  template="RSYSLOG_SyslogProtocol23Format" StreamDriver="gtls" StreamDriverMode="1"
  StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="{peer}"
  action.resumeRetryCount="-1" action.resumeInterval="1"
  queue.type="LinkedList" queue.filename="forward" queue.maxDiskSpace="64m"
  queue.saveOnShutdown="on"
)
"""


def start_shipper(site: Site, pki: Pki, *, log: str = "flowfuse.log") -> None:
    """Send the lines that FlowFuse, or who writes to `log`, logs from now on to the server."""
    folder = make_folder(site.directory / "rsyslog", "svc")
    issued = pki.issue(f"{site.name}.flowfuse.test", site.address)
    put_file(folder / "ca.pem", pki.ca.read_bytes(), "svc", 0o644)
    put_file(folder / "log.pem", issued.certificate, "svc", 0o644)
    put_file(folder / "log.key", issued.key, "svc")
    followed = site.directory / "log" / log
    followed.touch(mode=0o644)
    followed.chmod(0o644)
    config = _CONFIG.format(
        folder=folder,
        host=site.name,
        log=followed,
        tag=followed.stem,
        target=ADDRESSES[ELSEWHERE],
        port=PORT,
        peer=SERVER_NAME,
    )
    path = put_file(folder / "rsyslog.conf", config, "svc")
    run = ["rsyslogd", "-n", "-f", str(path), "-i", str(folder / "rsyslogd.pid")]
    start_inside(site, "rsyslog", run, user="svc")
