# SPDX-License-Identifier: Apache-2.0
"""What is lost, degraded or intact: seen at that moment, each with what it was seen by.

A probe of the damage always ends Done: bad news is its result, not its failure. Conditions are
`intact`, `degraded`, `lost`, and `unknown` when nothing could be seen either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from blackstart.model.errors import BlackstartError
from blackstart.model.events import Sighting
from blackstart.ports.action import Context, Done, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_api import is_up, probe_problem
from blackstart.providers.flowfuse_public import asking_publicly, resolve
from blackstart.providers.manifest import (
    Instance,
    describes_platform,
    gaps_of,
    load_manifest,
    read_table_manifest,
)
from blackstart.providers.pgbackrest_repository import (
    list_backups,
    newest_received,
    repository_of,
)
from blackstart.providers.places import directory_of
from blackstart.providers.postgres_cluster import as_utc
from blackstart.providers.traces import returns_failures
from blackstart.world.http import fetch, read_certificate
from blackstart.world.namespaces import residents
from blackstart.world.sites import load_site

INTACT, DEGRADED, LOST, UNKNOWN = "intact", "degraded", "lost", "unknown"
_LOOK_S = 2.0
_LOOKS_AT_ONCE = 16
_STALE_WAL_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Look from the users' side: the public name, its certificate, the platform, each instance."""

    outputs: ClassVar[Mapping[str, str]] = {"lost": "what is lost, by subject"}
    public_name: str
    ca_certificate: str
    manifest: str = ""

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look at each once, all at the same time: a dead host costs its time limit only once."""
        addresses = resolve(self.public_name)
        looks: list[Callable[[], Sighting]] = [
            partial(_name, self.public_name, addresses),
            partial(_certificate, self.public_name, self.ca_certificate, addresses),
            self._platform,
            *(partial(self._instance, one) for one in _instances(self.manifest)),
        ]
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            found = list(pool.map(lambda look: look(), looks))
        return _told(context, "outside", found)

    def _platform(self) -> Sighting:
        base = f"https://{self.public_name}"

        def look() -> str:
            ask = asking_publicly(base, self.ca_certificate, timeout_s=_LOOK_S)
            answer = ask("/api/v1/settings")
            if answer.status != 200 or not is_up(ask):
                raise _Broken(f"{base} answers {answer.status}, not as the platform")
            # Settings are answered from memory; an unknown session makes it ask the database.
            session = ask("/api/v1/user", headers={"Authorization": "Bearer ffpat_damage"})
            if session.status != 401:
                raise _Broken(f"{base} answers {session.status} when it needs its database")
            return f"{base} answers as the platform"

        return _seen("platform", look)

    def _instance(self, instance: Instance) -> Sighting:
        subject = f"instance {instance.name}"
        if not instance.ran:
            return _sighting(subject, UNKNOWN, "it was suspended before")
        if not instance.probes:
            return _sighting(subject, UNKNOWN, "the manifest holds no page to ask")
        base = instance.url.rstrip("/")
        ask = asking_publicly(base, self.ca_certificate, timeout_s=_LOOK_S)
        problem = probe_problem(ask, instance, instance.probes[0])
        if not problem:
            return _sighting(subject, INTACT, f"{base}{instance.probes[0].path} answers as before")
        gone = "does not answer" in problem
        return _sighting(subject, LOST if gone else DEGRADED, problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Look from the users' side at any web application: its name, its certificate, one page.

    `page` is a path that only the application can answer, and only with its database; `contains`
    is a text that must be in it.
    """

    outputs: ClassVar[Mapping[str, str]] = {"lost": "what is lost, by subject"}
    public_name: str
    ca_certificate: str
    page: str = "/"
    contains: str = ""

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look at each once, all at the same time."""
        addresses = resolve(self.public_name)
        looks: list[Callable[[], Sighting]] = [
            partial(_name, self.public_name, addresses),
            partial(_certificate, self.public_name, self.ca_certificate, addresses),
            self._page,
        ]
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            found = list(pool.map(lambda look: look(), looks))
        return _told(context, "web", found)

    def _page(self) -> Sighting:
        url = f"https://{self.public_name}{self.page}"

        def look() -> str:
            answer = fetch(url, ca=Path(self.ca_certificate), timeout_s=_LOOK_S)
            if answer.status != 200:
                raise _Broken(f"{url} answers {answer.status}")
            if self.contains not in answer.text:
                raise _Broken(f"{url} answers without the text {self.contains!r}")
            return f"{url} answers as it should"

        return _seen("application", look)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Look at the production site itself: its host, its database, the platform's program.

    `program` is the name of the process to look for; without it, FlowFuse's is looked for.
    """

    outputs: ClassVar[Mapping[str, str]] = {"lost": "what is lost, by subject"}
    place: str
    site: str
    program: str = ""

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look at processes and files."""
        directory = directory_of(self.place, self.site)
        site = load_site(Path(self.place), self.site)
        running = {one.command for one in residents(site)} if site else set[str]()
        lives = f"lives, process {site.init_pid}" if site else "has no living process"
        host = _sighting("host", INTACT if site else LOST, f"site {self.site} {lives}")
        cluster = (directory / "pg" / "PG_VERSION").exists()
        serves = "postgres" in running
        seen = f"data folder {'there' if cluster else 'gone'}, server {'up' if serves else 'down'}"
        state = INTACT if cluster and serves else DEGRADED if cluster else LOST
        if not self.program and not (directory / "flowfuse" / "app").exists():
            running = running - {"node"}
        return _told(
            context,
            "site",
            [
                host,
                _sighting("database", state, seen),
                _program(self.program or "node", running),
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Backups:
    """Look at what a recovery would start from: repository, newest backup, received WAL, manifest.

    A backup that is listed is not yet a good one: that takes `blackstart backups verify`.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "lost": "what is lost, by subject",
        "newest": "the label of the newest backup, empty when there is none",
    }
    repository: str
    repository_key: SecretRef
    stanza: str
    received_wal: str = ""
    packages: str = ""
    manifest: str = ""

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Open the repository with its key and list it; look at the newest received WAL."""
        newest = ""
        try:
            opened = repository_of(context, self.repository, self.repository_key, self.stanza)
            entries = list_backups(opened, self.packages, context)
            found = [_sighting("repository", INTACT, f"{self.repository} opens with its key")]
            if entries:
                newest = entries[-1].label
                age_s = (context.now() - entries[-1].taken_at).total_seconds()
                seen = f"{newest}, {_age(age_s)} old, {len(entries)} in all"
                state = DEGRADED if entries[-1].has_errors else INTACT
                found.append(_sighting("backup", state, seen))
            else:
                found.append(_sighting("backup", LOST, "the repository holds none"))
        except BlackstartError as failure:
            found = [_sighting("repository", LOST, failure.what)]
        found += [self._received(context), self._manifest()]
        return _told(context, "backups", found, {"newest": newest})

    def _received(self, context: Context) -> Sighting:
        received = newest_received(self.received_wal) if self.received_wal else None
        if received is None:
            return _sighting("received WAL", LOST, "nothing was received")
        age_s = (context.now() - received[1]).total_seconds()
        seen = f"{received[0]} written until {as_utc(received[1])}, {_age(age_s)} ago"
        return _sighting("received WAL", DEGRADED if age_s > _STALE_WAL_S else INTACT, seen)

    def _manifest(self) -> Sighting:
        def look() -> str:
            if not describes_platform(self.manifest):
                tables = read_table_manifest(self.manifest)
                count = sum(tables.rows.values())
                return f"of {as_utc(tables.taken_at)}: {count} rows, {len(tables.rows)} tables"
            manifest = load_manifest(self.manifest)
            if gaps := gaps_of(manifest):
                raise _Broken("; ".join(gaps))
            return (
                f"of {as_utc(manifest.taken_at)}: {manifest.users} users, {manifest.teams} teams, "
                f"{len(manifest.instances)} instances"
            )

        return _seen("manifest", look)


class _Broken(BlackstartError):
    """It answers, and not as it should."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "look at the platform's log")


def _seen(subject: str, look: Callable[[], str]) -> Sighting:
    """Return what a look saw; a wrong answer is degraded, none at all is lost."""
    try:
        return _sighting(subject, INTACT, look())
    except _Broken as failure:
        return _sighting(subject, DEGRADED, failure.what)
    except BlackstartError as failure:
        return _sighting(subject, LOST, failure.what)


def _name(name: str, addresses: tuple[str, ...]) -> Sighting:
    if addresses:
        return _sighting("name", INTACT, f"{name} leads to {', '.join(addresses)}")
    return _sighting("name", LOST, f"{name} leads nowhere")


def _certificate(name: str, ca_certificate: str, addresses: tuple[str, ...]) -> Sighting:
    if not addresses:
        return _sighting("tls", UNKNOWN, "there is no address to ask")

    def look() -> str:
        ca = Path(ca_certificate)
        read_certificate(addresses[0], 443, name=name, ca=ca, timeout_s=_LOOK_S)
        return f"{addresses[0]} has a good certificate for {name}"

    return _seen("tls", look)


def _instances(manifest: str) -> tuple[Instance, ...]:
    """Return the instances to look at; without a manifest none are known."""
    try:
        return load_manifest(manifest).instances if manifest else ()
    except BlackstartError:
        return ()


def _sighting(subject: str, condition: str, seen: str) -> Sighting:
    return Sighting(subject=subject, condition=condition, seen=seen)


def _told(
    context: Context, what: str, found: list[Sighting], more: Mapping[str, str] | None = None
) -> Done:
    """Return the result: a sentence that counts, the sightings, and all of it as evidence."""
    lost = [one.subject for one in found if one.condition == LOST]
    intact = sum(one.condition == INTACT for one in found)
    lines = "\n".join(f"{one.subject}: {one.condition}: {one.seen}" for one in found)
    return Done(
        summary=f"{intact} of {len(found)} intact, lost: {', '.join(lost) or 'nothing'}",
        outputs={"lost": list(lost), **(more or {})},
        evidence=(context.keep(f"damage-{what}.txt", lines.encode()),),
        sightings=tuple(found),
    )


def _program(name: str, running: set[str]) -> Sighting:
    title = "FlowFuse" if name == "node" else name
    if name in running:
        return _sighting("program", INTACT, f"the processes of {title} run")
    return _sighting("program", LOST, f"no process of {title} runs")


def _age(seconds: float) -> str:
    """Return a duration in the largest unit that makes sense."""
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


PROVIDES: Mapping[str, type] = {
    "outside": Outside,
    "web": Web,
    "site": Site,
    "backups": Backups,
}
