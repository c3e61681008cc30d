# SPDX-License-Identifier: Apache-2.0
"""A plan in which everything is done by hand."""

HEAD = """\
blackstart: 1
organisation: Small
policy: { owner: ada, effective: 2026-01-01 }
people:
  ada: { name: Ada, email: ada@example.com }
  ben: { name: Ben, email: ben@example.com }
roles: { incident_commander: { title: CTO, holders: [ada, ben] } }
teams: { ops: [ben] }
systems:
  shop:
    profile: manual/any@1
    settings: { public_name: shop.example.com, backups: "on the office NAS" }
    state:
      - { name: database, backup: nas, restore: restore_data, check: verify_platform }
    targets: { recovery: { place: another region } }
"""
