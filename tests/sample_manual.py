# SPDX-License-Identifier: Apache-2.0
"""A plan in which everything is done by hand."""

from blackstart.planfile.verb_shape import VerbShape

HEAD = """\
blackstart: 1
organisation: Small
policy: { owner: ada, effective: 2026-01-01 }
people:
  ada: { name: Ada, email: ada@example.com }
  ben: { name: Ben, email: ben@example.com }
roles: { incident_commander: { title: CTO, holders: [ada, ben] } }
teams: { ops: [ben] }
channels: { incident: &mail { use: email.smtp, host: mail, from: a@example.com }, staff: *mail }
systems:
  shop:
    profile: manual/any@1
    settings: { public_name: shop.example.com, backups: "on the office NAS" }
    state:
      - { name: database, backup: nas, restore: restore_data, check: verify_platform }
    targets: { recovery: { place: another region } }
"""

# the one verb that it needs beside what people do
SPEAKING = {
    "email.smtp": VerbShape(kind="channel", parameters=("host", "from"), required=("host", "from"))
}
