# SPDX-License-Identifier: Apache-2.0
"""FlowFuse's database after a restore: what ties it to the lost site, and whether secrets open.

The tables, columns and forms are those of FlowFuse 2.4.0 with the localfs driver (its source:
`forge/db/models`, `driver-localfs/localfs.js`). What this run did is noted in a table of its own
(`blackstart.done_keys`), in the same transaction, so that looking is exact.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from blackstart.model.errors import WorldFailed
from blackstart.providers.places import Workplace

RELOCATE, ROTATE, HOLD = "flowfuse.relocate", "flowfuse.rotate_sessions", "flowfuse.start"

_OWN_TABLES = """
CREATE SCHEMA IF NOT EXISTS blackstart;
CREATE TABLE IF NOT EXISTS blackstart.done_keys
  (key text PRIMARY KEY, marker text NOT NULL, verb text NOT NULL, at timestamptz DEFAULT now());
CREATE TABLE IF NOT EXISTS blackstart.held_instances
  (marker text, id uuid, PRIMARY KEY (marker, id));
"""
_NOTE = """
INSERT INTO blackstart.done_keys (key, marker, verb) VALUES (:'key', :'marker', :'verb')
  ON CONFLICT (key) DO UPDATE SET at = now();
"""
# Ports stay: the new site is a host of its own. `port` holds a JSON number, `path` plain text.
_RELOCATE = """
UPDATE "ProjectSettings" SET value = :'home' || '/var/projects/' || "ProjectId"::text
  WHERE key = 'path';
DELETE FROM "ProjectSettings" WHERE key = 'pid';
UPDATE "Projects" p SET url = :'base' || ':' || s.value || '/'
  FROM "ProjectSettings" s WHERE s."ProjectId" = p.id AND s.key = 'port';
"""
_ROTATE = """
DELETE FROM "Sessions";
DELETE FROM "OAuthSessions";
UPDATE "PlatformSettings" SET value = :'cookie_secret', "valueType" = 0, "updatedAt" = now()
  WHERE key = 'cookieSecret';
"""
# Remembered before the first start of the platform; a second attempt finds them suspended already.
_HOLD = """
INSERT INTO blackstart.held_instances (marker, id)
  SELECT :'marker', id FROM "Projects" WHERE state <> 'suspended' ON CONFLICT DO NOTHING;
UPDATE "Projects" SET state = 'suspended' WHERE state <> 'suspended';
"""
_HELD = """
SELECT coalesce(json_agg(json_build_object('id', p.id, 'name', p.name, 'team', t.name,
  'state', p.state, 'port', s.value::int) ORDER BY p.name), '[]')
FROM blackstart.held_instances h
JOIN "Projects" p ON p.id = h.id JOIN "Teams" t ON t.id = p."TeamId"
JOIN "ProjectSettings" s ON s."ProjectId" = p.id AND s.key = 'port' WHERE h.marker = :'marker'
"""
_STACKS = """
SELECT DISTINCT s.properties::json ->> 'nodered' FROM blackstart.held_instances h
JOIN "Projects" p ON p.id = h.id JOIN "ProjectStacks" s ON s.id = p."ProjectStackId"
WHERE h.marker = :'marker'
"""
_STALE = """
SELECT coalesce(json_agg(
  json_build_object('instance', p.name, 'key', s.key, 'value', s.value) ORDER BY p.name), '[]')
FROM "Projects" p JOIN (
  SELECT "ProjectId", key, value FROM "ProjectSettings" WHERE key = 'pid'
    OR (key = 'path' AND value IS DISTINCT FROM :'home' || '/var/projects/' || "ProjectId"::text)
  UNION ALL
  SELECT p.id, 'url', p.url FROM "Projects" p JOIN "ProjectSettings" s
    ON s."ProjectId" = p.id AND s.key = 'port'
  WHERE p.url IS DISTINCT FROM :'base' || ':' || s.value || '/'
  UNION ALL
  SELECT s."ProjectId", 'port', s.value FROM "ProjectSettings" s WHERE s.key = 'port' AND EXISTS
    (SELECT FROM "ProjectSettings" o WHERE o.key = 'port' AND o.value = s.value
      AND o."ProjectId" <> s."ProjectId")
) s ON s."ProjectId" = p.id
"""
_IS_NOTED = """
SELECT EXISTS (SELECT FROM blackstart.done_keys
  WHERE key = :'key' OR (verb = :'verb' AND marker = :'marker'))
"""
_CREDENTIALS = """
SELECT coalesce(json_agg(json_build_object('id', p.id, 'name', p.name,
  'sealed', coalesce(c.credentials, ''), 'secret', coalesce(s.value, '')) ORDER BY p.name), '[]')
FROM "Projects" p JOIN "StorageCredentials" c ON c."ProjectId" = p.id
LEFT JOIN "ProjectSettings" s ON s."ProjectId" = p.id AND s.key = 'credentialSecret'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleRow:
    """A row that still points to the lost site, or to another instance's port."""

    instance: str
    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedCredentials:
    """The stored credentials of one instance, and the secret that has to open them."""

    id: str
    name: str
    sealed: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldInstance:
    """An instance that is to be started in its turn; `state` is what the database says now."""

    id: str
    name: str
    team: str
    state: str
    port: int


class CannotDecrypt(ValueError):
    """The secret does not open the credentials."""


def home_of(work: Workplace) -> str:
    """Return FLOWFORGE_HOME of the site."""
    return str(work.directory / "flowfuse")


def relocate(work: Workplace, base: str) -> None:
    """Free the database from the lost site, in one transaction with the note of this attempt."""
    _change(work, RELOCATE, _RELOCATE, {"home": home_of(work), "base": base})


def rotate(work: Workplace, cookie_secret: str) -> None:
    """End every session and void every cookie, in one transaction with the note."""
    _change(work, ROTATE, _ROTATE, {"cookie_secret": cookie_secret})


def hold_instances(work: Workplace) -> None:
    """Suspend every instance, remembering for this run which are to be started in their turn."""
    _change(work, HOLD, _HOLD, {})


def held_instances(work: Workplace) -> tuple[HeldInstance, ...]:
    """Return the instances that this run held back, with the state they are in now."""
    text = work.sql(_HELD, values={"marker": work.context.marker})
    return msgspec.json.decode(text, type=tuple[HeldInstance, ...])


def needed_stacks(work: Workplace) -> tuple[str, ...]:
    """Return the Node-RED releases that the held instances need."""
    return tuple(work.sql(_STACKS, values={"marker": work.context.marker}).split())


def is_noted(work: Workplace, *, key: str = "", verb: str = "") -> bool:
    """Say whether the database holds the note of this key, or of this run's verb."""
    if work.sql("SELECT to_regclass('blackstart.done_keys') IS NOT NULL") != "t":
        return False
    values = {"key": key, "verb": verb, "marker": work.context.marker}
    return work.sql(_IS_NOTED, values=values) == "t"


def stale_rows(work: Workplace, base: str) -> tuple[StaleRow, ...]:
    """Return the rows that still point to the lost site, or to a port that two instances claim."""
    text = work.sql(_STALE, values={"home": home_of(work), "base": base})
    return msgspec.json.decode(text, type=tuple[StaleRow, ...])


def sealed_credentials(work: Workplace) -> tuple[SealedCredentials, ...]:
    """Return the stored credentials of every instance, still sealed."""
    return msgspec.json.decode(work.sql(_CREDENTIALS), type=tuple[SealedCredentials, ...])


def open_credentials(sealed: str, secret: str) -> Mapping[str, object]:
    """Return node id → credentials, as Node-RED stores them: {"$": IV and ciphertext}.

    AES-256-CTR; the key is the SHA-256 of the secret, the IV the first 32 hexadecimal digits, the
    rest base64. CTR has no checksum: what does not come out as a JSON object was not opened.
    Raises CannotDecrypt.
    """
    try:
        stored = msgspec.json.decode(sealed or "{}", type=dict[str, object])
        packed = stored.get("$")
        if packed is None:
            return stored  # stored in the clear: nothing to open
        if not isinstance(packed, str) or not secret:
            raise CannotDecrypt("there is no secret, or no ciphertext")
        key = hashlib.sha256(secret.encode()).digest()
        cipher = Cipher(algorithms.AES256(key), modes.CTR(bytes.fromhex(packed[:32])))
        opened = cipher.decryptor().update(b64decode(packed[32:], validate=True))
        return msgspec.json.decode(opened, type=dict[str, object])
    except (msgspec.DecodeError, NotBase64, ValueError) as failure:
        raise CannotDecrypt(str(failure)) from failure


def broken_credentials(
    rows: tuple[SealedCredentials, ...], wanted: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return one sentence for each instance whose credentials do not open or are not all there.

    `wanted` maps an instance's id to the ids of the nodes that must have credentials.
    """
    problems: list[str] = []
    for row in rows:
        try:
            opened = open_credentials(row.sealed, row.secret)
        except CannotDecrypt:
            problems.append(f"the credentials of {row.name} do not open with its secret")
            continue
        lacking = sorted(set(wanted.get(row.id, ())) - set(opened))
        if lacking:
            problems.append(f"{row.name} lacks the credentials of node {', '.join(lacking)}")
    there = {row.id for row in rows}
    problems += [
        f"instance {one} has no stored credentials"
        for one in wanted
        if one not in there and wanted[one]
    ]
    return tuple(problems)


def _change(work: Workplace, verb: str, statements: str, values: Mapping[str, str]) -> None:
    """Make a change and its note in one transaction; psql ends at the first error."""
    note = {"key": work.context.key, "marker": work.context.marker, "verb": verb}
    whole = f"BEGIN;\n{_OWN_TABLES}\n{statements}\n{_NOTE}\nCOMMIT;"
    work.sql(whole, values={**values, **note})


def require_open_database(work: Workplace) -> None:
    """Raise WorldFailed unless the database of the site answers and takes writes."""
    if work.sql("SELECT pg_is_in_recovery()", database="postgres") != "f":
        raise WorldFailed(
            "the database is still recovering", "promote it first: nothing can be written before"
        )
