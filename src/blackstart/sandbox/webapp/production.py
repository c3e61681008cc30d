# SPDX-License-Identifier: Apache-2.0
"""Production of the web application: PostgreSQL, Kinto, a TLS front, a backup, from nothing."""

from __future__ import annotations

from string import Template

import msgspec
from cryptography.fernet import Fernet

from blackstart.sandbox import database
from blackstart.sandbox.database import run_backup_tool
from blackstart.sandbox.layout import (
    ADDRESSES,
    ELSEWHERE,
    PRODUCTION,
    REPLICATION_ROLE,
    Layout,
)
from blackstart.sandbox.log_shipper import start_shipper
from blackstart.sandbox.metrics import scrape_platform_at
from blackstart.sandbox.on_site import expect, make_folder, must, put_file, sql
from blackstart.sandbox.packages import Tell
from blackstart.sandbox.pki import make_pki
from blackstart.sandbox.platform import answers
from blackstart.sandbox.secrets_kept import SandboxSecrets, save_secrets
from blackstart.sandbox.webapp import edge
from blackstart.sandbox.webapp.fill import ADMIN, WRITER, fill, invent_people
from blackstart.sandbox.webapp.names import (
    DATABASE,
    LOG,
    METRICS_PATH,
    OWNER,
    PORT,
    PUBLIC_NAME,
    USER,
    app_folder,
)
from blackstart.sandbox.webapp.parts import Parts
from blackstart.world.clock import SystemClock
from blackstart.world.files import write_durably
from blackstart.world.random import token
from blackstart.world.sites import Site, create_site, start_inside

_ACCESS = f"""\
local   all             postgres                            peer
host    {DATABASE}      {OWNER}             127.0.0.1/32    scram-sha-256
hostssl replication     {REPLICATION_ROLE}  {ADDRESSES[ELSEWHERE]}/32   scram-sha-256
"""
_UNCHANGING = "metadata"
_SHRINKING = "cache"


def lay_out_elsewhere(layout: Layout, parts: Parts) -> None:
    """Fill R/elsewhere with what must survive production: artefacts, keys, the authority."""
    kept = SandboxSecrets(
        database_password=token(),
        replication_password=token(),
        cipher=token(),
        roster_key=Fernet.generate_key().decode(),
        people=invent_people(),
    )
    save_secrets(layout.secrets, kept)
    make_folder(layout.elsewhere, mode=0o711)
    make_pki(layout.pki)
    database.must_copy(parts.artefacts, layout.artefacts)
    make_folder(layout.backup, mode=0o711)
    make_folder(layout.backup / "repo", "postgres")
    logins = {person.username: person.password for person in kept.people}
    for name, secret in (
        ("pgbackrest.key", kept.cipher),
        ("roster.key", kept.roster_key),
        ("application.secret", token()),
        ("verify.login", f"{WRITER}:{logins[WRITER]}"),
    ):
        put_file(layout.backup / name, secret)


def stand_up(layout: Layout, parts: Parts, kept: SandboxSecrets, hub: Site, tell: Tell) -> Site:
    """Start production and return when it serves and its first backup is taken.

    `hub` is the site elsewhere, running, after `lay_out_elsewhere`. Raises SandboxError.
    """
    clock = SystemClock()
    began = clock.monotonic_s()
    tell("production: site and database")
    site = _open_site(layout, parts, hub)
    _start_database(layout, site, kept)
    tell("production: WAL leaves the site")
    database.start_receiver(layout, hub, kept.replication_password)
    tell("production: Kinto starts, with accounts and records")
    _start_application(layout, site, kept)
    edge.start_front(site, make_pki(layout.pki))
    start_shipper(site, make_pki(layout.pki), log=f"{LOG}.log")
    scrape_platform_at(layout, f"{site.address}:{PORT}", metrics_path=METRICS_PATH)
    tell("production: the first full backup")
    _back_up(layout, site, kept)
    expect(
        "the WAL receiver",
        lambda: database.is_receiver_streaming(site),
        timeout_s=10,
        log=hub.directory / "log" / "pg_receivewal.log",
    )
    took_s = clock.monotonic_s() - began
    tell(f"production: serves at https://{PUBLIC_NAME} after {took_s:.1f} s")
    return site


def _open_site(layout: Layout, parts: Parts, hub: Site) -> Site:
    site = create_site(
        layout.sites,
        PRODUCTION,
        address=ADDRESSES[PRODUCTION],
        marker=f"{layout.root.name}/{PRODUCTION}",
        purpose="sandbox",
        hub=hub,
        usr=parts.usr,
        nameserver=ADDRESSES[ELSEWHERE],
        binds=((parts.venv, app_folder(layout) / "venv", "ro"),),
        hosts={PUBLIC_NAME: "127.0.0.1"},
        dies_with_us=True,
    )
    edge.raise_filter(site)
    return site


def _start_database(layout: Layout, site: Site, kept: SandboxSecrets) -> None:
    paths = layout.production
    database.create_cluster(site, paths)
    database.configure_database(layout, paths, make_pki(layout.pki), kept.cipher)
    put_file(paths.pgdata / "pg_hba.conf", _ACCESS, "postgres")
    database.start_database(site, paths)
    sql(
        site,
        f"CREATE ROLE {OWNER} LOGIN PASSWORD '{kept.database_password}';"
        f"CREATE ROLE {REPLICATION_ROLE} LOGIN REPLICATION PASSWORD '{kept.replication_password}';",
    )
    sql(site, f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    run_backup_tool(site, "stanza-create")


def _start_application(layout: Layout, site: Site, kept: SandboxSecrets) -> None:
    """Configure it, make its tables and its administrator, start it and fill it."""
    folder = app_folder(layout)
    make_folder(folder, mode=0o755)
    make_folder(folder / "etc", USER)
    form = Template((layout.artefacts / "application.ini").read_text())
    content = form.substitute(
        public_name=PUBLIC_NAME,
        database=DATABASE,
        database_owner=OWNER,
        database_password=kept.database_password,
        application_secret=(layout.backup / "application.secret").read_text(),
    )
    ini = put_file(folder / "etc" / "application.ini", content, USER)
    kinto = [str(folder / "venv/bin/kinto")]
    must(site, [*kinto, "migrate", "--ini", str(ini)], user=USER)
    run = [*kinto, "start", "--ini", str(ini), "--port", str(PORT)]
    start_inside(site, LOG, run, user=USER, cwd=str(folder), env={"HOME": str(folder)})
    login = next((p.username, p.password) for p in kept.people if p.username == ADMIN)
    create = [*kinto, "create-user", "--ini", str(ini), "-u", login[0], "-p", login[1]]
    must(site, create, user=USER)
    url = f"http://127.0.0.1:{PORT}/v1/__heartbeat__"
    log = site.directory / "log" / f"{LOG}.log"
    expect("Kinto", lambda: answers(site, url), timeout_s=30, log=log)
    fill(site, kept.people)


def _back_up(layout: Layout, site: Site, kept: SandboxSecrets) -> None:
    """Write the manifest, take the backup, seal the roster."""
    script = (layout.artefacts / "manifest.sql").read_text()
    told = f"\\set unchanging {_UNCHANGING}\n\\set shrinking {_SHRINKING}\n"
    manifest = sql(site, told + script, database=DATABASE)
    write_durably(layout.backup / "manifest.json", manifest.encode(), mode=0o644)
    run_backup_tool(site, "--type=full", "backup")
    people = [
        {"person": f"u-{person.username}", "name": person.name, "email": person.email}
        for person in kept.people
        if not person.is_admin
    ]
    sealed = Fernet(kept.roster_key).encrypt(msgspec.json.encode(people))
    write_durably(layout.backup / "roster.sealed", sealed)
