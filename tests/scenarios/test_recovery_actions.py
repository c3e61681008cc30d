# SPDX-License-Identifier: Apache-2.0
"""The recovery's own actions and checks on the real platform, each proven both ways.

A new site is made, closed, filled from a real backup, killed in the middle, started and verified.
The tests build on each other in the order of the file, as a recovery does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackstart.ports.action import Action, Done, Failed, Partial
from blackstart.providers.flowfuse_waves import Tier
from blackstart.providers.postgres_cluster import cluster_pids
from blackstart.sandbox.layout import ADDRESSES, PUBLIC_NAME, STANZA
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import residents
from blackstart.world.sites import list_sites, start_inside
from tests.killed import kill_runner, pids_of
from tests.provider_stage import MARKER, Stage
from tests.recovery_bench import (
    NEW,
    Bench,
    create,
    firewall,
    opened_bench,
    promote,
    ref,
    restore,
    status,
)

pytestmark = pytest.mark.platform


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened_bench() as opened:
        yield opened


def test_a_site_is_made_anew_by_its_own_run_only(bench: Bench) -> None:
    first = bench.done(create(bench))
    again = bench.done(create(bench))
    assert first.outputs == again.outputs
    stranger = create(bench).perform(replace(bench.context(), marker="run-2"))
    assert isinstance(stranger, Failed)
    assert "not made by this run" in stranger.summary
    own = bench.of("site.fence")
    assert "made by this run" in bench.fails(own)
    assert {one.name for one in list_sites(bench.layout.sites)} >= {"recovery"}


def test_a_site_that_is_not_closed_is_noticed(bench: Bench) -> None:
    assert "does not drop" in bench.fails(bench.of("site.listeners"))
    folder = bench.layout.sites / "recovery" / "front"
    issued = bench.of(
        "tls.issue",
        ca_certificate=str(bench.layout.pki / "ca.pem"),
        ca_key=ref("ca"),
        names=(PUBLIC_NAME,),
        addresses=(ADDRESSES["recovery"],),
        into=str(folder),
    )
    bench.done(issued)
    bench.done(firewall(bench))
    hold = bench.of("front.hold")
    bench.done(hold)
    modes = {"front/web.key": "0600", "pg": "0700", "flowfuse": "0750"}
    bench.passes(bench.of("site.expect_modes", paths=modes))
    assert bench.passes(bench.of("site.listeners")).outputs["ports"] == ["443", "8444"]
    for url in (f"https://{PUBLIC_NAME}/", f"https://{PUBLIC_NAME}:12085/any"):
        assert status(bench, url) == 503
    assert status(bench, f"https://{PUBLIC_NAME}:8444/") == 0
    bench.workplace().must(["nft", "flush", "ruleset"], hint="nft")
    assert "does not drop" in bench.fails(bench.of("site.listeners"))
    bench.done(firewall(bench))


def test_a_strange_listener_is_noticed(bench: Bench) -> None:
    strange = [sys.executable, "-m", "http.server", "9999", "--bind", "0.0.0.0"]
    check = bench.of("site.listeners")
    pid = start_inside(bench.workplace().site, "intruder", strange, user="svc")
    ticks = process.started_ticks(pid)
    assert ticks is not None
    assert wait_until(
        lambda: isinstance(check.check(bench.context()), Failed), timeout_s=10, every_s=0.05
    )
    assert "0.0.0.0:9999" in bench.fails(check)
    assert process.end(pid, ticks, grace_s=1)
    bench.passes(check)


def test_a_backup_is_verified_and_a_flipped_byte_is_noticed(bench: Bench) -> None:
    verify = bench.of(
        "pgbackrest.verify_point",
        place=str(bench.layout.sites),
        manifest=bench.manifest,
        packages=str(bench.prepared.usr),
    )
    good = verify.perform(bench.context())
    assert isinstance(good, Done), good
    assert float(str(good.outputs["took_s"])) < 20
    repository = bench.layout.backup / "repo" / "backup"
    largest = max(
        (path for path in repository.rglob("pg_data/base/**/*.zst") if not path.is_symlink()),
        key=lambda path: path.stat().st_size,
    )
    whole = largest.read_bytes()
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 1
    largest.write_bytes(broken)
    try:
        assert "pgbackrest ended" in bench.fails(verify)
    finally:
        largest.write_bytes(whole)
    left = [one.name for one in list_sites(bench.layout.sites) if one.purpose == "verify"]
    assert left == []


def test_only_a_verified_point_is_chosen(bench: Bench) -> None:
    point = json.loads(Path(bench.manifest).read_text())["restore_point"]
    choose = bench.of("pgbackrest.choose_point")
    assert point in bench.fails(choose)
    verified = replace(bench.context(), verified_points=lambda _: ("20200101-000000F", point))
    chosen = choose.check(verified)
    assert isinstance(chosen, Done)
    assert chosen.outputs["point"] == point


def die_at_progress(action: Action, context_of: Stage, key: str) -> None:
    def die(*_: float | str) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    action.perform(replace(context_of.context(key=key), progress=die))


def kill(bench: Bench, action: Action, is_time: Callable[[], object], **how: Any) -> None:
    """Kill whoever performs it, when it is time; it is found half-way."""
    key = bench.context().key
    kill_runner(action, bench.stage, key, is_time, **how)
    assert isinstance(action.inspect(bench.stage.context(key=key)), Partial)


def living(bench: Bench, command: str) -> list[int]:
    return pids_of(bench.workplace().site, command)


def test_a_restore_that_dies_is_found_and_done_again(bench: Bench) -> None:
    assert "has restored no database" in bench.fails(promote(bench))
    kill(bench, restore(bench), lambda: False, act=die_at_progress)
    bench.done(restore(bench))
    assert living(bench, "pgbackrest") == []  # nor the workers of the killed one
    assert any(unit == "%" for _, _, unit in bench.stage.ticks)


def test_a_server_outlives_whoever_promoted_it_and_is_taken_up_again(bench: Bench) -> None:
    kill(bench, promote(bench), lambda: living(bench, "postgres"))
    first = min(living(bench, "postgres"))
    assert first in cluster_pids(bench.workplace())


def test_the_database_is_opened_freed_and_proven(bench: Bench) -> None:
    before = cluster_pids(bench.workplace())[0]
    opened = bench.done(promote(bench))
    assert cluster_pids(bench.workplace())[0] == before  # the one that the killed attempt started
    assert opened.outputs["timeline"] == "2"
    assert str(opened.outputs["recovered_to"]).startswith("20")
    assert "promoted already" in bench.fails(restore(bench))
    relocated = bench.of("flowfuse.expect_relocated")
    start = bench.of("flowfuse.start")
    assert "of the lost site" in bench.fails(relocated)
    assert "not relocated" in bench.fails(start)
    bench.done(bench.of("flowfuse.relocate"))
    bench.passes(relocated)
    assert "not ended its sessions" in bench.fails(start)
    bench.done(bench.of("flowfuse.rotate_sessions", cookie_secret=ref("cookie")))
    sql = bench.workplace().sql
    assert sql('SELECT count(*) FROM "Sessions"') == "0"
    assert (
        sql("""SELECT value FROM "PlatformSettings" WHERE key = 'cookieSecret'""") == NEW["cookie"]
    )


def test_only_the_new_password_opens_the_database(bench: Bench) -> None:
    bench.stage.secrets[str(ref("lost"))] = bench.kept.database_password

    def access(owner: str = "owner", lost: str = "lost") -> Any:
        return bench.of(
            "postgres.expect_access",
            database="flowforge",
            owner="forge",
            owner_password=ref(owner),
            lost_password=ref(lost),
            trusted=ADDRESSES["elsewhere"],
        )

    assert bench.passes(access()).outputs["rules"] == 3
    assert "the new password of forge is refused" in bench.fails(access(owner="lost"))
    assert "lost site's password of forge is still let in" in bench.fails(access(lost="owner"))
    work, hba = bench.workplace(), bench.layout.sites / "recovery" / "pg" / "pg_hba.conf"
    ordered = hba.read_text()
    hba.write_text(f"host all all 127.0.0.1/32 trust\n{ordered}")
    work.sql("SELECT pg_reload_conf()", database="postgres")
    told = bench.fails(access())
    assert "open without a password: host all all 127.0.0.1/32 trust" in told
    assert "an invented password of forge is let in" in told
    hba.write_text(ordered)
    work.sql("SELECT pg_reload_conf()", database="postgres")
    assert wait_until(
        lambda: isinstance(access().check(bench.context()), Done), timeout_s=10, every_s=0.1
    )


def test_a_wrong_credential_secret_is_noticed_offline(bench: Bench) -> None:
    check = bench.of("flowfuse.expect_credentials")
    bench.passes(check)
    sql = bench.workplace().sql
    change = (
        """UPDATE "ProjectSettings" SET value = reverse(value) WHERE key = 'credentialSecret'"""
    )
    sql(change)
    assert "greenhouse do not open" in bench.fails(check)
    assert "do not open" in bench.fails(bench.of("flowfuse.start"))
    sql(change)
    bench.passes(check)


def test_a_damaged_artefact_is_not_installed(bench: Bench, tmp_path: Path) -> None:
    for path in bench.layout.artefacts.glob("*.tar.zst*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "stack-3.1.15.tar.zst").write_bytes(b"something else")
    release = {"version": "2.4.0", "stack": "3.1.15"}
    damaged = bench.of("flowfuse.install", artefacts=str(tmp_path), **release)
    assert "is not what was built" in bench.fails(damaged)
    assert "stack 3.1.15" in bench.fails(bench.of("flowfuse.start"))
    install = bench.of("flowfuse.install", artefacts=str(bench.layout.artefacts), **release)
    kill(bench, install, lambda: living(bench, "zstd"))
    bench.done(install)
    assert living(bench, "zstd") + living(bench, "tar") == []


def test_the_platform_and_its_instances_start_and_stay(bench: Bench) -> None:
    configure = bench.of(
        "flowfuse.configure",
        public_name=PUBLIC_NAME,
        database_password=ref("owner"),
        ca_certificate=str(bench.layout.pki / "ca.pem"),
    )
    bench.done(configure)
    start = bench.of("flowfuse.start")
    kill(bench, start, lambda: living(bench, "node"))
    (alone,) = living(bench, "node")  # it lives on, and nobody has seen it answer
    bench.done(start)
    assert len(living(bench, "node")) == 1
    assert alone not in living(bench, "node")
    tiers = (Tier(name="packers", teams=("Packers",)),)
    started = bench.done(bench.of("flowfuse.start_instances", waves=tiers))
    assert started.outputs == {"started": 2, "waves": ["packers", "the rest"]}
    left = bench.workplace().sql(
        f"""SELECT count(*) FROM "AccessTokens" WHERE name LIKE '%{MARKER}'"""
    )
    assert left == "0"
    bench.passes(bench.of("flowfuse.expect_stable", for_s=2))


def test_it_is_what_it_was_and_a_difference_is_noticed(bench: Bench, tmp_path: Path) -> None:
    alice = next(one for one in bench.kept.people if one.username == "alice")
    bench.stage.secrets[str(ref("login"))] = f"alice:{alice.password}"
    bench.stage.secrets[str(ref("wrong"))] = "alice:wrong"
    bench.passes(bench.of("flowfuse.expect_login", login=ref("login")))
    assert "401" in bench.fails(bench.of("flowfuse.expect_login", login=ref("wrong")))
    bench.passes(bench.of("flowfuse.expect_counts"))
    rows = {**json.loads(Path(bench.manifest).read_text())["rows"], "Users": 99}
    more = bench.altered_manifest(tmp_path, rows=rows)
    assert "of 99 Users" in bench.fails(bench.of("flowfuse.expect_counts", manifest=more))
    bench.passes(bench.of("flowfuse.expect_flows"))
    instances = json.loads(Path(bench.manifest).read_text())["instances"]
    instances[0]["probes"][0]["sha256"] = "0" * 64
    other = bench.altered_manifest(tmp_path, instances=instances)
    assert "something else" in bench.fails(bench.of("flowfuse.expect_flows", manifest=other))


def test_an_unsafe_account_is_noticed(bench: Bench, tmp_path: Path) -> None:
    bench.passes(bench.of("flowfuse.expect_safe_accounts"))
    nobody = bench.altered_manifest(tmp_path, administrators=[])
    unknown = bench.of("flowfuse.expect_safe_accounts", manifest=nobody)
    assert "unknown administrator opsadmin" in bench.fails(unknown)
    sql = bench.workplace().sql
    sql(
        """INSERT INTO "PlatformSettings" (key, value, "valueType", "createdAt", "updatedAt")
        VALUES ('user:signup', 'true', 1, now(), now())"""
    )
    check = bench.of("flowfuse.expect_safe_accounts")
    assert "user:signup is on" in bench.fails(check)
    sql("""DELETE FROM "PlatformSettings" WHERE key = 'user:signup'""")
    bench.passes(check)


def test_the_new_site_is_protected_and_opened(bench: Bench) -> None:
    backup = bench.of(
        "pgbackrest.backup",
        repository=str(bench.layout.backup / "repo-of-the-new-site"),
        repository_key=ref("repo"),
        stanza=STANZA,
    )
    assert str(bench.done(backup).outputs["label"]).endswith("F")
    assert status(bench, f"https://{PUBLIC_NAME}/") == 503
    admit, before = bench.of("front.admit"), living(bench, "caddy")
    kill(bench, admit, lambda: living(bench, "caddy") != before)
    bench.done(admit)
    assert len(living(bench, "caddy")) == 1
    assert status(bench, f"https://{PUBLIC_NAME}/api/v1/settings") == 200
    assert status(bench, f"https://{PUBLIC_NAME}:12080/hello") == 200
    assert status(bench, f"https://{PUBLIC_NAME}:12099/hello") == 503
    assert status(bench, f"https://{PUBLIC_NAME}/metrics") == 403
    assert status(bench, f"http://{PUBLIC_NAME}:3000/") == 0
    assert status(bench, f"http://{PUBLIC_NAME}:13080/flowforge/info") == 0
    assert "served users already" in bench.fails(create(bench))


def test_a_crash_is_not_stable(bench: Bench) -> None:
    red = next(one for one in residents(bench.workplace().site) if one.command == "node-red")
    parents = [one.pid for one in residents(bench.workplace().site) if one.command == "node"]
    launcher = next(pid for pid in parents if red.pid in process.children_of(pid))
    os.kill(launcher, signal.SIGKILL)
    os.kill(red.pid, signal.SIGKILL)
    assert "unreachable" in bench.fails(bench.of("flowfuse.expect_stable", for_s=3))
