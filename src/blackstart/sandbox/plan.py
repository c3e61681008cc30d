# SPDX-License-Identifier: Apache-2.0
"""The plan of the sandbox's company, written for one run: its paths, its addresses, its vantage.

It is an ordinary plan file; whoever reads it sees how a plan for the real thing looks.
"""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

from blackstart.sandbox.dns_server import HOUSE_ZONE, KEY_NAME, ZONE, other_records
from blackstart.sandbox.elsewhere import CHANNEL, SLACK_PORT, SMTP_PORT
from blackstart.sandbox.layout import (
    ADDRESSES,
    ELSEWHERE,
    FLOWFUSE_VERSION,
    PRODUCTION,
    PUBLIC_NAME,
    RECOVERY,
    STACK_VERSION,
    STANZA,
    Layout,
)
from blackstart.sandbox.log_server import logs_of
from blackstart.sandbox.metrics import (
    ALERTMANAGER_PORT,
    PROMETHEUS_PORT,
    prometheus_folder,
    watched,
)
from blackstart.sandbox.provision import GROWERS
from blackstart.world.files import write_durably
from blackstart.world.sites import Site, inside

SYSTEM = "flowfuse-cloud"
TARGET = "drill"

_PLAN = Template("""\
blackstart: 1
organisation: FlowFuse (sandbox)
policy:
  owner: p1
  effective: 2023-07-01
  objectives: { rto: 24h, rpo: 1h }
  activate_when:
    - the estimate is above 1 h
    - data is lost
    - security
    - the commander decides
  cadence: 1h
people:
  p1: { name: "Chief Technology Officer", email: p1@example.com, slack: U01 }
  p2: { name: "Deputy of the CTO", email: p2@example.com, slack: U02 }
  p3: { name: "Chief Executive Officer", email: p3@example.com, slack: U03 }
  p4: { name: "Engineer One", email: p4@example.com, slack: U04 }
  p5: { name: "Engineer Two", email: p5@example.com, slack: U05 }
  p6: { name: "Operator One", email: p6@example.com, slack: U06 }
roles:
  incident_commander: { title: CTO, holders: [p1, p2], acknowledge_within: 10m }
  ceo: { title: CEO, holders: [p3] }
teams:
  engineering: [p4, p5]
  devops: [p6]
channels:
  incident:
    use: slack.post
    channel: "#$channel"
    base_url: "$slack"
    token: "secret:file/$slack_token"
    fallback: [staff]
  staff: { use: email.smtp, host: $mail, port: $mail_port, from: incident@flowfuse.test }
  users: { use: email.smtp, host: $mail, port: $mail_port, from: status@flowfuse.test }
  status: { use: statuspage.static, publish: [ "dir:$status" ] }
vantages:
  outside: { run: $outside }
systems:
  $system:
    profile: flowfuse/local@1
    settings:
      version: "$version"
      stack: "$stack"
      public_name: $public_name
      artefacts: $artefacts
      packages: $packages
      repository: $backup/repo
      repository_key: "secret:file/$backup/pgbackrest.key"
      stanza: $stanza
      received_wal: $backup/wal
      new_repository: $backup/repo-after-recovery
      manifest: $backup/manifest.json
      roster: $backup/roster.sealed
      roster_key: "secret:file/$backup/roster.key"
      earlier_roster: $backup/earlier/roster.sealed
      old_site: $production
      old_database_password: "secret:file/$backup/old-database.password"
      ca_certificate: $pki/ca.pem
      ca_key: "secret:file/$pki/ca.key"
      verify_login: "secret:file/$backup/verify.login"
      name_server: $elsewhere
      resolver: $elsewhere
      zone: $zone
      tsig_key_name: $tsig_key_name
      tsig_key: "secret:file/$tsig_key"
      log_server: $elsewhere
      log_server_logs: $logs
      prometheus: "$prometheus"
      prometheus_targets: $targets
      alertmanager: "$alertmanager"
      alert_receipts: $alerts
      relay_host: $mail
    state:
      - name: database
        backup: pgbackrest
        restore: restore_data
        check: pgbackrest.verify_point
        rpo: 1h
      - name: instance-files
        not_protected: made anew from the database; the flows keep no files
    tiers:
      - { name: growers, teams: [$growers] }
      - { name: everyone-else }
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
      url: "https://$public_name/api/v1/user"
      bearer: "secret:file/$backup/watch.token"
      ca_certificate: $pki/ca.pem
      timeout_s: 2
      every: 1s
      confirm_after: 3
""")


def write_plan(layout: Layout, outside: Site) -> Path:
    """Write the plan of this run and return its path."""
    here = ADDRESSES[ELSEWHERE]
    content = _PLAN.substitute(
        channel=CHANNEL,
        slack=f"http://{here}:{SLACK_PORT}/api/",
        slack_token=layout.elsewhere / "slack.token",
        mail=here,
        mail_port=SMTP_PORT,
        status=layout.elsewhere / "status",
        outside=json.dumps(inside(outside, [])),
        system=SYSTEM,
        target=TARGET,
        version=FLOWFUSE_VERSION,
        stack=STACK_VERSION,
        public_name=PUBLIC_NAME,
        artefacts=layout.artefacts,
        packages=layout.artefacts / "usr",
        backup=layout.backup,
        stanza=STANZA,
        production=PRODUCTION,
        pki=layout.pki,
        elsewhere=here,
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
        **_moving(ADDRESSES[RECOVERY]),
        hub=ELSEWHERE,
        growers=GROWERS,
    )
    path = layout.root / "blackstart.yaml"
    write_durably(path, content.encode())
    return path


def _moving(address: str) -> dict[str, str]:
    """Return the new address and what else has to move: ours, a customer's, and what we watch."""
    customers = {
        "name": f"growers.{HOUSE_ZONE}",
        "kind": "customer_cname",
        "type": "A",
        "customer": GROWERS,
        "old": ADDRESSES[PRODUCTION],
        "new": address,
        "rollback": f"point it to {ADDRESSES[PRODUCTION]} again",
    }
    records = [*other_records(address).values(), customers, watched(f"{address}:3000")]
    return {"recovery_address": address, "records": json.dumps(records)}
