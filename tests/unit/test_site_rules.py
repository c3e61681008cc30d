# SPDX-License-Identifier: Apache-2.0
"""The texts that close a site, and the judgement of what listens in it."""

from __future__ import annotations

import json
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from blackstart.ports.action import Done, Failed
from blackstart.providers.front_texts import admit_text, hold_text
from blackstart.providers.site_security import (
    ExpectModes,
    drops_by_default,
    rules_in,
    ruleset,
    unknown_listeners,
)
from blackstart.world.listeners import Listener, parse_sockets
from tests.provider_stage import Stage

NAME = "app.flowfuse.test"
CADDY = Path(sys.prefix) / "bin" / "caddy"


def test_a_redirected_port_is_never_open_itself() -> None:
    rules = ruleset(
        ("443", "12080-12099"), {"12080-12099": 8444}, {"10.70.0.1": ("5432", "3000")}, "key-1"
    )
    assert "tcp dport { 443 } accept" in rules
    assert "tcp dport 12080-12099 redirect to :8444" in rules
    assert "ct status dnat tcp dport 8444 accept" in rules
    assert "ip saddr 10.70.0.1 tcp dport { 5432, 3000 } accept" in rules
    assert "12080-12099 } accept" not in rules
    assert 'comment "key-1"' in rules
    assert rules_in(rules) == 9


@pytest.mark.parametrize(
    ("in_force", "drops"),
    [
        ("type filter hook input priority filter; policy drop;", True),
        ("type filter hook input priority filter; policy accept;", False),
        ("type filter hook forward priority filter; policy drop;", False),
        ("", False),
    ],
)
def test_only_a_dropping_input_chain_counts(in_force: str, *, drops: bool) -> None:
    assert drops_by_default(in_force) is drops


def test_listeners_are_read_from_the_kernels_table() -> None:
    table = (
        "  sl  local_address rem_address st tx_queue tr tm->when retrnsmt uid timeout inode\n"
        "   0: 0100007F:0BB8 00000000:0000 0A 0:0 00:0 0 61080 0 4711 1\n"
        "   1: 00000000:1538 00000000:0000 0A 0:0 00:0 0 61070 0 4712 1\n"
        "   2: 00000000:1539 0100007F:0016 01 0:0 00:0 0 61070 0 4713 1\n"
    )
    assert list(parse_sockets(table, "0A")) == [
        ("127.0.0.1", 3000, "4711"),
        ("0.0.0.0", 5432, "4712"),
    ]
    six = "h\n 0: 0000000000000000FFFF00000100007F:01BB 0:0 0A 0 0 0 0 0 9 1\n"
    assert ip_address(next(parse_sockets(six, "0A"))[0]) == ip_address("::ffff:127.0.0.1")


def test_a_stranger_may_listen_on_loopback_only() -> None:
    def one(address: str, program: str) -> Listener:
        return Listener(protocol="tcp", address=address, port=9, program=program)

    quiet = (one("127.0.0.1", "nc"), one("::ffff:127.0.0.1", "nc"), one("::", "caddy"))
    assert unknown_listeners(quiet, ("caddy",)) == ()
    assert unknown_listeners((*quiet, one("0.0.0.0", "nc")), ("caddy",)) == (one("0.0.0.0", "nc"),)
    assert unknown_listeners((one("::", ""),), ("caddy",)) != ()


def test_modes_are_exact_and_links_are_not_followed(tmp_path: Path) -> None:
    site = tmp_path / "recovery"
    site.mkdir()
    (site / "web.key").touch(mode=0o600)
    (site / "link").symlink_to(site / "web.key")

    def check(path: str, mode: str) -> Done | Failed:
        expect = ExpectModes(place=str(tmp_path), site="recovery", paths={path: mode})
        return expect.check(Stage().context())

    assert isinstance(check("web.key", "0600"), Done)
    for path, mode in (("web.key", "0640"), ("link", "0600"), ("nothing", "0600")):
        failed = check(path, mode)
        assert isinstance(failed, Failed)
        assert failed.summary.startswith(path)


def adapted(text: str, folder: Path) -> str:
    """Return what Caddy makes of a configuration, as JSON."""
    path = folder / "Caddyfile"
    path.write_text(text)
    argv = [str(CADDY), "adapt", "--config", str(path), "--adapter", "caddyfile"]
    done = subprocess.run(argv, capture_output=True, check=True, cwd=folder, timeout=20)
    return json.dumps(json.loads(done.stdout))


def test_caddy_holds_everyone_but_the_site_itself(tmp_path: Path) -> None:
    config = adapted(hold_text(NAME, "/front", "127.0.0.1:3000", "key-1"), tmp_path)
    assert config.count('"status_code": 503') >= 2
    assert '"Retry-After": ["60"]' in config
    assert '"remote_ip": {"ranges": ["127.0.0.1", "::1"]}' in config
    assert config.count("reverse_proxy") == 1


def test_caddy_serves_the_platform_and_only_the_instances_ports(tmp_path: Path) -> None:
    text = admit_text(NAME, "/front", "127.0.0.1:3000", "12080-12099", "key-1")
    config = adapted(text, tmp_path)
    assert '"dial": "127.0.0.1:3000"' in config
    assert '"dial": "127.0.0.1:{http.request.port}"' in config
    assert "int({http.request.port}) >= 12080 && int({http.request.port}) <= 12099" in config
    assert '"path": ["/metrics", "/metrics/*"]' in config
    assert '"status_code": 403' in config
    assert "remote_ip" not in config
    assert text.startswith("# key-1\n")


def test_caddy_serves_an_application_without_instances_and_keeps_its_own_paths_closed(
    tmp_path: Path,
) -> None:
    text = admit_text(NAME, "/front", "127.0.0.1:8888", "", "key-1", ("/v1/__metrics__",))
    config = adapted(text, tmp_path)
    assert '"dial": "127.0.0.1:8888"' in config
    assert "http.request.port" not in config
    assert '"path": ["/v1/__metrics__"]' in config
    nothing_private = adapted(admit_text(NAME, "/front", "127.0.0.1:1", "", "key-1", ()), tmp_path)
    assert "403" not in nothing_private
