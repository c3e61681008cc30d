# SPDX-License-Identifier: Apache-2.0
"""The central log server elsewhere: rsyslog over TLS, certificates checked on both sides.

A sender needs a certificate of the sandbox's authority, for a site's name or a name below
flowfuse.test. Lines are kept per sending host in logs/HOST.log: time, host, tag, text.
Framing: RFC 5425 (octet counting).
"""

from __future__ import annotations

from pathlib import Path

from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, PRODUCTION, RECOVERY, Layout
from blackstart.sandbox.on_site import make_folder, put_file
from blackstart.sandbox.pki import Pki

SERVER_NAME = "log.elsewhere.test"
PERMITTED_SENDERS = ("*.flowfuse.test", PRODUCTION, RECOVERY)
PORT = 6514
_LINE = (
    "%timegenerated:::date-rfc3339% %HOSTNAME% "
    "%syslogtag%%msg:::sp-if-no-1st-sp%%msg:::drop-last-lf%"
)
_CONFIG = """\
global(
  workDirectory="{folder}" maxMessageSize="256k" net.enableDNS="off"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/ca.pem"
  defaultNetstreamDriverCertFile="{folder}/log.pem" defaultNetstreamDriverKeyFile="{folder}/log.key"
)
module(
  load="imtcp" MaxSessions="100"
  StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name"
  PermittedPeer=[{senders}]
)
template(name="file" type="string" string="{logs}/%HOSTNAME:::secpath-replace%.log")
template(name="line" type="string"
  string="{line}\\n")
ruleset(name="central") {{
  action(type="omfile" dynaFile="file" template="line" dirCreateMode="0755" fileCreateMode="0644"
    asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" address="{address}" port="{port}" ruleset="central")
"""


def logs_of(layout: Layout) -> Path:
    """Return the folder of the central logs, one file per host."""
    return layout.elsewhere / "logs"


def write_log_server(layout: Layout, pki: Pki) -> list[str]:
    """Write certificate and configuration; return the command that serves."""
    folder = make_folder(layout.elsewhere / "rsyslog", "svc", 0o755)
    logs = make_folder(logs_of(layout), "svc", 0o755)
    issued = pki.issue(SERVER_NAME, ADDRESSES[ELSEWHERE])
    put_file(folder / "ca.pem", pki.ca.read_bytes(), "svc", 0o644)
    put_file(folder / "log.pem", issued.certificate, "svc", 0o644)
    put_file(folder / "log.key", issued.key, "svc")
    config = _CONFIG.format(
        folder=folder,
        logs=logs,
        line=_LINE,
        senders=", ".join(f'"{name}"' for name in PERMITTED_SENDERS),
        address=ADDRESSES[ELSEWHERE],
        port=PORT,
    )
    path = put_file(folder / "rsyslog.conf", config, "svc")
    return ["rsyslogd", "-n", "-f", str(path), "-i", str(folder / "rsyslogd.pid")]
