# SPDX-License-Identifier: Apache-2.0
"""Defects put into the web application's world, each of which a drill has to stop at."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.injections import INJECTIONS as OF_FLOWFUSE
from blackstart.sandbox.layout import PRODUCTION, Layout, SandboxError
from blackstart.sandbox.on_site import put_file, sql
from blackstart.sandbox.webapp.names import DATABASE
from blackstart.world.sites import Site, load_site

# What they break is elsewhere, the same for every system.
_SHARED = ("alert-route-missing", "dns-update-refused")


def _empty_table(layout: Layout) -> None:
    sql(_production(layout), "TRUNCATE access_control_entries", database=DATABASE)


def _alter_record(layout: Layout) -> None:
    changed = sql(
        _production(layout),
        'UPDATE objects SET data = data || \'{"capital": "Nowhere"}\' '
        "WHERE id = 'pt' AND parent_id LIKE '%/countries' RETURNING id",
        database=DATABASE,
    )
    if changed != "pt":
        raise SandboxError("production has no such record", "read sandbox/webapp/fill.py")


def _replace_passwords(layout: Layout) -> None:
    """Accounts whose passwords are no longer those that people know, such as of a test copy."""
    sql(
        _production(layout),
        "UPDATE objects SET data = data || (SELECT jsonb_build_object('password', data->'password')"
        " FROM objects WHERE resource_name = 'account' AND id = 'anna')"
        " WHERE resource_name = 'account' AND id <> 'anna'",
        database=DATABASE,
    )


def _damage_package(layout: Layout) -> None:
    packed = layout.artefacts / "application.tar.gz"
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 1
    put_file(packed, bytes(content), mode=0o644)


def _production(layout: Layout) -> Site:
    site = load_site(layout.sites, PRODUCTION)
    if site is None:
        raise SandboxError("production is not alive", "start the sandbox first")
    return site


INJECTIONS = {
    injection.name: injection
    for injection in (
        Injection(
            name="emptied-table",
            what="a table of the application is emptied just before the disaster, and the WAL "
            "faithfully says so",
            expected=stops_at("restore_data.rows"),
            inject=_empty_table,
        ),
        Injection(
            name="altered-record",
            what="a known record says something else, all counts stay right",
            expected=stops_at("verify_platform.pages"),
            inject=_alter_record,
        ),
        Injection(
            name="other-passwords",
            what="the accounts are there and their old passwords do not open them",
            expected=stops_at("verify_platform.login"),
            inject=_replace_passwords,
        ),
        Injection(
            name="damaged-package",
            what="one bit of the application's artefact, kept elsewhere, is another",
            expected=stops_at("deploy_platform.install"),
            inject=_damage_package,
        ),
        *(OF_FLOWFUSE[name] for name in _SHARED),
    )
}
