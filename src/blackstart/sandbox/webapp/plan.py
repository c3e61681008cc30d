# SPDX-License-Identifier: Apache-2.0
"""The plan for the web application, written for one run: its paths, its addresses, its vantage."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from string import Template

from blackstart.sandbox.dns_server import KEY_NAME, ZONE, other_records
from blackstart.sandbox.elsewhere import CHANNEL, SLACK_PORT, SMTP_PORT
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, PRODUCTION, RECOVERY, STANZA, Layout
from blackstart.sandbox.log_server import logs_of
from blackstart.sandbox.metrics import (
    ALERTMANAGER_PORT,
    PROMETHEUS_PORT,
    prometheus_folder,
    watched,
)
from blackstart.sandbox.plan import TARGET
from blackstart.sandbox.webapp.names import (
    DATABASE,
    LOGIN_PAGE,
    METRICS_PATH,
    OWNER,
    PAGES,
    PORT,
    PUBLIC_NAME,
    SYSTEM,
)
from blackstart.sandbox.webapp.parts import Parts
from blackstart.world.files import write_durably
from blackstart.world.sites import Site, inside

_PLAN = Template("""\
blackstart: 1
organisation: The Shop (sandbox)
policy:
  owner: p1
  effective: 2023-07-01
  objectives: { rto: 4h, rpo: 5m }
  activate_when:
    - the estimate is above 1 h
    - data is lost
    - the commander decides
  cadence: 1h
people:
  p1: { name: "Chief Technology Officer", email: p1@example.com, slack: U01 }
  p2: { name: "Deputy of the CTO", email: p2@example.com, slack: U02 }
  p3: { name: "Chief Executive Officer", email: p3@example.com, slack: U03 }
  p4: { name: "Engineer One", email: p4@example.com, slack: U04 }
  p6: { name: "Operator One", email: p6@example.com, slack: U06 }
roles:
  incident_commander: { title: CTO, holders: [p1, p2], acknowledge_within: 10m }
  ceo: { title: CEO, holders: [p3] }
teams:
  engineering: [p4]
  devops: [p6]
channels:
  incident:
    use: slack.post
    channel: "#$channel"
    base_url: "$slack"
    token: "secret:file/$slack_token"
    fallback: [staff]
  staff: { use: email.smtp, host: $here, port: $mail_port, from: incident@flowfuse.test }
  users: { use: email.smtp, host: $here, port: $mail_port, from: status@flowfuse.test }
  status: { use: statuspage.static, publish: [ "dir:$status" ] }
vantages:
  outside: { run: $outside }
systems:
  $system:
    profile: webapp/local@1
    settings:
      public_name: $public_name
      port: $port
      install: [ "$artefacts/install.sh", "$python" ]
      configuration: $artefacts/application.ini
      application_secret: "secret:file/$backup/application.secret"
      start: [ venv/bin/kinto, start, --ini, etc/application.ini, --port, "$port" ]
      program: kinto
      health_page: /v1/__heartbeat__
      pages: $pages
      login_page: $login_page
      verify_login: "secret:file/$backup/verify.login"
      metrics_path: $metrics_path
      packages: $packages
      repository: $backup/repo
      repository_key: "secret:file/$backup/pgbackrest.key"
      stanza: $stanza
      received_wal: $backup/wal
      new_repository: $backup/repo-after-recovery
      manifest: $backup/manifest.json
      database: $database
      database_owner: $owner
      roster: $backup/roster.sealed
      roster_key: "secret:file/$backup/roster.key"
      old_site: $production
      ca_certificate: $pki/ca.pem
      ca_key: "secret:file/$pki/ca.key"
      name_server: $here
      resolver: $here
      zone: $zone
      tsig_key_name: $tsig_key_name
      tsig_key: "secret:file/$tsig_key"
      log_server: $here
      log_server_logs: $logs
      prometheus: "$prometheus"
      prometheus_targets: $targets
      alertmanager: "$alertmanager"
      alert_receipts: $alerts
    state:
      - name: database
        backup: pgbackrest
        restore: restore_data
        check: pgbackrest.verify_point
        rpo: 5m
      - name: application-secret
        not_protected: it never changes; a copy lies elsewhere beside the backup's key
    targets:
      $target:
        place: $place
        site: $recovery
        address: $recovery_address
        public_name: $public_name
        hub: $hub
        records: $records
    watch:
      use: http.expect
      url: "https://$public_name/v1/__heartbeat__"
      ca_certificate: $pki/ca.pem
      timeout_s: 1
      every: 1s
      confirm_after: 3
""")


def write_plan(layout: Layout, parts: Parts, outside: Site) -> Path:
    """Write the plan of this run and return its path."""
    here = ADDRESSES[ELSEWHERE]
    content = _PLAN.substitute(
        _of_the_application(),
        channel=CHANNEL,
        slack=f"http://{here}:{SLACK_PORT}/api/",
        slack_token=layout.elsewhere / "slack.token",
        mail_port=SMTP_PORT,
        status=layout.elsewhere / "status",
        outside=json.dumps(inside(outside, [])),
        target=TARGET,
        artefacts=layout.artefacts,
        python=sys.executable,
        packages=parts.usr,
        backup=layout.backup,
        stanza=STANZA,
        production=PRODUCTION,
        pki=layout.pki,
        here=here,
        zone=ZONE,
        tsig_key_name=KEY_NAME,
        tsig_key=layout.elsewhere / "dns" / "tsig.key",
        logs=logs_of(layout),
        prometheus=f"http://{here}:{PROMETHEUS_PORT}",
        targets=prometheus_folder(layout) / "targets",
        alertmanager=f"http://{here}:{ALERTMANAGER_PORT}",
        alerts=layout.elsewhere / "alerts" / "alerts.jsonl",
        place=layout.sites,
        recovery=RECOVERY,
        recovery_address=ADDRESSES[RECOVERY],
        hub=ELSEWHERE,
    )
    path = layout.root / "blackstart.yaml"
    write_durably(path, content.encode())
    return path


def _of_the_application() -> dict[str, str | int]:
    """Return what the plan says of the application, in whatever run."""
    return {
        "system": SYSTEM,
        "public_name": PUBLIC_NAME,
        "port": PORT,
        "records": json.dumps(
            [
                *other_records(ADDRESSES[RECOVERY]).values(),
                watched(f"{ADDRESSES[RECOVERY]}:{PORT}"),
            ]
        ),
        "pages": json.dumps(PAGES),
        "login_page": LOGIN_PAGE,
        "metrics_path": METRICS_PATH,
        "database": DATABASE,
        "owner": OWNER,
    }
