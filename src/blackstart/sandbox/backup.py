# SPDX-License-Identifier: Apache-2.0
"""A backup of production, and what must be known when production is gone.

Beside the encrypted repository lie the manifest (what was there, to count against) and the sealed
roster (whom to tell). Neither holds a secret in the clear: answers of flows are kept as digests.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime

import msgspec
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from blackstart.sandbox.database import run_backup_tool
from blackstart.sandbox.layout import DATABASE, PRODUCTION, STANZA, Layout, SandboxError
from blackstart.sandbox.on_site import sql
from blackstart.sandbox.secrets_kept import SandboxSecrets, load_secrets
from blackstart.world.clock import SystemClock
from blackstart.world.files import write_durably
from blackstart.world.sites import Site, load_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A page of a flow, and the SHA-256 of the body that it must answer with."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceKept:
    """An instance at the time of the backup. `flows_sha256` is over StorageFlows.flow as stored."""

    id: str
    name: str
    team: str
    state: str
    url: str
    flows_sha256: str
    credential_nodes: tuple[str, ...]
    probes: tuple[Probe, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What production held when the restore point was taken; `rows` is by table name."""

    format: int
    taken_at: datetime
    restore_point: str
    users: int
    teams: int
    instances: tuple[InstanceKept, ...]
    administrators: tuple[str, ...]
    rows: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _InstanceRow:
    id: str
    name: str
    team: str
    state: str
    url: str
    flow: str
    credentials: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _PersonRow:
    id: int
    name: str
    email: str
    teams: tuple[str, ...]
    instances: tuple[str, ...]


_INSTANCES = """
SELECT coalesce(json_agg(json_build_object('id', p.id, 'name', p.name, 'team', t.name,
  'state', p.state, 'url', p.url, 'flow', coalesce(f.flow, ''),
  'credentials', coalesce(c.credentials, ''), 'secret', coalesce(s.value, ''))
  ORDER BY p.name), '[]')
FROM "Projects" p JOIN "Teams" t ON t.id = p."TeamId"
LEFT JOIN "StorageFlows" f ON f."ProjectId" = p.id
LEFT JOIN "StorageCredentials" c ON c."ProjectId" = p.id
LEFT JOIN "ProjectSettings" s ON s."ProjectId" = p.id AND s.key = 'credentialSecret'
"""
_PEOPLE = """
SELECT coalesce(json_agg(json_build_object('id', u.id, 'name', u.name, 'email', u.email,
  'teams', ARRAY(SELECT t.name FROM "Teams" t JOIN "TeamMembers" m ON m."TeamId" = t.id
    WHERE m."UserId" = u.id ORDER BY 1),
  'instances', ARRAY(SELECT p.name FROM "Projects" p JOIN "TeamMembers" m ON m."TeamId" = p."TeamId"
    WHERE m."UserId" = u.id ORDER BY 1)) ORDER BY u.id), '[]')
FROM "Users" u WHERE NOT coalesce(u.suspended, false)
"""
_TABLES = """
SELECT json_object_agg(relname, (xpath('/row/n/text()',
  query_to_xml(format('SELECT count(*) AS n FROM %I', relname), false, true, '')))[1]::text::int)
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_ADMINISTRATORS = """
SELECT coalesce(json_agg(username ORDER BY username), '[]') FROM "Users" WHERE admin
"""


def take_backup(layout: Layout, *, kind: str = "full") -> Manifest:
    """Take a backup ("full" or "diff"), then write manifest and roster. Raises SandboxError."""
    site = load_site(layout.sites, PRODUCTION)
    if site is None:
        raise SandboxError("there is no production to back up", "stand it up first")
    kept = load_secrets(layout.secrets)
    run_backup_tool(site, f"--type={kind}", "backup")
    manifest = _describe(site, kept, _newest_label(site))
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    write_durably(layout.backup / "manifest.json", text, mode=0o644)
    _seal_roster(layout, site, kept)
    return manifest


def _describe(site: Site, kept: SandboxSecrets, label: str) -> Manifest:
    rows = msgspec.json.decode(sql(site, _TABLES, database=DATABASE), type=dict[str, int])
    found = msgspec.json.decode(
        sql(site, _INSTANCES, database=DATABASE), type=tuple[_InstanceRow, ...]
    )
    admins = msgspec.json.decode(
        sql(site, _ADMINISTRATORS, database=DATABASE), type=tuple[str, ...]
    )
    answers = {instance.id: instance.answers for instance in kept.instances}
    return Manifest(
        format=1,
        taken_at=SystemClock().now(),
        restore_point=label,
        users=rows["Users"],
        teams=rows["Teams"],
        instances=tuple(_kept_instance(row, answers.get(row.id, ())) for row in found),
        administrators=admins,
        rows=dict(sorted(rows.items())),
    )


def _kept_instance(row: _InstanceRow, answers: tuple[tuple[str, str], ...]) -> InstanceKept:
    return InstanceKept(
        id=row.id,
        name=row.name,
        team=row.team,
        state=row.state,
        url=row.url,
        flows_sha256=_digest(row.flow),
        credential_nodes=_credential_nodes(row.credentials, row.secret),
        probes=tuple(Probe(path=path, sha256=_digest(text)) for path, text in answers),
    )


def _credential_nodes(credentials: str, secret: str) -> tuple[str, ...]:
    """Return the ids of the nodes that have credentials; they are decrypted to know.

    Node-RED: AES-256-CTR, key SHA-256 of the secret, 32 hex digits of IV, then base64.
    """
    sealed = str(json.loads(credentials or "{}").get("$", ""))
    if not sealed:
        return ()
    key = hashlib.sha256(json.loads(secret).encode() if secret[:1] == '"' else secret.encode())
    cipher = Cipher(algorithms.AES256(key.digest()), modes.CTR(bytes.fromhex(sealed[:32])))
    opened = cipher.decryptor().update(b64decode(sealed[32:]))
    return tuple(sorted(msgspec.json.decode(opened, type=dict[str, dict[str, str]])))


def _seal_roster(layout: Layout, site: Site, kept: SandboxSecrets) -> None:
    """Write the list of people encrypted; ids are opaque and stay the same between backups."""
    found = msgspec.json.decode(sql(site, _PEOPLE, database=DATABASE), type=tuple[_PersonRow, ...])
    people = [
        {
            "person": _opaque(kept.roster_key, row.id),
            "name": row.name,
            "email": row.email,
            "teams": row.teams,
            "instances": row.instances,
        }
        for row in found
    ]
    sealed = Fernet(kept.roster_key).encrypt(msgspec.json.encode(people))
    write_durably(layout.backup / "roster.sealed", sealed, mode=0o600)


def _opaque(key: str, number: int) -> str:
    return "u-" + hmac.new(key.encode(), str(number).encode(), hashlib.sha256).hexdigest()[:16]


def _newest_label(site: Site) -> str:
    """Return the label of the newest backup in the repository."""
    answer = json.loads(run_backup_tool(site, "--output=json", "info"))
    stanza = next(one for one in answer if one["name"] == STANZA)
    return str(stanza["backup"][-1]["label"])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
