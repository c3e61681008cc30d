# SPDX-License-Identifier: Apache-2.0
"""The log server answers, shows a good certificate, and throws the new site's lines away."""

from __future__ import annotations

from functools import partial

from blackstart.sandbox.front import listens
from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, PRODUCTION, Layout
from blackstart.sandbox.log_server import PERMITTED_SENDERS, PORT
from blackstart.sandbox.on_site import end_programs, expect, put_file
from blackstart.world.sites import start_inside


def know_production_only(layout: Layout) -> None:
    """Start the log server anew, with the lost site as the only sender that it knows."""
    site = living(layout, ELSEWHERE)
    config = layout.elsewhere / "rsyslog" / "rsyslog.conf"
    known = ", ".join(f'"{name}"' for name in PERMITTED_SENDERS)
    text = config.read_text().replace(known, f'"{PRODUCTION}.flowfuse.test"')
    put_file(config, text, "svc")
    end_programs(site, "rsyslogd")
    command = ["rsyslogd", "-n", "-f", str(config), "-i", str(config.with_name("second.pid"))]
    start_inside(site, "rsyslog-second", command, user="svc")
    answers = partial(listens, site, ADDRESSES[ELSEWHERE], PORT)
    expect("the log server", answers, timeout_s=10, log=site.directory / "log/rsyslog-second.log")


INJECTION = Injection(
    name="log-shipping-cut",
    what="the central log server takes lines of the lost site only; what the new one sends is lost",
    expected=stops_at("verify_observability.log"),
    inject=know_production_only,
)
