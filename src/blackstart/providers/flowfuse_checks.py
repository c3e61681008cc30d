# SPDX-License-Identifier: Apache-2.0
"""Is the restored FlowFuse what it was? Asked by use, from inside the site, before the cut-over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import msgspec

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_api import (
    accepts_wrong_password,
    asking,
    log_in_problem,
    probe_problem,
)
from blackstart.providers.manifest import COUNTED, Manifest, read_manifest
from blackstart.providers.places import look_into
from blackstart.providers.traces import returns_failures

_COUNTS = """
SELECT json_build_object(
  'rows', json_build_object('Users', (SELECT count(*) FROM "Users"),
    'Teams', (SELECT count(*) FROM "Teams"), 'TeamMembers', (SELECT count(*) FROM "TeamMembers"),
    'Applications', (SELECT count(*) FROM "Applications"),
    'Projects', (SELECT count(*) FROM "Projects"),
    'ProjectSnapshots', (SELECT count(*) FROM "ProjectSnapshots")),
  'instances', (SELECT coalesce(json_agg(id), '[]') FROM "Projects"),
  'ownerless', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM "Teams" t WHERE NOT EXISTS
    (SELECT FROM "TeamMembers" m WHERE m."TeamId" = t.id AND m.role = 50)))
"""
_ACCOUNTS = """
SELECT json_build_object(
  'administrators', (SELECT coalesce(json_agg(username ORDER BY username), '[]')
    FROM "Users" WHERE admin),
  'default_accounts', (SELECT coalesce(json_agg(username ORDER BY username), '[]') FROM "Users"
    WHERE username = 'ff-admin' OR email = 'admin@example.com'),
  'open_settings', (SELECT coalesce(json_agg(key ORDER BY key), '[]') FROM "PlatformSettings"
    WHERE value = 'true' AND key = ANY (string_to_array(:'closed', ','))),
  'set_up', coalesce((SELECT value = 'true' FROM "PlatformSettings"
    WHERE key = 'setup:initialised'), false))
"""
_CLOSED = ("user:signup", "user:reset-password", "team:create", "team:user:invite:external")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the database holds: rows by table, the ids of the instances, teams without an owner."""

    rows: Mapping[str, int]
    instances: tuple[str, ...]
    ownerless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """What decides who can get in."""

    administrators: tuple[str, ...]
    default_accounts: tuple[str, ...]
    open_settings: tuple[str, ...]
    set_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectLogin:
    """Expect that an old password logs in, and that a wrong one does not.

    `login` is `user:password` of an account that existed before. The session is ended again.
    """

    outputs: ClassVar[Mapping[str, str]] = {}
    place: str
    site: str
    login: SecretRef

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Log in both ways."""
        ask = asking(look_into(self.place, self.site, context))
        login = context.reveal(self.login)
        username = login.strip().partition(":")[0]
        problem = log_in_problem(ask, login)
        if not problem and accepts_wrong_password(ask, login):
            problem = f"a wrong password of {username} is not refused"
        if problem:
            return Failed(summary=problem, hint="compare the Users table with the manifest")
        return Done(summary=f"{username} logs in with the old password; a wrong one is refused")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectCounts:
    """Expect at least the users, teams, applications and instances that the manifest counts.

    More is right: what was made between the manifest and the outage was recovered too. A manifest
    that was taken after a loss agrees with it; so each team must have an owner besides, which the
    platform itself always sees to.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "users": "how many users there are",
        "teams": "how many teams there are",
        "instances": "how many instances there are",
    }
    place: str
    site: str
    manifest: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Count afresh."""
        work = look_into(self.place, self.site, context)
        manifest = read_manifest(self.manifest)
        found = msgspec.json.decode(work.sql(_COUNTS), type=Counts)
        lacking = lacking_of(found, manifest)
        if lacking:
            return Failed(
                summary="; ".join(lacking),
                hint="find out whether they were deleted after the manifest of "
                f"{manifest.taken_at:%Y-%m-%d %H:%M} or are lost; restore an older point if lost",
            )
        users, teams, instances = (found.rows[one] for one in ("Users", "Teams", "Projects"))
        return Done(
            summary=f"{users} users, {teams} teams, {instances} instances: nothing is missing",
            outputs={"users": users, "teams": teams, "instances": instances},
            evidence=(context.keep("counts.json", msgspec.json.encode(found)),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectFlows:
    """Expect that every page of every instance answers exactly what it did before.

    The page of a flow that uses a stored credential answers right only if that was decrypted.
    """

    outputs: ClassVar[Mapping[str, str]] = {"pages": "how many pages answered as before"}
    place: str
    site: str
    manifest: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Ask each page once, inside the site."""
        manifest = read_manifest(self.manifest)
        ran = manifest.ran
        if not manifest.pages:
            return nothing_to_ask(self.manifest)
        work = look_into(self.place, self.site, context)
        problems = [
            problem
            for one in ran
            for probe in one.probes
            if (problem := probe_problem(asking(work, f"http://127.0.0.1:{one.port}"), one, probe))
        ]
        if problems:
            return Failed(
                summary="; ".join(problems),
                hint="read the instance's out.log and its editor; a flow may have been changed "
                "after the manifest was taken",
            )
        pages = [f"{one.name}{probe.path} {probe.sha256}" for one in ran for probe in one.probes]
        return Done(
            summary=f"{len(ran)} instances, {len(pages)} pages answer as before",
            outputs={"pages": len(pages)},
            evidence=(context.keep("pages.txt", "\n".join(pages).encode()),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectSafeAccounts:
    """Expect no default account, no new administrator, nothing open to strangers, no set-up page.

    `allowed_open` names platform settings that this company keeps open on purpose.
    """

    outputs: ClassVar[Mapping[str, str]] = {"administrators": "how many administrators there are"}
    place: str
    site: str
    manifest: str
    allowed_open: tuple[str, ...] = field(default_factory=tuple)

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Read accounts and settings in the database, and ask for the set-up page."""
        work = look_into(self.place, self.site, context)
        known = read_manifest(self.manifest).administrators
        closed = ",".join(one for one in _CLOSED if one not in self.allowed_open)
        text = work.sql(_ACCOUNTS, values={"closed": closed})
        found = msgspec.json.decode(text, type=Accounts)
        problems = list(unsafe_of(found, known))
        status = asking(work)("/setup").status
        if status != 302:
            problems.append(f"the set-up page answers {status}, it should redirect")
        if problems:
            return Failed(
                summary="; ".join(problems),
                hint="remove what nobody knows and close what is open before users are let in",
            )
        count = len(found.administrators)
        return Done(
            summary=f"{count} administrators, all known; no default account; nothing is open",
            outputs={"administrators": count},
            evidence=(context.keep("accounts.json", msgspec.json.encode(found)),),
        )


def nothing_to_ask(manifest: str) -> Failed:
    """Return the failure of a check that would pass because it had nothing to ask."""
    return Failed(
        summary=f"the manifest {manifest} names no instance that ran: nothing can be asked",
        hint="if there really was none, skip this check with that reason; otherwise take the "
        "manifest of another backup",
    )


def lacking_of(found: Counts, manifest: Manifest) -> tuple[str, ...]:
    """Return one sentence for each thing of the manifest that is not there any more."""
    told = [
        f"{manifest.rows[table] - found.rows[table]} of {manifest.rows[table]} {table} are missing"
        for table in COUNTED
        if found.rows[table] < manifest.rows.get(table, 0)
    ]
    there = set(found.instances)
    told += [f"instance {one.name} is missing" for one in manifest.instances if one.id not in there]
    told += [f"team {name} has no owner" for name in found.ownerless]
    return tuple(told)


def unsafe_of(found: Accounts, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return one sentence for each thing that lets in somebody who should stay out."""
    told = [f"default account {name}" for name in found.default_accounts]
    told += [f"unknown administrator {name}" for name in found.administrators if name not in known]
    told += [f"setting {name} is on" for name in found.open_settings]
    if not found.set_up:
        told.append("the platform is not set up: the next visitor becomes administrator")
    return tuple(told)
