# SPDX-License-Identifier: Apache-2.0
"""The production that a drill loses is a real one: it serves, protects itself, and can be lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from blackstart.sandbox import backup, disaster, doorway, loss, writer
from blackstart.sandbox.elsewhere import start_elsewhere
from blackstart.sandbox.front import listens
from blackstart.sandbox.layout import ADDRESSES, Layout, SandboxError, cache_folder, new_run
from blackstart.sandbox.on_site import sql
from blackstart.sandbox.packages import prepare
from blackstart.sandbox.production import Production, fetch, lay_out_elsewhere, stand_up
from blackstart.sandbox.seed import make_seed
from blackstart.sandbox.sweep import remove_run
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.sites import Site, create_site, inside, load_site

pytestmark = pytest.mark.platform


@dataclass(frozen=True)
class World:
    """Everything of one run."""

    layout: Layout
    elsewhere: Site
    outside: Site
    production: Production


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    cache = cache_folder()
    prepared = prepare(cache, print)
    seed = make_seed(cache, prepared, print)
    with ExitStack() as ends:
        layout = ends.enter_context(new_run(cache))
        ends.callback(remove_run, layout.root)
        lay_out_elsewhere(layout, prepared, seed)
        sites: list[Site] = []
        for name in ("elsewhere", "outside"):
            sites.append(
                create_site(
                    layout.sites,
                    name,
                    address=ADDRESSES[name],
                    marker=layout.root.name,
                    purpose="sandbox",
                    hub=sites[0] if sites else None,
                    usr=prepared.usr,
                    nameserver=ADDRESSES["elsewhere"] if sites else None,
                    dies_with_us=True,
                )
            )
        start_elsewhere(layout, prepared, sites[0], print)
        production = stand_up(layout, prepared, seed, sites[0], print)
        yield World(layout, sites[0], sites[1], production)


def _curl(world: World, *words: str) -> process.Completed:
    trust = str(world.layout.pki / "ca.pem")
    command = ["curl", "-sS", "-m", "5", "--cacert", trust, *words]
    return process.run(inside(world.outside, command, user="svc"), timeout_s=10)


def test_users_reach_it_by_its_name_only_through_the_front(world: World) -> None:
    settings = _curl(world, "https://app.flowfuse.test/api/v1/settings")
    answers = {
        path: _curl(world, f"https://app.flowfuse.test:{port}{path}").text
        for port, path in ((12080, "/hello"), (12081, "/status"))
    }
    naked = [_curl(world, "-m", "0.5", f"http://10.70.0.10:{port}/").code for port in (13080, 3000)]

    assert '"user:signup":false' in settings.text
    assert answers == {"/hello": "Hello from the greenhouse", "/status": "boxes: 42"}
    assert naked == [28, 28], "only the front's ports may be open (28: nothing came back)"


def test_its_credential_arrives_decrypted(world: World) -> None:
    greenhouse = world.production.secrets.instances[0]

    said = fetch(world.layout, world.elsewhere, greenhouse, "/cred")

    assert said == dict(greenhouse.answers)["/cred"]
    assert said.startswith("Basic ")


def test_its_log_arrives_at_the_central_server(world: World) -> None:
    central = world.layout.elsewhere / "logs" / "production.log"

    _curl(world, "https://app.flowfuse.test/api/v1/settings?nonce=4711")

    assert wait_until(lambda: "nonce=4711" in central.read_text(), timeout_s=10)


def test_the_repository_is_encrypted_and_the_database_checksummed(world: World) -> None:
    info = (world.layout.backup / "repo" / "backup" / "flowfuse" / "backup.info").read_bytes()

    assert info.startswith(b"Salted__")
    assert sql(world.production.site, "SHOW data_checksums") == "on"


def test_manifest_and_roster_hold_no_secret_in_the_clear(world: World) -> None:
    text = (world.layout.backup / "manifest.json").read_text()
    manifest = json.loads(text)
    credential = dict(world.production.secrets.instances[0].answers)["/cred"]

    assert (manifest["users"], manifest["teams"], len(manifest["instances"])) == (5, 2, 2)
    assert manifest["instances"][0]["credential_nodes"] == ["cred-request"]
    assert credential not in text
    assert "users.flowfuse.test" not in (world.layout.backup / "roster.sealed").read_text()


def test_writes_are_counted_and_backed_up_and_a_person_can_get_in(world: World) -> None:
    pid = writer.start_writer(world.layout, world.outside)
    acknowledged = world.layout.writer / "acknowledged.log"
    assert wait_until(lambda: len(loss.read_numbers(acknowledged)) > 20, timeout_s=20)
    label = backup.take_backup(world.layout, kind="diff").restore_point
    writer.stop_writer(pid)

    counted = loss.count_lost(world.layout.writer, writer.read_written(world.layout, world.outside))
    way_in = doorway.open_doorway(world.layout, world.production.site, port=18443)
    by_hand = process.run(
        [
            *("curl", "-sS", "--cacert", str(world.layout.pki / "ca.pem")),
            *("--resolve", "app.flowfuse.test:18443:127.0.0.1"),
            "https://app.flowfuse.test:18443/api/v1/settings",
        ],
        timeout_s=10,
    )
    doorway.close_doorway(world.layout.root)

    assert label.endswith("D")
    assert counted.acknowledged > 20
    assert (counted.lost, counted.surplus) == ((), ())
    assert '"user:signup"' in by_hand.text
    assert not process.is_alive(way_in.pid, way_in.started_ticks)


def test_losing_the_database_leaves_the_rest_and_losing_production_leaves_nothing(
    world: World,
) -> None:
    site = world.production.site

    disaster.destroy_database(world.layout)

    assert not world.production.paths.pgdata.exists()
    assert not listens(site, "127.0.0.1", 5432)
    assert listens(site, "127.0.0.1", 443)

    lost = disaster.destroy_production(world.layout)

    assert not world.production.paths.site.exists()
    assert lost.processes > 5
    assert _curl(world, "https://app.flowfuse.test/").code in {7, 28}
    assert (world.layout.backup / "repo").is_dir()
    with pytest.raises(SandboxError, match="no living production"):
        disaster.destroy_production(world.layout)


def test_what_is_not_marked_is_not_destroyed(world: World) -> None:
    foreign = create_site(
        world.layout.sites,
        "production",
        address=ADDRESSES["production"],
        marker="of somebody else",
        purpose="sandbox",
        hub=world.elsewhere,
        usr=None,
        nameserver=None,
        dies_with_us=True,
    )

    with pytest.raises(SandboxError, match="does not carry"):
        disaster.destroy_production(world.layout)

    assert load_site(world.layout.sites, "production") == foreign
