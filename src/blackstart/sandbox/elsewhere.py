# SPDX-License-Identifier: Apache-2.0
"""The world around production: names, mail, chat, logs, metrics, alarm and the status page.

All of it runs in the site `elsewhere`, as user svc, shares nothing with production and survives it.
`received` says what arrived there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import httpx

from blackstart.sandbox.dns_server import write_dns
from blackstart.sandbox.front import find_caddy, listens
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, Layout
from blackstart.sandbox.log_server import PORT as LOG_PORT
from blackstart.sandbox.log_server import logs_of, write_log_server
from blackstart.sandbox.metrics import (
    ALERTMANAGER_PORT,
    KEEPER_PORT,
    PROMETHEUS_PORT,
    write_alertmanager,
    write_prometheus,
)
from blackstart.sandbox.on_site import expect, make_folder, own_tree, put_file
from blackstart.sandbox.packages import Prepared, Tell
from blackstart.sandbox.pki import make_pki
from blackstart.sandbox.slack_workspace import User, seed_workspace
from blackstart.world.clock import SystemClock
from blackstart.world.namespaces import call_in_network
from blackstart.world.random import token
from blackstart.world.sites import Site, start_inside

SMTP_PORT, SMTP_CONTROL_PORT, SLACK_PORT, STATUS_PORT, LOG_QUERY_PORT = 25, 8025, 8070, 80, 8514
CHANNEL = "dept-engineering"
PEOPLE = tuple(
    User(id=f"U0{number}", name=name, email=f"p{number}@example.com", real_name=real_name)
    for number, (name, real_name) in enumerate(
        (
            ("cto", "Chief Technology Officer"),
            ("deputy", "Deputy of the CTO"),
            ("ceo", "Chief Executive Officer"),
            ("eng1", "Engineer One"),
            ("eng2", "Engineer Two"),
            ("ops1", "Operator One"),
            ("liaison", "Customer Liaison"),
        ),
        start=1,
    )
)
_BOT = User(id="U0BLACKSTART", name="blackstart", real_name="Blackstart", is_bot=True)
_READY_LIMIT_S = 20.0
_CADDYFILE = """\
{{
	admin off
	persist_config off
	auto_https off
	storage file_system {folder}/state
	log {{
		output stderr
		level WARN
	}}
}}
http://:{status_port} {{
	bind {here}
	root * {status}
	header Cache-Control no-store
	file_server
}}
http://:{log_port} {{
	bind {here}
	root * {logs}
	header Cache-Control no-store
	file_server browse
}}
"""
_FIRST_PAGE = """\
<!doctype html><html lang="en"><title>FlowFuse status</title>
<h1>FlowFuse status</h1><p>No incident is open.</p></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What runs elsewhere: pids as the host sees them, and how long each took to be ready."""

    site: Site
    pids: Mapping[str, int]
    ready_after_s: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Program:
    """One program: its command, the port it opens, the page that says ready when it has one."""

    name: str
    argv: list[str]
    port: int
    ready_page: str = ""


def start_elsewhere(layout: Layout, prepared: Prepared | None, site: Site, tell: Tell) -> Elsewhere:
    """Start everything and return when all of it answers. Raises SandboxError.

    The programs come from the packages shown in the site (`prepared.usr`) and from this Python.
    """
    del prepared  # the site shows its packages already
    clock = SystemClock()
    make_folder(layout.elsewhere, mode=0o711)
    programs = _programs(layout)
    tell(f"elsewhere: starting {len(programs)} programs")
    began = clock.monotonic_s()
    env = {"HOME": str(make_folder(layout.elsewhere / "home", "svc"))}
    pids = {
        program.name: start_inside(site, program.name, program.argv, user="svc", env=env)
        for program in programs
    }
    ready_after_s: dict[str, float] = {}
    for program in programs:
        log = site.directory / "log" / f"{program.name}.log"
        is_ready = partial(_is_ready, site, program)
        expect(f"{program.name} elsewhere", is_ready, timeout_s=_READY_LIMIT_S, log=log)
        ready_after_s[program.name] = clock.monotonic_s() - began
    tell(f"elsewhere: all up after {clock.monotonic_s() - began:.1f} s")
    return Elsewhere(site=site, pids=pids, ready_after_s=ready_after_s)


def slack_token(layout: Layout) -> str:
    """Return the token that Blackstart's app has in the Slack stand-in."""
    return (layout.elsewhere / "slack.token").read_text("ascii")


def _programs(layout: Layout) -> tuple[_Program, ...]:
    pki = make_pki(layout.pki)
    return (
        _Program(
            name="prometheus",
            argv=write_prometheus(layout),
            port=PROMETHEUS_PORT,
            ready_page="/-/ready",
        ),
        _Program(
            name="alertmanager",
            argv=write_alertmanager(layout),
            port=ALERTMANAGER_PORT,
            ready_page="/-/ready",
        ),
        _Program(name="slack", argv=_write_slack(layout), port=SLACK_PORT),
        _Program(name="mail", argv=_write_mail(layout), port=SMTP_PORT),
        _Program(name="alert-keeper", argv=_write_keeper(layout), port=KEEPER_PORT),
        _Program(name="knot", argv=write_dns(layout), port=53),
        _Program(name="rsyslog", argv=write_log_server(layout, pki), port=LOG_PORT),
        _Program(name="pages", argv=_write_pages(layout), port=STATUS_PORT),
    )


def _standin(module: str, port: int, *words: str) -> list[str]:
    run = [sys.executable, "-m", f"blackstart.sandbox.{module}"]
    return [*run, "--address", ADDRESSES[ELSEWHERE], "--port", str(port), *words]


def _write_slack(layout: Layout) -> list[str]:
    folder = layout.elsewhere / "slack"
    secret = f"xoxb-{token()}"
    put_file(layout.elsewhere / "slack.token", secret)
    seed_workspace(folder, tokens={secret: _BOT.id}, users=(_BOT, *PEOPLE), channels=(CHANNEL,))
    own_tree(folder, "svc")
    return _standin("slack_standin", SLACK_PORT, "--state", str(folder))


def _write_mail(layout: Layout) -> list[str]:
    keep = make_folder(layout.elsewhere / "mail", "svc", 0o755)
    control = ("--control-port", str(SMTP_CONTROL_PORT))
    return _standin("mail_standin", SMTP_PORT, "--keep", str(keep), *control)


def _write_keeper(layout: Layout) -> list[str]:
    keep = make_folder(layout.elsewhere / "alerts", "svc", 0o755)
    return _standin("alert_keeper", KEEPER_PORT, "--keep", str(keep / "alerts.jsonl"))


def _write_pages(layout: Layout) -> list[str]:
    folder = make_folder(layout.elsewhere / "pages", "svc", 0o755)
    status = make_folder(layout.elsewhere / "status", mode=0o755)
    if not (status / "index.html").exists():
        put_file(status / "index.html", _FIRST_PAGE, mode=0o644)
    content = _CADDYFILE.format(
        folder=folder,
        here=ADDRESSES[ELSEWHERE],
        status=status,
        logs=logs_of(layout),
        status_port=STATUS_PORT,
        log_port=LOG_QUERY_PORT,
    )
    config = put_file(folder / "Caddyfile", content, "svc")
    return [str(find_caddy()), "run", "--config", str(config), "--adapter", "caddyfile"]


def _is_ready(site: Site, program: _Program) -> bool:
    here = ADDRESSES[ELSEWHERE]
    if not program.ready_page:
        return listens(site, here, program.port)
    url = f"http://{here}:{program.port}{program.ready_page}"
    return call_in_network(site, partial(_is_ok, url))


def _is_ok(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=1, trust_env=False).status_code == 200
    return False
