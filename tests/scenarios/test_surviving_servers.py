# SPDX-License-Identifier: Apache-2.0
"""The providers against the real servers that survive: knot, Prometheus, Alertmanager, rsyslog.

A web server stands for the platform in the new site: it logs its requests and shows metrics. Each
check is proven both ways, by breaking one link of its chain.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Outcome, Partial, Unknown
from blackstart.ports.secrets import SecretRef
from blackstart.providers import alertmanager, dns, logs, prometheus
from blackstart.providers.site_security import Firewall
from blackstart.sandbox import dns_server, metrics
from blackstart.sandbox.elsewhere import Elsewhere, start_elsewhere
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, RECOVERY, Layout, cache_folder
from blackstart.sandbox.log_server import logs_of
from blackstart.sandbox.on_site import make_folder, put_file
from blackstart.sandbox.packages import Prepared, prepare
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.namespaces import call_in_network, residents
from blackstart.world.sites import Site, create_site, destroy_site, inside, start_inside
from tests.killed import kill_runner, pids_of
from tests.provider_stage import KEY, MARKER, Stage

pytestmark = pytest.mark.platform

HERE, THERE = ADDRESSES[ELSEWHERE], ADDRESSES[RECOVERY]
PROMETHEUS = f"http://{HERE}:{metrics.PROMETHEUS_PORT}"
ALERTMANAGER = f"http://{HERE}:{metrics.ALERTMANAGER_PORT}"
CA_KEY, TSIG = SecretRef("secret:test/ca"), SecretRef("secret:test/tsig")
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    layout: Layout
    elsewhere: Elsewhere
    site: Site
    stage: Stage

    def here(self, question: Callable[[], T]) -> T:
        """Return the answer as Blackstart sees it, which runs elsewhere."""
        return call_in_network(self.elsewhere.site, question)

    @property
    def targets(self) -> str:
        return str(metrics.prometheus_folder(self.layout) / "targets")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    layout = Layout(tmp_path_factory.mktemp("run"))
    prepared = prepare(cache_folder(), lambda _: None)
    for folder in (layout.root, layout.sites):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    hub = site_of(layout, prepared, ELSEWHERE, None)
    try:
        elsewhere = start_elsewhere(layout, prepared, hub, lambda _: None)
        site = site_of(layout, prepared, RECOVERY, hub)
        start_platform(site)
        secrets = {
            CA_KEY.name: (layout.pki / "ca.key").read_text(),
            TSIG.name: dns_server.read_key(layout),
        }
        yield World(layout, elsewhere, site, Stage(secrets=secrets))
        destroy_site(site)
    finally:
        destroy_site(hub)


def site_of(layout: Layout, prepared: Prepared, name: str, hub: Site | None) -> Site:
    return create_site(
        layout.sites,
        name,
        address=ADDRESSES[name],
        marker=MARKER,
        purpose="test",
        hub=hub,
        usr=prepared.usr,
        nameserver=HERE,
        dies_with_us=True,
    )


def start_platform(site: Site) -> None:
    pages = make_folder(site.directory / "pages", "flowfuse", 0o755)
    (pages / "api" / "v1").mkdir(parents=True)
    put_file(pages / "metrics", "platform_requests 1\n", "flowfuse", 0o644)
    put_file(pages / "api" / "v1" / "settings", "{}", "flowfuse", 0o644)
    argv = [sys.executable, "-u", "-m", "http.server", "3000", "--directory", str(pages)]
    start_inside(site, "flowfuse", argv, user="flowfuse")

    def answers() -> bool:
        try:
            socket.create_connection(("127.0.0.1", 3000), timeout=1).close()
        except OSError:
            return False
        return True

    assert wait_until(lambda: call_in_network(site, answers), timeout_s=10)


def close_firewall(world: World, *trusted: str) -> None:
    firewall = Firewall(
        place=str(world.layout.sites), site=RECOVERY, open_ports=("443",), trusted={HERE: trusted}
    )
    assert isinstance(firewall.perform(world.stage.context()), Done)


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


def done_of(outcome: object) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def test_the_target_is_scraped_and_found_again_by_its_key(world: World) -> None:
    close_firewall(world, "3000", "9464-9465")
    scrape = prometheus.Scrape(
        targets=world.targets, job="flowfuse", address=f"{THERE}:3000", prometheus=PROMETHEUS
    )
    context = world.stage.context()
    assert isinstance(world.here(lambda: scrape.inspect(context)), NotDone)
    done_of(world.here(lambda: scrape.perform(context)))
    done_of(world.here(lambda: scrape.inspect(context)))
    later = world.stage.context(key=KEY + "2")
    assert isinstance(world.here(lambda: scrape.inspect(later)), NotDone)
    assert isinstance(scrape.inspect(context), Unknown)  # from where no Prometheus answers


def test_a_target_that_nobody_may_reach_is_a_failure(world: World) -> None:
    closed = prometheus.Scrape(
        targets=world.targets,
        job="closed",
        address=f"{THERE}:3001",
        prometheus=PROMETHEUS,
        within_s=12.0,
    )
    context = world.stage.context()
    said = failure_of(world.here(lambda: closed.perform(context)))
    assert "cannot scrape" in said
    assert isinstance(world.here(lambda: closed.inspect(context)), Partial)
    elsewhere = replace(
        closed, address=f"{THERE}:3002", targets=str(world.layout.root), within_s=1.0
    )
    assert "does not list" in failure_of(world.here(lambda: elsewhere.perform(context)))


def metric_canary(world: World, **changed: Any) -> prometheus.ExpectCanary:
    return replace(
        prometheus.ExpectCanary(
            place=str(world.layout.sites),
            site=RECOVERY,
            address=THERE,
            prometheus=PROMETHEUS,
            targets=world.targets,
        ),
        **changed,
    )


def alert_canary(world: World, **changed: Any) -> alertmanager.ExpectCanary:
    return replace(
        alertmanager.ExpectCanary(
            place=str(world.layout.sites),
            site=RECOVERY,
            address=THERE,
            prometheus=PROMETHEUS,
            targets=world.targets,
            alertmanager=ALERTMANAGER,
            receipts=str(world.layout.elsewhere / "alerts" / "alerts.jsonl"),
            each_within_s=4.0,
        ),
        **changed,
    )


def assert_nothing_is_left(world: World) -> None:
    assert list(Path(world.targets).glob("canary-*")) == []
    assert wait_until(
        lambda: (
            not any(one.uid == 61090 and "python" in one.command for one in residents(world.site))
        ),
        timeout_s=5,
    )


def test_a_fresh_metric_is_found_and_nothing_is_left(world: World) -> None:
    close_firewall(world, "3000", "9464-9465")
    done = done_of(world.here(lambda: metric_canary(world).check(world.stage.context())))
    assert done.outputs["nonce"]
    assert_nothing_is_left(world)


def test_a_metric_behind_the_firewall_is_a_failure_that_says_so(world: World) -> None:
    close_firewall(world, "3000")
    check = metric_canary(world, within_s=12.0)
    said = failure_of(world.here(lambda: check.check(world.stage.context())))
    assert "cannot scrape the canary" in said
    assert_nothing_is_left(world)
    taken = metric_canary(world, port=3000)
    assert "cannot be served" in failure_of(world.here(lambda: taken.check(world.stage.context())))


def test_a_fresh_alert_reaches_the_receiver_or_the_broken_link_is_named(world: World) -> None:
    close_firewall(world, "3000", "9464-9465")
    done_of(world.here(lambda: alert_canary(world).check(world.stage.context())))
    no_rule = alert_canary(world, alert="NoSuchRule")
    assert "does not fire" in failure_of(world.here(lambda: no_rule.check(world.stage.context())))
    metrics.route_alerts_to(world.layout, "nobody")
    reload_alertmanager(world)
    said = failure_of(world.here(lambda: alert_canary(world).check(world.stage.context())))
    assert "no receiver got it" in said
    metrics.route_alerts_to(world.layout, metrics.KEEPER)
    reload_alertmanager(world)
    assert_nothing_is_left(world)


LIGHTER = """
import sys, threading
from blackstart.providers.beacon import lit
from blackstart.providers.places import look_into
from tests.provider_stage import Stage
place, site, address, targets = sys.argv[1:]
with lit(look_into(place, site, Stage().context()), address=address, port=9464, targets=targets):
    threading.Event().wait()
"""


def test_a_canary_dies_with_its_runner_and_the_next_one_cleans_up(world: World) -> None:
    root, places = Path(__file__).parents[2], (str(world.layout.sites), RECOVERY, THERE)
    argv = [sys.executable, "-c", LIGHTER, *places, world.targets]
    with subprocess.Popen(argv, cwd=root) as lighter:
        left = Path(world.targets) / f"canary-{RECOVERY}-9464.json"
        assert wait_until(left.exists, timeout_s=20)
        lighter.send_signal(signal.SIGKILL)
        lighter.wait(timeout=10)
    assert left.exists()
    close_firewall(world, "3000", "9464-9465")
    done_of(world.here(lambda: metric_canary(world).check(world.stage.context())))
    assert_nothing_is_left(world)


def reload_alertmanager(world: World) -> None:
    pid = world.elsewhere.pids["alertmanager"]
    done = process.run(["kill", "-HUP", str(pid)], timeout_s=5)
    assert done.code == 0


def shipping(world: World, **changed: Any) -> logs.Ship:
    return replace(
        logs.Ship(
            place=str(world.layout.sites),
            site=RECOVERY,
            ca_certificate=str(world.layout.pki / "ca.pem"),
            ca_key=CA_KEY,
            server=HERE,
            name="recovery.flowfuse.test",
        ),
        **changed,
    )


def log_canary(world: World, **changed: Any) -> logs.ExpectCanary:
    return replace(
        logs.ExpectCanary(
            place=str(world.layout.sites),
            site=RECOVERY,
            logs=str(logs_of(world.layout)),
            within_s=5.0,
        ),
        **changed,
    )


def test_a_logged_line_reaches_the_central_logs_once_it_is_shipped(world: World) -> None:
    context, later = world.stage.context(), world.stage.context(key=KEY + "2")
    ship = shipping(world)
    assert isinstance(ship.inspect(context), NotDone)
    unshipped = log_canary(world, within_s=1.0).check(context)
    assert "is not in the central logs" in failure_of(unshipped)
    done = done_of(ship.perform(context))
    assert done.outputs["server_name"] == "log.elsewhere.test"
    done_of(ship.inspect(context))
    found = done_of(log_canary(world).check(context))
    assert str(found.outputs["file"]).endswith("/recovery.log")
    assert isinstance(ship.inspect(later), NotDone)
    done_of(ship.perform(later))
    done_of(log_canary(world).check(context))
    assert sum(one.command == "rsyslogd" for one in residents(world.site)) == 1
    kill_shipper(world)
    assert isinstance(ship.inspect(later), Partial)
    silent = log_canary(world, url="http://127.0.0.1:3000/api/v1/settings", log="none.log")
    assert "did not log" in failure_of(replace(silent, within_s=0.5).check(context))


def kill_shipper(world: World) -> None:
    for one in residents(world.site):
        if one.command == "rsyslogd":
            process.end(one.pid, process.started_ticks(one.pid) or 0, grace_s=0)


def test_a_shipper_outlives_its_runner_and_is_not_doubled(world: World) -> None:
    ship, running = shipping(world), partial(pids_of, world.site, "rsyslogd", "-n")
    kill_runner(ship, world.stage, KEY + "8", running)
    (left,) = running()
    done_of(ship.perform(world.stage.context(key=KEY + "9")))
    assert len({left, *running()}) == 2


def test_a_sender_or_a_server_with_a_wrong_name_is_found_out(world: World) -> None:
    context = world.stage.context(key=KEY + "3")
    wrong_server = shipping(world, server_name="log.somewhere.else")
    assert "certificate not accepted" in failure_of(wrong_server.perform(context))
    nobody = shipping(world, port=6515)
    assert "6515" in failure_of(nobody.perform(context))
    done_of(shipping(world, name="recovery.example.com").perform(context))
    refused = log_canary(world, within_s=2.0).check(context)
    assert "is not in the central logs" in failure_of(refused)
    strange = shipping(world).perform(world.stage.context(marker="another run"))
    assert "not that of this run" in failure_of(strange)


def moving(world: World, **changed: Any) -> dns.Update:
    return replace(
        dns.Update(
            server=HERE,
            zone=dns_server.ZONE,
            name="app.flowfuse.test",
            type="A",
            value=THERE,
            ttl_s=5,
            key_name=dns_server.KEY_NAME,
            key=TSIG,
        ),
        **changed,
    )


def test_knot_moves_the_name_and_refuses_as_expected(world: World) -> None:
    context, old = world.stage.context(), ADDRESSES["production"]
    done = done_of(world.here(lambda: moving(world).perform(context)))
    assert done.outputs["old"] == [old]
    found = done_of(world.here(lambda: moving(world).inspect(context)))
    assert found.outputs == done.outputs
    expect = dns.Expect(
        server=HERE, name="app.flowfuse.test", type="A", value=THERE, resolvers=(HERE,)
    )
    done_of(world.here(lambda: expect.check(context)))
    wrong = replace(expect, value=old, within_s=0.5)
    failure_of(world.here(lambda: wrong.check(context)))
    forbidden = moving(world, type="MX", value="10 mail.elsewhere.test.")
    assert "(BADKEY)" in failure_of(world.here(lambda: forbidden.perform(context)))
    secret = world.stage.secrets.pop(TSIG.name)
    world.stage.secrets[TSIG.name] = "d3Jvbmc="
    bad = failure_of(world.here(lambda: moving(world, value=old).perform(context)))
    assert "(BADSIG)" in bad
    world.stage.secrets[TSIG.name] = secret
    dns_server.write_config(world.layout, actions="[transfer]")
    dns_server.reload_dns(world.layout, world.elsewhere.site)
    said = failure_of(world.here(lambda: moving(world, value=old).perform(context)))
    assert "does not let this key" in said
    assert isinstance(moving(world).inspect(context), Unknown)  # from where nobody answers


def test_the_resolver_of_the_system_is_asked_from_a_vantage(world: World) -> None:
    code = (
        "from datetime import UTC, datetime, timedelta\n"
        "from tests.provider_stage import Stage\n"
        "from blackstart.providers.dns import Expect\n"
        "for value in ('10.70.0.20', '10.70.0.66'):\n"
        f"    check = Expect(server='{HERE}', name='app.flowfuse.test', type='A', value=value,"
        " within_s=0.5)\n"
        "    print(type(check.check(Stage().context())).__name__)\n"
    )
    root = Path(__file__).parents[2]
    argv = inside(world.site, [sys.executable, "-c", code], env={"PYTHONPATH": str(root)})
    done = process.run(argv, timeout_s=30)
    assert done.text.split() == ["Done", "Failed"], done.err
