# SPDX-License-Identifier: Apache-2.0
"""Record sets moved and taken back; every name server of a zone asked. Real protocols, loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Outcome, Undoable
from blackstart.ports.secrets import SecretRef
from blackstart.providers.dns import Expect, Update
from blackstart.providers.dns_wire import record_of
from tests.conformance.authority import KEY_NAME, SECRET, Authority
from tests.provider_stage import KEY, Stage

NAME, OLD, NEW = "app.flowfuse.test", "10.70.0.10", "10.70.0.20"
TSIG = SecretRef("secret:test/tsig")


@pytest.fixture
def server() -> Iterator[Authority]:
    with Authority(f"{NAME} 5 A {OLD}") as server:
        yield server


@pytest.fixture
def stage() -> Stage:
    return Stage(secrets={TSIG.name: SECRET})


def update(server: Authority, **changed: Any) -> Update:
    given: dict[str, Any] = {"name": NAME, "type": "A", "value": NEW, **changed}
    where: dict[str, Any] = {"server": "127.0.0.1", "port": server.port, "zone": "flowfuse.test"}
    return Update(**where, **given, ttl_s=30, key_name=KEY_NAME, key=TSIG)


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


@pytest.mark.parametrize(
    ("changed", "there"),
    [
        ({"value": ("10.70.0.21", "10.70.0.20")}, ["10.70.0.20", "10.70.0.21"]),
        ({"value": ()}, []),
        ({"type": "MX", "value": "10 mail.example.com"}, ["10 mail.example.com."]),
        ({"type": "TXT", "value": "v=spf1 ip4:10.70.0.20 -all"}, ['"v=spf1 ip4:10.70.0.20 -all"']),
        ({"type": "TXT", "value": "k" * 600}, None),
        ({"name": "*.apps.flowfuse.test"}, [NEW]),
    ],
)
def test_any_record_set_moves_and_goes_back(
    server: Authority, stage: Stage, changed: dict[str, object], there: list[str] | None
) -> None:
    action = update(server, **changed)
    zone_before = dict(server.zone)
    done = action.perform(stage.context())
    assert isinstance(done, Done), done
    found = action.inspect(stage.context())
    assert isinstance(found, Done)
    assert found.outputs == done.outputs
    if there is not None:
        assert server.values(action.name, action.type) == there
    assert isinstance(action, Undoable)
    assert isinstance(action.undo(stage.context(key=KEY + "9")), Done)
    assert server.zone == zone_before
    assert isinstance(action.inspect(stage.context()), NotDone)


def test_a_long_value_goes_back_whole(server: Authority, stage: Stage) -> None:
    server.put('k.flowfuse.test 60 TXT "' + "a" * 250 + '" "' + "b" * 250 + '"')
    before = server.values("k.flowfuse.test", "TXT")
    action = update(server, name="k.flowfuse.test", type="TXT", value="short")
    assert isinstance(action.perform(stage.context()), Done)
    assert server.values("k.flowfuse.test", "TXT") == ['"short"']
    assert isinstance(action.undo(stage.context()), Done)
    assert server.values("k.flowfuse.test", "TXT") == before


def test_what_was_not_changed_by_this_run_is_left_alone(server: Authority, stage: Stage) -> None:
    action = update(server)
    untouched = dict(server.zone)
    assert isinstance(action.undo(stage.context()), Done)
    assert server.zone == untouched
    assert isinstance(action.perform(stage.context()), Done)
    changed = dict(server.zone)
    assert isinstance(action.undo(stage.context(marker="another run")), Done)
    assert server.zone == changed


def test_what_others_changed_since_is_not_taken_back(server: Authority, stage: Stage) -> None:
    assert isinstance(update(server).perform(stage.context()), Done)
    server.put(f"{NAME} 5 A 10.70.0.99")
    assert "since then by others" in failure_of(update(server).undo(stage.context()))
    assert server.values(NAME, "A") == ["10.70.0.99"]


def test_who_changes_it_during_the_undo_wins(server: Authority, stage: Stage) -> None:
    assert isinstance(update(server).perform(stage.context()), Done)
    server.before_update = lambda: server.put(f"{NAME} 5 A 10.70.0.77")
    said = failure_of(update(server).undo(stage.context()))
    assert f"{NAME} A was {NEW}, is 10.70.0.77" in said
    assert server.values(NAME, "A") == ["10.70.0.77"]


def test_two_attempts_go_back_to_what_was_before_the_run(server: Authority, stage: Stage) -> None:
    for attempt in ("1", "2"):
        assert isinstance(update(server).perform(stage.context(key=KEY + attempt)), Done)
    assert isinstance(update(server).undo(stage.context()), Done)
    assert server.values(NAME, "A") == [OLD]
    assert isinstance(update(server).undo(stage.context()), Done)
    assert server.values(NAME, "A") == [OLD]


def test_an_old_value_that_is_not_there_stops_the_change(server: Authority, stage: Stage) -> None:
    said = failure_of(update(server, old="10.70.0.55").perform(stage.context()))
    assert f"is {OLD}, and the plan says that it was 10.70.0.55" in said
    assert server.values(NAME, "A") == [OLD]
    assert isinstance(update(server, old=OLD).perform(stage.context()), Done)
    wanted_already = update(server, old="10.70.0.55").perform(stage.context(marker="run-2"))
    assert isinstance(wanted_already, Done)


@pytest.mark.parametrize("name", ["app..flowfuse.test", "x" * 64 + ".flowfuse.test"])
def test_a_name_that_is_none_is_said(server: Authority, stage: Stage, name: str) -> None:
    assert "cannot be a name" in failure_of(update(server, name=name).perform(stage.context()))


def test_a_name_is_whole_without_its_last_dot() -> None:
    assert record_of("CNAME", "lb.example.com").to_text() == "lb.example.com."
    assert record_of("TXT", 'say "so"').to_text() == '"say \\"so\\""'


ZONE = (
    "flowfuse.test 60 NS ns1.flowfuse.test.",
    "ns1.flowfuse.test 60 A 127.0.0.1",
    "ns2.flowfuse.test 60 A 127.0.0.2",
)


@pytest.fixture
def pair() -> Iterator[tuple[Authority, Authority]]:
    with Authority(f"{NAME} 5 A {OLD}", *ZONE[1:]) as one:
        one.put(ZONE[0], "ns2.flowfuse.test.")
        with Authority(f"{NAME} 5 A {OLD}", address="127.0.0.2", port=one.port) as two:
            yield one, two


def expect(server: Authority) -> Expect:
    return Expect(
        server="127.0.0.1",
        port=server.port,
        name=NAME,
        type="A",
        value=OLD,
        resolvers=(),
        within_s=0.4,
    )


def test_every_name_server_of_the_zone_is_asked(
    pair: tuple[Authority, Authority], stage: Stage
) -> None:
    one, two = pair
    done = expect(one).check(stage.context())
    assert isinstance(done, Done), done
    assert done.summary.startswith("2 servers say")
    two.put(f"{NAME} 5 A {NEW}")
    said = failure_of(expect(one).check(stage.context()))
    assert f"127.0.0.2:{one.port} answers {NEW}" in said
    tolerant = replace(expect(one), may_be_silent=True)
    assert "answers" in failure_of(tolerant.check(stage.context()))
    only_one = replace(expect(one), authorities=(f"127.0.0.1#{one.port}",))
    assert isinstance(only_one.check(stage.context()), Done)
    named = replace(expect(one), authorities=(f"127.0.0.2#{one.port}",))
    assert f"answers {NEW}" in failure_of(named.check(stage.context()))
    wrong = replace(expect(one), authorities=("127.0.0.2#dns",))
    assert "names no name server" in failure_of(wrong.check(stage.context()))


def test_a_silent_secondary_is_passed_over_only_when_the_plan_says_so(stage: Stage) -> None:
    with Authority(f"{NAME} 5 A {OLD}", *ZONE[1:]) as one:
        one.put(ZONE[0], "ns2.flowfuse.test.")
        assert "did not answer" in failure_of(expect(one).check(stage.context()))
        done = replace(expect(one), may_be_silent=True).check(stage.context())
        assert isinstance(done, Done), done
        assert "no answer from 127.0.0.2" in done.summary
        assert "not all of its name servers answer" in done.degraded
