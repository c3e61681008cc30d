# SPDX-License-Identifier: Apache-2.0
"""Record sets at a real name server (knot): changed together, refused together, taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.dns import Update as UpdateName
from blackstart.providers.dns_wire import DnsTrouble, Server, ask_authority
from blackstart.providers.records import Update
from blackstart.providers.records_check import Expect
from blackstart.sandbox import dns_server
from blackstart.sandbox.layout import (
    ADDRESSES,
    ELSEWHERE,
    PRODUCTION,
    RECOVERY,
    Layout,
    cache_folder,
)
from blackstart.sandbox.packages import prepare
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import call_in_network
from blackstart.world.sites import Site, create_site, destroy_site, start_inside
from tests.provider_stage import MARKER, Stage

pytestmark = pytest.mark.platform

HERE, OLD, NEW = ADDRESSES[ELSEWHERE], ADDRESSES[PRODUCTION], ADDRESSES[RECOVERY]
ZONE, TSIG = dns_server.ZONE, SecretRef("secret:test/tsig")
RECORDS = (
    {"name": f"app.{ZONE}", "kind": "name", "old": OLD, "new": NEW},
    {"name": f"*.apps.{ZONE}", "kind": "wildcard", "new": NEW},
    {"name": f"mqtt.{ZONE}", "kind": "broker", "type": "CNAME", "new": f"app.{ZONE}"},
    {"name": ZONE, "kind": "mail", "type": "TXT", "new": f"v=spf1 ip4:{NEW} -all"},
)
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    site: Site
    stage: Stage

    def here(self, question: Callable[[], T]) -> T:
        return call_in_network(self.site, question)

    def values(self, name: str, kind: str) -> tuple[str, ...]:
        return self.here(lambda: ask_authority(Server(address=HERE), name, kind)).values


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    layout = Layout(tmp_path / "run")
    usr = prepare(cache_folder(), lambda _: None).usr
    for folder in (tmp_path, layout.root, layout.sites):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    site = create_site(
        layout.sites,
        ELSEWHERE,
        address=HERE,
        marker=MARKER,
        purpose="test",
        hub=None,
        usr=usr,
        nameserver=None,
        dies_with_us=True,
    )
    try:
        layout.elsewhere.mkdir(exist_ok=True)
        layout.elsewhere.chmod(0o711)
        start_inside(site, "knot", dns_server.write_dns(layout), user="svc")
        world = World(site, Stage(secrets={TSIG.name: dns_server.read_key(layout)}))
        assert wait_until(lambda: has_started(world), timeout_s=10)
        yield world
    finally:
        destroy_site(site)


def has_started(world: World) -> bool:
    try:
        return world.values(f"app.{ZONE}", "A") == (OLD,)
    except DnsTrouble:
        return False


def update(*records: dict[str, str]) -> Update:
    return Update(
        records=records, server=HERE, zone=ZONE, key_name=dns_server.KEY_NAME, key=TSIG, ttl_s=5
    )


def done_of(outcome: object) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    return outcome.summary


def test_the_records_move_are_seen_and_go_back(world: World) -> None:
    context, action = world.stage.context(), update(*RECORDS)
    check = Expect(records=RECORDS, server=HERE, zone=ZONE, within_s=0.5)
    failure_of(world.here(lambda: check.check(context)))
    done_of(world.here(lambda: action.perform(context)))
    done_of(world.here(lambda: action.inspect(context)))
    done_of(world.here(lambda: check.check(context)))
    assert world.values(f"anything.apps.{ZONE}", "A") == (NEW,)
    assert world.values(f"mqtt.{ZONE}", "CNAME") == (f"app.{ZONE}.",)
    assert world.values(ZONE, "TXT") == (f'"v=spf1 ip4:{NEW} -all"',)
    for _ in range(2):
        done_of(world.here(lambda: action.undo(context)))
        assert world.values(f"app.{ZONE}", "A") == (OLD,)
        assert world.values(f"anything.apps.{ZONE}", "A") == (OLD,)
        assert world.values(f"mqtt.{ZONE}", "CNAME") == ()
        assert world.values(ZONE, "TXT") == (f'"v=spf1 ip4:{OLD} -all"',)
        assert world.values(f"_blackstart-a.app.{ZONE}", "TXT") == ()
    assert isinstance(world.here(lambda: action.inspect(context)), NotDone)


def test_one_record_that_may_not_change_holds_all_back(world: World) -> None:
    mail = {"name": ZONE, "kind": "mail", "new": f"10 mail.{ZONE}"}  # MX is not allowed by its acl
    action = update(*RECORDS, mail)
    assert "(BADKEY)" in failure_of(world.here(lambda: action.perform(world.stage.context())))
    assert world.values(f"app.{ZONE}", "A") == (OLD,)
    stale = update({**RECORDS[0], "old": "10.70.0.99"}, *RECORDS[1:])
    said = failure_of(world.here(lambda: stale.perform(world.stage.context())))
    assert f"is {OLD}, and the plan says that it was 10.70.0.99" in said
    assert world.values(f"mqtt.{ZONE}", "CNAME") == ()


def test_a_single_name_goes_back_too(world: World) -> None:
    action = UpdateName(
        server=HERE,
        zone=ZONE,
        name=f"app.{ZONE}",
        type="A",
        value=(NEW, "10.70.0.21"),
        key_name=dns_server.KEY_NAME,
        key=TSIG,
    )
    context = world.stage.context()
    done_of(world.here(lambda: action.perform(context)))
    assert len(world.values(f"app.{ZONE}", "A")) == 2
    gone = replace(action, value=())
    later = world.stage.context(key="inc-1/run-1/step/other/1")
    done_of(world.here(lambda: gone.perform(later)))
    assert world.values(f"app.{ZONE}", "A") == ()
    done_of(world.here(lambda: gone.undo(later)))
    assert len(world.values(f"app.{ZONE}", "A")) == 2
