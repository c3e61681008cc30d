# SPDX-License-Identifier: Apache-2.0
"""Who can get into the restored database: its rules as the server reads them, and by trying.

A rule says what is meant, an attempt says what is so; both have to fit. The lost site's password
is tried as well: a site that comes back must not be able to write here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import Workplace, look_into
from blackstart.providers.postgres_cluster import access_text
from blackstart.providers.traces import returns_failures
from blackstart.world.random import token

_STATE = """
SELECT json_build_object(
  'rules', (SELECT coalesce(json_agg(concat_ws(' ', type, array_to_string(database, ','),
      array_to_string(user_name, ','), address || CASE netmask WHEN '255.255.255.255' THEN '/32'
      ELSE '/' || netmask END, auth_method) ORDER BY line_number), '[]')
    FROM pg_hba_file_rules WHERE error IS NULL),
  'errors', (SELECT coalesce(json_agg(error), '[]') FROM pg_hba_file_rules
    WHERE error IS NOT NULL),
  'logins', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolcanlogin),
  'superusers', (SELECT json_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolsuper),
  'encryption', current_setting('password_encryption'),
  'port', current_setting('port'))
"""
# Over TCP, as the platform does; conninfo comes by standard input and is seen by nobody.
_LOG_IN = r"""
\connect -reuse-previous=off :conninfo
SELECT current_user
"""
_REFUSED = "password authentication failed"
_SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the server says of who may come in."""

    rules: tuple[str, ...]
    errors: tuple[str, ...]
    logins: tuple[str, ...]
    superusers: tuple[str, ...]
    encryption: str
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectAccess:
    """Expect that only the platform's new password opens the database, and nobody else may try.

    The rules of pg_hba.conf are exactly those that `postgres.promote` wrote, none of them `trust`;
    no other role may log in. The new password of `owner` is let in; one that nobody has and
    `lost_password`, that of the lost site, are refused.
    """

    outputs: ClassVar[Mapping[str, str]] = {"rules": "how many rules admit somebody"}
    place: str
    site: str
    database: str
    owner: str
    owner_password: SecretRef
    lost_password: SecretRef
    trusted: str
    replication: str = "repl"

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Read the rules and roles, then try three passwords."""
        work = look_into(self.place, self.site, context)
        found = msgspec.json.decode(work.sql(_STATE, database="postgres"), type=Access)
        wanted = access_text(self.database, self.owner, self.replication, self.trusted)
        logins = {_SUPERUSER, self.owner, self.replication}
        problems = [*open_to(found, tuple(wanted.splitlines()), logins), *self._tried(work)]
        evidence = (context.keep("database-access.json", msgspec.json.encode(found)),)
        if problems:
            return Failed(
                summary="; ".join(problems),
                hint="promote the database of this run again: it writes pg_hba.conf and passwords",
                evidence=evidence,
            )
        return Done(
            summary=f"{len(found.rules)} rules, none open; the new password is let in, the lost "
            "site's and an invented one are refused",
            outputs={"rules": len(found.rules)},
            evidence=evidence,
        )

    def _tried(self, work: Workplace) -> list[str]:
        reveal = work.context.reveal
        problems = []
        if not self._is_let_in(work, reveal(self.owner_password)):
            problems.append(f"the new password of {self.owner} is refused")
        if self._is_let_in(work, token()):
            problems.append(f"an invented password of {self.owner} is let in")
        if self._is_let_in(work, reveal(self.lost_password)):
            problems.append(f"the lost site's password of {self.owner} is still let in")
        return problems

    def _is_let_in(self, work: Workplace, password: str) -> bool:
        """Try one password. Raises WorldFailed when the answer is neither yes nor that refusal."""
        conninfo = conninfo_of(self.database, self.owner, password)
        try:
            said = work.sql(_LOG_IN, values={"conninfo": conninfo}, database="postgres")
        except WorldFailed as failure:
            if _REFUSED in failure.what:
                return False
            raise
        return said.splitlines()[-1:] == [self.owner]


def conninfo_of(database: str, user: str, password: str) -> str:
    """Return a libpq connection string for the server's own loopback address."""
    words = {"host": "127.0.0.1", "dbname": database, "user": user, "password": password}
    quoted = {name: word.replace("\\", "\\\\").replace("'", "\\'") for name, word in words.items()}
    return " ".join(f"{name}='{word}'" for name, word in quoted.items()) + " connect_timeout=5"


def open_to(found: Access, wanted: tuple[str, ...], logins: set[str]) -> tuple[str, ...]:
    """Return one sentence for each way in that should not be there, or is not as it should be."""
    told = [f"pg_hba.conf cannot be read by the server: {error}" for error in found.errors]
    told += [f"open without a password: {rule}" for rule in found.rules if _is_open(rule)]
    strange = [rule for rule in found.rules if rule not in wanted and not _is_open(rule)]
    told += [f"nobody ordered the rule: {rule}" for rule in strange]
    told += [f"the rule is missing: {rule}" for rule in wanted if rule not in found.rules]
    told += [f"role {name} may log in" for name in found.logins if name not in logins]
    told += [f"role {name} is a superuser" for name in found.superusers if name != _SUPERUSER]
    if found.encryption != "scram-sha-256":
        told.append(f"new passwords are kept as {found.encryption}")
    return tuple(told)


def _is_open(rule: str) -> bool:
    return rule.endswith(" trust")
