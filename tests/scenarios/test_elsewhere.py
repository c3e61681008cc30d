# SPDX-License-Identifier: Apache-2.0
"""The world around production, for real: each part takes what it should, and refuses the rest."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update
import httpx
import msgspec
import pytest
from slack_sdk import WebClient

from blackstart.sandbox import database, dns_server, metrics, received
from blackstart.sandbox.elsewhere import SLACK_PORT, Elsewhere, slack_token, start_elsewhere
from blackstart.sandbox.front import raise_filter
from blackstart.sandbox.injections import INJECTIONS
from blackstart.sandbox.layout import (
    ADDRESSES,
    DATABASE,
    ELSEWHERE,
    PRODUCTION,
    RECOVERY,
    Layout,
    cache_folder,
)
from blackstart.sandbox.log_server import SERVER_NAME
from blackstart.sandbox.on_site import must, put_file, sql
from blackstart.sandbox.open_listener import PORT as INTRUDER_PORT
from blackstart.sandbox.open_listener import open_once
from blackstart.sandbox.packages import Prepared, prepare
from blackstart.sandbox.pki import make_pki
from blackstart.world.canary import exposition
from blackstart.world.clock import SystemClock, wait_until
from blackstart.world.namespaces import call_in_network
from blackstart.world.process import is_alive, started_ticks
from blackstart.world.sites import Site, create_site, destroy_site, start_inside

pytestmark = pytest.mark.platform

HERE = ADDRESSES[ELSEWHERE]
NAME = f"app.{dns_server.ZONE}"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    layout: Layout
    prepared: Prepared
    running: Elsewhere
    production: Site
    took_s: float

    def ask(self, question: Callable[[], T]) -> T:
        """Return the answer as seen from production's network."""
        return call_in_network(self.production, question)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    layout = Layout(tmp_path_factory.mktemp("run"))
    prepared = prepare(cache_folder(), lambda _: None)
    for folder in (layout.root, layout.sites):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    hub = site_of(layout, prepared, ELSEWHERE, None)
    began = SystemClock().monotonic_s()
    try:
        running = start_elsewhere(layout, prepared, hub, lambda _: None)
        took_s = SystemClock().monotonic_s() - began
        production = site_of(layout, prepared, PRODUCTION, hub)
        yield World(layout, prepared, running, production, took_s)
        destroy_site(production)
    finally:
        destroy_site(hub)


def site_of(layout: Layout, prepared: Prepared, name: str, hub: Site | None) -> Site:
    return create_site(
        layout.sites,
        name,
        address=ADDRESSES[name],
        marker="test",
        purpose="sandbox",
        hub=hub,
        usr=prepared.usr,
        nameserver=HERE,
        dies_with_us=True,
    )


def update(
    world: World, *, old: str, new: str, kind: str = "A", secret: str = ""
) -> dns.rcode.Rcode:
    """Move the name if it still points to `old`, as a recovery does."""
    keyring = dns.tsigkeyring.from_text(
        {dns_server.KEY_NAME: secret or dns_server.read_key(world.layout)}
    )
    wanted = dns.update.UpdateMessage(
        dns_server.ZONE,
        keyring=keyring,
        keyname=dns.name.from_text(dns_server.KEY_NAME),
        keyalgorithm=dns.tsig.HMAC_SHA256,
    )
    wanted.present("app", "A", old)
    wanted.replace("app", 5, kind, new)
    return world.ask(lambda: dns.query.tcp(wanted, HERE, timeout=5)).rcode()


def address_of(world: World, name: str) -> list[str]:
    question = dns.message.make_query(name, "A")
    answer = world.ask(lambda: dns.query.udp(question, HERE, timeout=5))
    return [str(record) for found in answer.answer for record in found]


def test_all_of_it_is_up_soon(world: World) -> None:
    assert world.took_s < 6, world.running.ready_after_s  # measured: 0.5 to 1.3 s
    ticks = {name: started_ticks(pid) for name, pid in world.running.pids.items()}
    assert len(ticks) == 8
    assert all(tick and is_alive(world.running.pids[name], tick) for name, tick in ticks.items())


def test_a_name_moves_only_from_where_it_was_believed_to_be(world: World) -> None:
    old, new = ADDRESSES[PRODUCTION], ADDRESSES[RECOVERY]
    assert address_of(world, NAME) == [old]
    assert update(world, old="10.70.0.99", new=new) == dns.rcode.NXRRSET
    assert address_of(world, NAME) == [old]
    assert update(world, old=old, new=new) == dns.rcode.NOERROR
    assert address_of(world, NAME) == [new]
    assert update(world, old=new, new=old) == dns.rcode.NOERROR


def test_the_name_server_refuses_other_types_and_other_keys(world: World) -> None:
    old = ADDRESSES[PRODUCTION]
    with pytest.raises(dns.tsig.PeerBadKey):
        update(world, old=old, new="10 mail.elsewhere.test.", kind="MX")
    with pytest.raises(dns.tsig.PeerBadSignature):
        update(world, old=old, new="10.70.0.66", secret="d3Jvbmc=")
    assert address_of(world, NAME) == [old]
    assert address_of(world, f"status.{dns_server.HOUSE_ZONE}") == [HERE]


def test_mail_and_slack_arrive(world: World) -> None:
    note = EmailMessage()
    note["To"], note["From"] = "user@example.com", "status@example.com"
    note["Subject"], note["Message-ID"] = "We are back", "<1@blackstart>"
    note.set_content("All is well.")
    token, base_url = slack_token(world.layout), f"http://{HERE}:{SLACK_PORT}/api/"

    def send() -> None:
        with smtplib.SMTP(HERE, 25, timeout=5) as smtp:
            smtp.send_message(note)
        WebClient(token=token, base_url=base_url, retry_handlers=[]).chat_postMessage(
            channel="#dept-engineering", text="We are back"
        )

    world.ask(send)
    assert [mail.message_id for mail in received.mails(world.layout)] == ["<1@blackstart>"]
    assert [line.message.text for line in received.slack_messages(world.layout)] == ["We are back"]


def test_the_status_page_is_served(world: World) -> None:
    page = world.layout.elsewhere / "status" / "incident.html"
    put_file(page, "<p>Down since 03:00</p>", mode=0o644)
    answer = world.ask(lambda: httpx.get(f"http://{HERE}/incident.html", trust_env=False))
    assert (answer.status_code, answer.text) == (200, "<p>Down since 03:00</p>")


def send_log_line(world: World, folder: Path, sender: str, text: str) -> None:
    """Send one line over TLS with a certificate for `sender` (RFC 5424 in RFC 5425 framing)."""
    pki = make_pki(world.layout.pki)
    issued = pki.issue(sender)
    (folder / "own.pem").write_bytes(issued.certificate)
    (folder / "own.key").write_bytes(issued.key)
    trust = ssl.create_default_context(cafile=str(pki.ca))
    trust.load_cert_chain(folder / "own.pem", folder / "own.key")
    line = f"<14>1 2026-01-01T00:00:00Z production canary - - - {text}".encode()

    def send() -> None:
        with (
            socket.create_connection((HERE, 6514), timeout=5) as plain,
            trust.wrap_socket(plain, server_hostname=SERVER_NAME) as tls,
        ):
            tls.sendall(str(len(line)).encode() + b" " + line)

    world.ask(send)


def test_a_log_line_arrives_from_a_known_sender_only(world: World, tmp_path: Path) -> None:
    with suppress(OSError):  # it is cut off, sooner or later
        send_log_line(world, tmp_path, "evil.example.com", "nonce-evil")
    send_log_line(world, tmp_path, "production.flowfuse.test", "nonce-good")
    assert wait_until(lambda: "nonce-good" in received.central_log(world.layout), timeout_s=10)
    assert "nonce-evil" not in received.central_log(world.layout)
    url = f"http://{HERE}:8514/production.log"
    assert "nonce-good" in world.ask(lambda: httpx.get(url, trust_env=False)).text


def raise_canary(world: World, nonce: str) -> None:
    """Show a canary metric to Prometheus: a page of the status server stands for the exporter."""
    put_file(world.layout.elsewhere / "status" / nonce, exposition(nonce), mode=0o644)
    target = {"targets": [f"{HERE}:80"], "labels": {"__metrics_path__": f"/{nonce}"}}
    folder = metrics.prometheus_folder(world.layout) / "targets"
    put_file(folder / f"{nonce}.json", msgspec.json.encode([target]), mode=0o644)


def is_alert_kept(world: World, nonce: str) -> bool:
    return any(alert.labels.get("nonce") == nonce for alert in received.alerts(world.layout))


def is_alert_raised(world: World, nonce: str) -> bool:
    url = f"http://{HERE}:{metrics.PROMETHEUS_PORT}/api/v1/alerts"
    return f'"nonce":"{nonce}"' in world.ask(lambda: httpx.get(url, trust_env=False)).text


def test_a_canary_becomes_an_alert_unless_the_route_is_missing(world: World) -> None:
    raise_canary(world, "c1")
    assert wait_until(lambda: is_alert_kept(world, "c1"), timeout_s=15)
    INJECTIONS["alert-route-missing"].inject(world.layout)
    raise_canary(world, "c2")
    assert wait_until(lambda: is_alert_raised(world, "c2"), timeout_s=15)
    assert not wait_until(lambda: is_alert_kept(world, "c2"), timeout_s=2)


def test_a_platform_that_answers_no_scrape_is_an_alert(world: World) -> None:
    url = f"http://{HERE}:{metrics.PROMETHEUS_PORT}/api/v1/alerts"
    fires = '"alertname":"FlowFuseDown"'
    assert wait_until(
        lambda: fires in world.ask(lambda: httpx.get(url, trust_env=False)).text, timeout_s=15
    )


def test_injection_dns_update_refused(world: World) -> None:
    old = ADDRESSES[PRODUCTION]
    assert update(world, old=old, new=old) == dns.rcode.NOERROR
    INJECTIONS["dns-update-refused"].inject(world.layout)
    with pytest.raises(dns.tsig.PeerBadKey):
        update(world, old=old, new=ADDRESSES[RECOVERY])
    assert address_of(world, NAME) == [old]


def test_injection_open_listener(world: World) -> None:
    recovery = site_of(world.layout, world.prepared, RECOVERY, world.running.site)

    def is_open() -> bool:
        with suppress(OSError):
            place = (ADDRESSES[RECOVERY], INTRUDER_PORT)
            return world.ask(lambda: socket.create_connection(place, timeout=0.5).close()) is None
        return False

    try:
        raise_filter(recovery)
        assert not is_open()
        open_once(recovery)
        assert wait_until(is_open, timeout_s=10)
        must(recovery, ["nft", "flush", "ruleset"])
        raise_filter(recovery)
        assert not is_open()
        assert open_once(recovery)
        assert is_open()
    finally:
        destroy_site(recovery)


def test_injections_in_the_database(world: World) -> None:
    paths = world.layout.production
    database.create_cluster(world.production, paths)
    put_file(paths.pgdata / "pg_hba.conf", "local all postgres peer\n", "postgres")
    paths.socket.mkdir(mode=0o777)
    paths.socket.chmod(0o777)
    server = ["postgres", "-D", str(paths.pgdata), "-k", str(paths.socket)]
    start_inside(world.production, "postgres", server, user="postgres")
    ready = ["pg_isready", "-h", str(paths.socket)]

    def answers() -> bool:
        with suppress(Exception):
            return bool(must(world.production, ready, user="postgres"))
        return False

    assert wait_until(answers, timeout_s=20)

    def ask(query: str) -> str:
        return sql(world.production, query, database=DATABASE)

    sql(world.production, f"CREATE DATABASE {DATABASE}")
    ask(
        """
        CREATE TABLE "ProjectSettings" ("ProjectId" int, key text, value text);
        CREATE TABLE "StorageCredentials" ("ProjectId" int, credentials text);
        INSERT INTO "StorageCredentials" VALUES (1, '{}'), (2, '{"$": "0123"}');
        INSERT INTO "ProjectSettings" VALUES (1, 'credentialSecret', 's1'),
          (2, 'credentialSecret', 's2'), (1, 'path', 'old'), (1, 'port', '1');
        """
    )
    for name in ("wrong-credential-secret", "stale-path"):
        INJECTIONS[name].inject(world.layout)
    secrets = ask("SELECT value FROM \"ProjectSettings\" WHERE key LIKE 'cred%' ORDER BY 1")
    assert "s1" in secrets.split()
    assert "s2" not in secrets.split()
    ask("""UPDATE "ProjectSettings" SET value = 'new' WHERE key IN ('path', 'port')""")
    rows = ask("""SELECT key, value FROM "ProjectSettings" WHERE key IN ('path', 'port')""")
    assert sorted(rows.split()) == ["path|old", "port|new"]
