# SPDX-License-Identifier: Apache-2.0
"""Moving a name: compare-and-swap, a mark that inspect can trust, every refusal told apart.

Runs against a small server that speaks the real protocols; `test_dns_knot.py` does it with knot.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Outcome, Unknown
from blackstart.ports.secrets import SecretRef
from blackstart.providers.dns import Expect, Update
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


def move(server: Authority, **changed: Any) -> Update:
    return replace(
        Update(
            server="127.0.0.1",
            port=server.port,
            zone="flowfuse.test",
            name=NAME,
            type="A",
            value=NEW,
            ttl_s=5,
            key_name=KEY_NAME,
            key=TSIG,
        ),
        **changed,
    )


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


def test_the_record_moves_and_the_way_back_is_kept(server: Authority, stage: Stage) -> None:
    done = move(server).perform(stage.context())
    assert isinstance(done, Done), done
    assert server.values(NAME, "A") == [NEW]
    assert done.outputs == {"old": [OLD], "old_ttl_s": 5, "new": NEW}
    script = stage.evidence["dns-way-back-flowfuse.test.txt"].decode()
    assert f"prereq yxrrset {NAME}. A {NEW}" in script
    assert f"update add {NAME}. 5 A {OLD}" in script


def test_the_way_back_is_kept_before_anything_changes(server: Authority, stage: Stage) -> None:
    stage.secrets[TSIG.name] = "d3Jvbmc="
    failure_of(move(server).perform(stage.context()))
    assert server.values(NAME, "A") == [OLD]
    assert (
        f"update add {NAME}. 5 A {OLD}" in stage.evidence["dns-way-back-flowfuse.test.txt"].decode()
    )


def test_a_long_old_value_is_kept_whole(stage: Stage) -> None:
    long = " ".join(f'"{letter * 200}"' for letter in "abc")
    with Authority(f"{NAME} 5 TXT {long}") as server:
        action = move(server, type="TXT", value='"short"')
        done = action.perform(stage.context())
        assert isinstance(done, Done), done
        found = action.inspect(stage.context())
    assert isinstance(found, Done)
    assert done.outputs["old"] == found.outputs["old"] == [long]
    assert long in stage.evidence["dns-way-back-flowfuse.test.txt"].decode()


def test_the_preview_changes_nothing(server: Authority, stage: Stage) -> None:
    assert f"from {OLD} to {NEW}" in move(server).preview(stage.context())
    assert server.values(NAME, "A") == [OLD]


def test_inspect_knows_its_own_key_and_no_other(server: Authority, stage: Stage) -> None:
    assert isinstance(move(server).inspect(stage.context()), NotDone)
    done = move(server).perform(stage.context())
    found = move(server).inspect(stage.context())
    assert isinstance(done, Done)
    assert isinstance(found, Done)
    assert found.outputs == done.outputs
    assert isinstance(move(server).inspect(stage.context(key=KEY + "2")), NotDone)


def test_a_change_by_others_afterwards_is_not_repeated_blindly(
    server: Authority, stage: Stage
) -> None:
    move(server).perform(stage.context())
    server.put(f"{NAME} 5 A 10.70.0.99")
    assert isinstance(move(server).inspect(stage.context()), Unknown)


def test_a_record_that_was_not_there_is_made(server: Authority, stage: Stage) -> None:
    done = move(server, name="new.flowfuse.test").perform(stage.context())
    assert isinstance(done, Done), done
    assert done.outputs["old"] == []
    assert server.values("new.flowfuse.test", "A") == [NEW]


def test_a_second_attempt_keeps_the_first_old_value(server: Authority, stage: Stage) -> None:
    move(server).perform(stage.context())
    done = move(server).perform(stage.context(key=KEY + "2"))
    assert isinstance(done, Done)
    assert done.outputs["old"] == [OLD]


def test_several_old_values_are_all_compared_and_kept(server: Authority, stage: Stage) -> None:
    server.put(f"{NAME} 60 A {OLD}", "10.70.0.11")
    done = move(server).perform(stage.context())
    assert isinstance(done, Done), done
    assert done.outputs["old"] == [OLD, "10.70.0.11"]


def test_who_changed_it_meanwhile_wins(server: Authority, stage: Stage) -> None:
    server.before_update = lambda: server.put(f"{NAME} 5 A 10.70.0.77")
    said = failure_of(move(server).perform(stage.context()))
    assert "no longer what it was" in said
    assert "NXRRSET" in said
    assert server.values(NAME, "A") == ["10.70.0.77"]


def test_a_wrong_secret_is_told_from_a_missing_right(server: Authority, stage: Stage) -> None:
    stage.secrets[TSIG.name] = "d3Jvbmc="
    assert "another secret (BADSIG)" in failure_of(move(server).perform(stage.context()))
    stage.secrets[TSIG.name] = SECRET
    unknown = move(server, key_name="other-key").perform(stage.context())
    assert "does not let this key make this change" in failure_of(unknown)
    server.mood = "type not allowed"
    assert "(BADKEY)" in failure_of(move(server).perform(stage.context()))
    server.mood = "refused"
    assert "refuses updates" in failure_of(move(server).perform(stage.context()))
    assert server.values(NAME, "A") == [OLD]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"zone": "example.com"}, "does not lie in the zone"),
        ({"value": "not an address"}, "is no value for a record of type A"),
    ],
)
def test_what_the_plan_has_wrong_is_said(
    server: Authority, stage: Stage, changed: dict[str, str], said: str
) -> None:
    assert said in failure_of(move(server, **changed).perform(stage.context()))


def test_a_secret_that_is_no_base64_is_said(server: Authority, stage: Stage) -> None:
    stage.secrets[TSIG.name] = "!"
    assert "is not usable" in failure_of(move(server).perform(stage.context()))


def test_a_lost_answer_is_settled_by_the_world(server: Authority, stage: Stage) -> None:
    server.mood = "dies after"
    done = move(server).perform(stage.context())
    assert isinstance(done, Done), done
    assert server.values(NAME, "A") == [NEW]


def test_an_update_that_is_ignored_silently_is_no_success(server: Authority, stage: Stage) -> None:
    server.mood = "ignores"
    assert f"is {OLD}" in failure_of(move(server).perform(stage.context()))


def test_an_answer_without_signature_is_not_believed(server: Authority, stage: Stage) -> None:
    server.mood = "unsigned"
    server.before_update = server.zone.clear
    failure_of(move(server).perform(stage.context()))


def test_without_a_server_nothing_is_concluded(server: Authority, stage: Stage) -> None:
    gone = Authority()
    gone.__enter__().__exit__(None, None, None)
    assert "did not answer" in failure_of(move(gone).perform(stage.context()))
    assert isinstance(move(gone).inspect(stage.context()), Unknown)
    server.is_authority = False
    assert "without authority" in failure_of(move(server).perform(stage.context()))


def expected(server: Authority, *resolvers: Authority, **changed: Any) -> Expect:
    return replace(
        Expect(
            server="127.0.0.1",
            port=server.port,
            name=NAME,
            type="A",
            value=OLD,
            resolvers=tuple(f"127.0.0.1#{one.port}" for one in resolvers),
            within_s=0.3,
        ),
        **changed,
    )


def test_authority_and_resolver_have_to_agree(server: Authority, stage: Stage) -> None:
    with Authority(f"{NAME} 4 A {OLD}", is_authority=False) as cache:
        done = expected(server, cache).check(stage.context())
        assert isinstance(done, Done), done
        assert done.outputs == {"value": OLD, "ttl_s": 5}
        cache.put(f"{NAME} 4 A {NEW}")
        said = failure_of(expected(server, cache).check(stage.context()))
        assert f"answers {NEW}" in said


def test_a_resolver_may_take_its_time(server: Authority, stage: Stage) -> None:
    with Authority(f"{NAME} 4 A {NEW}", is_authority=False) as cache:
        asked = itertools.count(1)

        def expire() -> None:
            if next(asked) == 3:
                cache.put(f"{NAME} 4 A {OLD}")

        cache.before_answer = expire
        done = expected(server, cache, within_s=10.0).check(stage.context())
        assert isinstance(done, Done), done
        assert next(asked) >= 4


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (f"{NAME} 5 A {NEW}", f"answers {NEW}"),
        (f"{NAME} 3600 A {OLD}", "may be cached for 3600 s"),
        (f"other.flowfuse.test 5 A {OLD}", "answers nothing"),
    ],
)
def test_a_wrong_record_at_the_authority_is_found(stage: Stage, record: str, said: str) -> None:
    with Authority(record) as server:
        assert said in failure_of(expected(server, server).check(stage.context()))


def test_a_dead_resolver_is_found(server: Authority, stage: Stage) -> None:
    gone = Authority()
    gone.__enter__().__exit__(None, None, None)
    assert "gives no answer" in failure_of(expected(server, gone).check(stage.context()))
