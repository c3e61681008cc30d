# SPDX-License-Identifier: Apache-2.0
"""Each check that an injection called for: it passes on the good and fails on the bad."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from blackstart.ports.action import Done, Failed, Outcome
from blackstart.providers.dns_caches import ExpectForgotten
from blackstart.providers.flowfuse_checks import Counts, lacking_of
from blackstart.providers.flowfuse_release import mismatch, names_in
from blackstart.providers.flowfuse_unserved import ExpectUnserved
from blackstart.providers.front_devices import ExpectKnownDevices, held_off
from blackstart.providers.front_writes import WRITES_LOG
from blackstart.providers.manifest import Manifest
from blackstart.providers.pgbackrest import say_newer_damaged
from blackstart.providers.pgbackrest_repository import BackupEntry, parse_listed
from blackstart.providers.postgres_replayed import is_before, last_fetched
from blackstart.sandbox.device import CONFIGURATION, obey, saw_platform
from blackstart.sandbox.http_loop import Call, Loop, Reply
from blackstart.sandbox.pki import Pki, make_pki
from blackstart.world.clock import SystemClock
from tests.provider_stage import Stage

NAME = "app.flowfuse.test"
HERE = "127.0.0.1"


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


@dataclass
class Servers:
    """Web servers of this machine, each saying one status under a certificate."""

    opened: ExitStack
    folder: Path

    def open(self, status: int, pki: Pki) -> int:
        """Open one and return its port."""
        issued = pki.issue(NAME)
        (self.folder / "web.pem").write_bytes(issued.certificate)
        (self.folder / "web.key").write_bytes(issued.key)
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(self.folder / "web.pem", self.folder / "web.key")

        def answer(call: Call) -> Reply:
            del call
            return Reply(status=status)

        loop = Loop(HERE, 0, answer, trust=trust)
        self.opened.callback(loop.stop)
        return loop.port


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with ExitStack() as opened:
        yield Servers(opened, tmp_path)


def unserved(pki: Pki, folder: Path, port: int, except_address: str = "") -> ExpectUnserved:
    manifest = Manifest(taken_at=SystemClock().now(), users=0, teams=0, instances=())
    path = folder / "manifest.json"
    path.write_bytes(msgspec.json.encode(manifest))
    return ExpectUnserved(
        public_name=NAME,
        ca_certificate=str(pki.ca),
        manifest=str(path),
        addresses=(HERE,),
        port=port,
        except_address=except_address,
    )


def test_only_503_or_silence_may_come_under_our_name(servers: Servers, tmp_path: Path) -> None:
    pki, context = make_pki(tmp_path / "ours"), Stage().context()
    held = unserved(pki, tmp_path, servers.open(503, pki)).check(context)
    assert isinstance(held, Done), held
    for status in (200, 401, 404):
        port = servers.open(status, pki)
        assert f"answers {status}" in failure_of(unserved(pki, tmp_path, port).check(context))
        spared = unserved(pki, tmp_path, port, except_address=HERE).check(context)
        assert isinstance(spared, Done), spared


def test_silence_serves_nobody_and_a_stranger_does(servers: Servers, tmp_path: Path) -> None:
    pki, other = make_pki(tmp_path / "ours"), make_pki(tmp_path / "other")
    context = Stage().context()
    port = servers.open(503, other)
    assert "is not ours" in failure_of(unserved(pki, tmp_path, port).check(context))
    servers.opened.close()
    assert isinstance(unserved(pki, tmp_path, port).check(context), Done)


def test_data_of_another_release_are_noticed(tmp_path: Path) -> None:
    for name in ("20240101-01-one.js", "20240202-01-two.js", "index.js"):
        (tmp_path / name).touch()
    known = names_in(tmp_path)
    assert known == ("20240101-01-one.js", "20240202-01-two.js")
    assert mismatch(known, known) == ""
    assert "later release" in mismatch((*known, "20990101-01-three.js"), known)
    assert "earlier release" in mismatch(known[:1], known)
    assert "no installed release" in mismatch(known, names_in(tmp_path / "nothing"))


def test_a_gap_in_the_log_is_noticed() -> None:
    one, two, three = (f"0000000100000000000000{number:02X}" for number in (9, 10, 11))
    lines = [f"archive {one}", f"received {two}.partial", "archive 00000002.history"]
    assert last_fetched(lines) == two
    assert last_fetched(["archive-get of X ended with 29"]) == ""
    assert is_before(two, three)
    assert not is_before(two, two)
    assert not is_before(two.replace("00000001", "00000002", 1), two)
    assert is_before("", one)


def test_the_newest_archived_log_is_listed() -> None:
    status = {"code": 0, "message": "ok"}
    archive = [{"id": "15-1", "max": "000000010000000000000007", "min": "000000010000000000000002"}]
    stanza = {"name": "main", "status": status, "archive": archive}
    assert parse_listed(msgspec.json.encode([stanza]), "main").newest_wal == archive[0]["max"]
    del stanza["archive"]
    assert parse_listed(msgspec.json.encode([stanza]), "main").newest_wal == ""


def test_a_newer_backup_that_is_damaged_is_said() -> None:
    first, second, third = (
        BackupEntry(label=name, taken_at=SystemClock().now(), size_bytes=1, has_errors=name == "b")
        for name in ("a", "b", "c")
    )
    assert say_newer_damaged((first, second, third), third) == ""
    assert say_newer_damaged((first, third), first) == ""
    assert say_newer_damaged((first, second, third), first).startswith("backup b is damaged")


def test_a_team_without_an_owner_is_missed_by_no_manifest() -> None:
    rows = dict.fromkeys(
        ("Users", "Teams", "TeamMembers", "Applications", "Projects", "ProjectSnapshots"), 0
    )
    manifest = Manifest(taken_at=SystemClock().now(), users=0, teams=0, instances=(), rows=rows)
    assert lacking_of(Counts(rows=rows, instances=()), manifest) == ()
    found = Counts(rows=rows, instances=(), ownerless=("Growers",))
    assert lacking_of(found, manifest) == ("team Growers has no owner",)


@pytest.mark.parametrize(("ttl_s", "is_good"), [(5, True), (300, True), (86_400, False)])
def test_an_answer_that_caches_keep_too_long_is_said(ttl_s: int, *, is_good: bool) -> None:
    outcome = ExpectForgotten(name=NAME, old_ttl_s=ttl_s).check(Stage().context())
    assert isinstance(outcome, Done if is_good else Failed), outcome


def line(uri: str, status: int) -> bytes:
    content: Mapping[str, object] = {"request": {"uri": uri}, "status": status}
    return msgspec.json.encode(content) + b"\n"


def test_a_device_that_was_held_off_is_named(tmp_path: Path) -> None:
    check = ExpectKnownDevices(directory=str(tmp_path))
    assert isinstance(check.check(Stage().context()), Done)
    good = line("/api/v1/devices/d1/live/state", 200)
    (tmp_path / WRITES_LOG).write_bytes(good + b'{"half')
    assert isinstance(check.check(Stage().context()), Done)
    held = line("/api/v1/devices/d2/live/state", 503)
    (tmp_path / WRITES_LOG).write_bytes(good + held + held)
    assert "1 devices" in failure_of(check.check(Stage().context()))
    assert held_off([held, held]) == ("d2",)


@pytest.mark.parametrize(
    ("status", "keeps"), [(0, True), (200, True), (401, False), (404, False), (409, True)]
)
def test_the_device_does_what_the_agent_does(tmp_path: Path, status: int, *, keeps: bool) -> None:
    (tmp_path / CONFIGURATION).write_text("{}")
    obey(tmp_path, status)
    assert (tmp_path / CONFIGURATION).exists() is keeps
    assert saw_platform(tmp_path) is (status != 0)
