# SPDX-License-Identifier: Apache-2.0
"""The plan of the three-day incident: two systems, six people, work by hand beside real verbs.

`cloud` is everybody's, `dedicated` one customer's. One of the customers uses both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

PEOPLE = {
    "ada": "Ada Northcote",
    "ben": "Ben Okafor",
    "cleo": "Cleo Martin",
    "dan": "Dan Weber",
    "eve": "Eve Larsen",
    "finn": "Finn Roy",
}
SLACK = {person: f"U0{person.upper():0<8}" for person in PEOPLE}
CUSTOMERS = {
    "cloud": {"u1": "una@one.example", "u2": "uri@both.example"},
    "dedicated": {"k1": "uri@both.example", "k2": "kim@two.example"},
}


@dataclass(frozen=True, kw_only=True)
class Around:
    """Where the world around the plan is: a folder and the ports of what stands in for it."""

    folder: Path
    slack_port: int
    mail_port: int
    site_port: int


def plan_text(
    around: Around,
    *,
    restore: str = "Restore the newest backup.",
    fence: str = "Fence the old site of kim.",
) -> str:
    """Return the plan; `restore` and `fence` is what people are asked to do for `dedicated`."""
    return _head(around) + _cloud(around) + _dedicated(around, restore, fence)


def _head(around: Around) -> str:
    return f"""\
blackstart: 1
organisation: FlowFuse
policy:
  owner: ada
  effective: 2026-01-01
  objectives: {{ rto: 24h, rpo: 1h }}
  cadence: 6h
  activate_when: [ the estimate is above 1 h, the commander decides ]
people:
{_people()}
roles:
  incident_commander: {{ title: CTO, holders: [ada, ben], acknowledge_within: 10m }}
  ceo: {{ title: CEO, holders: [cleo] }}
  customer_liaison: {{ title: Customer success, holders: [finn] }}
teams: {{ engineering: [dan], devops: [eve] }}
channels:
  incident: {{ use: slack.post, channel: "#incident", {_slack(around)} }}
  staff: {{ use: slack.direct, {_slack(around)}, fallback: [staff_mail] }}
  staff_mail: {{ use: email.smtp, host: 127.0.0.1, port: {around.mail_port}, from: ops@ff.example }}
  users: {{ use: email.smtp, host: 127.0.0.1, port: {around.mail_port}, from: status@ff.example,
    timeout_s: 60 }}
  status: {{ use: statuspage.static, publish: ["dir:{around.folder}/page"] }}
systems:
"""


def _cloud(around: Around) -> str:
    return f"""\
  cloud:
    profile: manual/any@1
    settings: {{ public_name: app.ff.example, backups: the vault, users: the sealed roster }}
    state:
      - {{ name: database, backup: vault, restore: restore_data, check: verify_platform, rpo: 1h }}
    targets: {{ recovery: {{ place: eu-central-1 }} }}
    steps:
      notify_users: {_notify(around, "cloud")}
      assess_damage: {{ owner: devops }}
      create_environment:
        owner: devops
        do:
          - fence: {{ use: manual.do, params: {{ text: "Fence the old site of the cloud." }} }}
          - order: {_order(around, "cloud")}
      secure_environment: {{ owner: devops }}
      deploy_platform:
        owner: engineering
        do:
          - code:
              use: files.copy
              params: {{ source: {around.folder}/release, into: {around.folder}/site/release }}
      restore_data:
        owner: engineering
        manual: docs/restore-by-hand.md
        do:
          - vault: {_run(around, "echo 'the vault is sealed' >&2; exit 3", "restore-cloud")}
      verify_platform:
        owner: engineering
        do:
          - page:
              use: http.expect
              params: {{ url: "http://127.0.0.1:{around.site_port}/", contains: "all here" }}
      verify_observability: {{ owner: devops }}
      update_dns: {_move("cloud")}
      announce_recovery: {_announce()}
"""


def _dedicated(around: Around, restore: str, fence: str) -> str:
    return f"""\
  dedicated:
    profile: manual/any@1
    settings: {{ public_name: kim.ff.example, backups: the vault, users: the sealed roster }}
    state:
      - {{ name: database, backup: vault, restore: restore_data, check: verify_platform, rpo: 1h }}
    targets: {{ recovery: {{ place: eu-west-1 }} }}
    steps:
      notify_users: {_notify(around, "dedicated")}
      assess_damage:
        owner: devops
        do:
          - fence: {{ use: manual.do, params: {{ text: "{fence}" }} }}
      create_environment:
        do:
          - order: {_order(around, "dedicated", is_slow=True)}
      secure_environment:
        do: [ ports: {_run(around, "true", "ports")} ]
      deploy_platform:
        do: [ code: {_run(around, "true", "code")} ]
      restore_data:
        owner: engineering
        do:
          - restore: {{ use: manual.do, params: {{ text: "{restore}", outputs: [recovered_to] }} }}
      verify_platform:
        do: [ page: {_run(around, "true", "page")} ]
      verify_observability: {{ owner: devops }}
      update_dns: {_move("dedicated")}
      announce_recovery: {_announce()}
"""


def _people() -> str:
    return "\n".join(
        f"  {person}: {{ name: {name}, email: {person}@ff.example, slack: {SLACK[person]} }}"
        for person, name in PEOPLE.items()
    )


def _slack(around: Around) -> str:
    token = f"token: secret:file{around.folder}/slack.token"
    return f'{token}, timeout_s: 60, base_url: "http://127.0.0.1:{around.slack_port}/api/"'


def _notify(around: Around, system: str) -> str:
    roster = f"roster: {around.folder}/{system}.roster, key: secret:file{around.folder}/roster.key"
    return (
        f"{{ do: [ roster: {{ use: roster.open, params: {{ {roster}, audience: affected }} }} ], "
        "notices: [ { kind: outage, channel: users, audience: affected }, "
        "{ kind: outage, channel: status, audience: everyone } ] }"
    )


def _announce() -> str:
    return (
        "{ do: [], notices: [ { kind: recovered, channel: users, audience: affected }, "
        "{ kind: recovered, channel: status, audience: everyone } ] }"
    )


def _order(around: Around, system: str, *, is_slow: bool = False) -> str:
    """Return the action that orders a host; a slow one waits until the provider has room."""
    waits = "while ! test -e room; do sleep 0.05; done; " if is_slow else ""
    script = f"echo again >> order-{system}; {waits}" + """echo '{\\"host\\": \\"10.0.0.7\\"}'"""
    return _run(around, script, f"order-{system}-traces", "prints_json: true, value_at: host")


def _run(around: Around, script: str, traces: str, more: str = "repeatable: true") -> str:
    if "repeatable" not in more:
        more = f"{more}, repeatable: true"
    return (
        f'{{ use: command.run, limit: 3d, params: {{ argv: [sh, -c, "{script}"], '
        f"cwd: {around.folder}, traces: {around.folder}/{traces}, {more} }} }}"
    )


def _move(system: str) -> str:
    text = f"Move the names of {system} and look from outside."
    return (
        "{ owner: devops, do: [ move: { use: manual.do, params: { evidence: true, "
        f'text: "{text}", outputs: [first_service_at, full_service_at] }} }} ] }}'
    )


def write_world(around: Around) -> None:
    """Write what lies ready before anything breaks: keys, rosters, the release, the plan."""
    key = Fernet.generate_key()
    secrets = {"roster.key": key, "slack.token": b"xoxb-days"}
    for name, content in secrets.items():
        (around.folder / name).write_bytes(content)
    for system, people in CUSTOMERS.items():
        rows = [{"person": who, "name": who, "email": mail} for who, mail in people.items()]
        (around.folder / f"{system}.roster").write_bytes(
            Fernet(key).encrypt(json.dumps(rows).encode())
        )
    for name in ("release", "site"):
        (around.folder / name).mkdir()
    (around.folder / "release" / "version").write_text("2.4.0\n")
    (around.folder / "blackstart.yaml").write_text(plan_text(around))
