# SPDX-License-Identifier: Apache-2.0
"""FlowFuse on a site: its configuration, its start, and when it can be called up."""

from __future__ import annotations

import json
import shutil
import ssl
from contextlib import suppress
from pathlib import Path

import httpx

from blackstart.sandbox.layout import (
    ADDRESSES,
    BASE_URL,
    DATABASE,
    DATABASE_ROLE,
    ELSEWHERE,
    INSTANCE_PORTS,
    STACK_VERSION,
    Layout,
    PlatformPaths,
)
from blackstart.sandbox.on_site import expect, make_folder, put_file
from blackstart.sandbox.packages import Prepared
from blackstart.world.namespaces import call_in_network
from blackstart.world.sites import Site, start_inside

API = "http://127.0.0.1:3000"


def platform_binds(paths: PlatformPaths, prepared: Prepared) -> tuple[tuple[Path, Path, str], ...]:
    """Return what a site must show so that the platform finds its program and its stack."""
    stack = paths.home / "var" / "stacks" / STACK_VERSION
    return ((prepared.app, paths.home / "app", "ro"), (prepared.stack, stack, "ro"))


def configure_platform(
    layout: Layout, paths: PlatformPaths, password: str, *, limits_rates: bool
) -> None:
    """Write the platform's configuration. Rates are not limited while it is being provisioned."""
    authority = _lay_out_home(layout, paths)
    content = {
        "host": "0.0.0.0",
        "port": 3000,
        "domain": "flowfuse.test",
        "base_url": BASE_URL,
        "api_url": API,
        "db": {
            "type": "postgres",
            "host": "127.0.0.1",
            "port": 5432,
            "logging": False,
            "user": DATABASE_ROLE,
            "password": password,
            "database": DATABASE,
        },
        "driver": {
            "type": "localfs",
            "options": {"start_port": INSTANCE_PORTS[0], "privateCA": str(authority)},
        },
        "email": {
            "enabled": True,
            "from": '"FlowFuse" <noreply@flowfuse.test>',
            "smtp": {"host": ADDRESSES[ELSEWHERE], "port": 25, "secure": False, "ignoreTLS": True},
        },
        "telemetry": {"enabled": False, "backend": {"prometheus": {"enabled": True}}},
        "logging": {"level": "info", "http": "info", "pretty": False},
        "rate_limits": {"enabled": limits_rates, "global": False},
        "create_admin": False,
    }
    put_file(paths.home / "etc" / "flowforge.yml", json.dumps(content, indent=1), "flowfuse")


def _lay_out_home(layout: Layout, paths: PlatformPaths) -> Path:
    """Make the folders of FLOWFORGE_HOME; return the certificate that the platform trusts."""
    for name in (".", "etc", "var", "var/projects", "var/stacks"):
        make_folder(paths.home / name, "flowfuse", 0o750)
    authority = paths.home / "etc" / "ca.pem"
    shutil.copyfile(layout.pki / "ca.pem", authority)
    authority.chmod(0o644)
    return authority


def start_platform(site: Site, paths: PlatformPaths) -> int:
    """Start FlowFuse and wait until its API answers; returns its pid. Raises SandboxError."""
    home = str(paths.home)
    env = {
        "HOME": home,
        "FLOWFORGE_HOME": home,
        "NODE_ENV": "production",
        "FF_TELEMETRY_DISABLED": "1",
        "NODE_EXTRA_CA_CERTS": str(paths.home / "etc" / "ca.pem"),
    }
    entry = str(paths.home / "app/node_modules/@flowfuse/flowfuse/forge/app.js")
    pid = start_inside(site, "flowfuse", ["node", entry], user="flowfuse", cwd=home, env=env)
    log = site.directory / "log" / "flowfuse.log"
    expect("FlowFuse", lambda: answers(site, f"{API}/api/v1/settings"), timeout_s=60, log=log)
    return pid


def local_client() -> httpx.Client:
    """Return a client for plain HTTP within one site."""
    no_trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # knows no authority, and loads in no time
    return httpx.Client(base_url=API, timeout=60, trust_env=False, verify=no_trust)


def answers(site: Site, url: str) -> bool:
    """Return True when the URL answers 200 inside the site."""

    def ask() -> bool:
        with suppress(httpx.HTTPError), local_client() as client:
            return client.get(url).status_code == 200
        return False

    return call_in_network(site, ask)
