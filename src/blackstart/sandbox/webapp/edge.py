# SPDX-License-Identifier: Apache-2.0
"""The edge of the application's production: a TLS front (Caddy) and a packet filter."""

from __future__ import annotations

from blackstart.sandbox.front import find_caddy, listens
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, PlatformPaths
from blackstart.sandbox.on_site import expect, make_folder, must, put_file
from blackstart.sandbox.pki import Pki
from blackstart.sandbox.webapp.names import METRICS_PATH, PORT, PUBLIC_NAME
from blackstart.world.sites import Site, start_inside

_FILTER = f"""\
table inet blackstart {{
  chain input {{
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
    tcp dport 443 accept
    ip saddr {ADDRESSES[ELSEWHERE]} tcp dport {{ 5432, {PORT} }} accept
  }}
}}
"""
_CADDYFILE = """\
{{
	admin off
	persist_config off
	auto_https off
	storage file_system {front}/state
	grace_period 2s
	log {{
		output stderr
		level WARN
	}}
}}
https://{name} {{
	tls {front}/web.pem {front}/web.key
	respond {metrics} 403
	reverse_proxy 127.0.0.1:{port}
}}
"""


def raise_filter(site: Site) -> None:
    """Close every port but the front's. Raises SandboxError."""
    must(site, ["nft", "-f", "-"], stdin=_FILTER.encode())


def start_front(site: Site, pki: Pki) -> None:
    """Start the TLS front with a fresh certificate and wait until it listens."""
    front = make_folder(PlatformPaths(site.directory).front, "svc")
    make_folder(front / "state", "svc")
    issued = pki.issue(PUBLIC_NAME, site.address)
    put_file(front / "web.pem", issued.certificate, "svc", 0o644)
    put_file(front / "web.key", issued.key, "svc")
    caddyfile = _CADDYFILE.format(front=front, name=PUBLIC_NAME, port=PORT, metrics=METRICS_PATH)
    config = put_file(front / "Caddyfile", caddyfile, "svc")
    run = [str(find_caddy()), "run", "--config", str(config), "--adapter", "caddyfile"]
    start_inside(site, "front", run, user="svc", env={"HOME": str(front)})
    log = site.directory / "log" / "front.log"
    expect("the TLS front", lambda: listens(site, "127.0.0.1", 443), timeout_s=10, log=log)
