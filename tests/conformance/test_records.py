# SPDX-License-Identifier: Apache-2.0
"""DNS and other necessary records: ours moved and taken back, the customers' told and tracked."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from blackstart.bootstrap import load_verbs
from blackstart.engine.offered import build
from blackstart.ports.action import Done, Failed, NotDone, Outcome, Partial, Undoable, Unknown
from blackstart.ports.secrets import SecretRef
from blackstart.providers.records import Update
from blackstart.providers.records_check import Expect
from blackstart.sandbox.http_loop import Call, Loop, Reply
from tests.conformance.authority import KEY_NAME, SECRET, Authority
from tests.provider_stage import KEY, Stage

AGAIN = KEY.replace("/1", "/2")
TSIG = SecretRef("secret:test/tsig")
OLD, NEW = "10.70.0.10", "10.70.0.20"
Record = dict[str, Any]
OURS: tuple[Record, ...] = (
    {"name": "app.flowfuse.test", "kind": "name", "old": OLD, "new": NEW},
    {"name": "*.apps.flowfuse.test", "kind": "wildcard", "old": OLD, "new": NEW},
    {"name": "mqtt.flowfuse.test", "kind": "broker", "new": (NEW, "10.70.0.21")},
    {"name": "flowfuse.test", "kind": "mail", "old": "10 old.test", "new": "10 mail.flowfuse.test"},
    {"name": "flowfuse.test", "kind": "mail", "type": "TXT", "new": f"v=spf1 ip4:{NEW} -all"},
    {"name": "app.other.test", "kind": "name", "zone": "other.test", "new": NEW},
)
ACME: Record = {
    "name": "iot.acme.test",
    "kind": "customer_cname",
    "old": "lb-1.flowfuse.test",
    "new": "lb-2.flowfuse.test",
    "customer": "Acme",
}
EGRESS: Record = {
    "name": "our egress address",
    "kind": "egress_address",
    "old": "192.0.2.1",
    "new": "192.0.2.2",
    "owner": "customer",
    "customer": "Globex",
}
UPTIME: Record = {
    "name": "the outside monitor",
    "kind": "monitoring_target",
    "new": NEW,
    "rollback": "watch the old address again",
}
ALL = (*OURS, ACME, EGRESS, UPTIME)


@pytest.fixture
def server() -> Iterator[Authority]:
    with Authority(
        f"app.flowfuse.test 5 A {OLD}",
        f"*.apps.flowfuse.test 5 A {OLD}",
        "flowfuse.test 60 MX 10 old.test.",
        f"app.other.test 5 A {OLD}",
    ) as server:
        yield server


@pytest.fixture
def stage() -> Stage:
    return Stage(secrets={TSIG.name: SECRET})


def update(server: Authority, *records: Record) -> Update:
    return Update(
        records=records,
        server="127.0.0.1",
        port=server.port,
        zone="flowfuse.test",
        key_name=KEY_NAME,
        key=TSIG,
        within_s=0.4,
    )


def expect(server: Authority, *records: Record, resolver: Authority | None = None) -> Expect:
    return Expect(
        records=records,
        server="127.0.0.1",
        port=server.port,
        zone="flowfuse.test",
        resolver=f"127.0.0.1#{(resolver or server).port}",
        within_s=0.3,
    )


def done_of(outcome: object) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def listed(done: Done, output: str) -> list[Any]:
    found = done.outputs[output]
    assert isinstance(found, list)
    return found


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


def test_ours_are_changed_and_the_rest_is_told(server: Authority, stage: Stage) -> None:
    action = update(server, *ALL)
    assert isinstance(action.inspect(stage.context()), NotDone)
    done = done_of(action.perform(stage.context()))
    assert server.values("app.flowfuse.test", "A") == [NEW]
    assert server.values("*.apps.flowfuse.test", "A") == [NEW]
    assert server.values("mqtt.flowfuse.test", "A") == [NEW, "10.70.0.21"]
    assert server.values("flowfuse.test", "MX") == ["10 mail.flowfuse.test."]
    assert server.values("flowfuse.test", "TXT") == [f'"v=spf1 ip4:{NEW} -all"']
    assert server.values("app.other.test", "A") == [NEW]
    assert len(listed(done, "changed")) == len(OURS)
    acme = (
        "Acme: change the CNAME record of iot.acme.test to lb-2.flowfuse.test "
        "instead of lb-1.flowfuse.test."
    )
    globex = (
        "Globex: allow 192.0.2.2 in your firewall instead of 192.0.2.1: "
        "our requests come from there now."
    )
    assert done.outputs["customer_actions"] == [acme, globex]
    assert done.outputs["by_customer"] == {"Acme": [acme], "Globex": [globex]}
    assert done.outputs["by_hand"] == [f"watch the outside monitor at {NEW}."]
    assert {"dns-way-back-flowfuse.test.txt", "dns-way-back-other.test.txt"} <= set(stage.evidence)
    assert done_of(action.inspect(stage.context())).outputs == done.outputs
    assert isinstance(action.inspect(stage.context(key=AGAIN)), NotDone)


def test_the_preview_changes_nothing(server: Authority, stage: Stage) -> None:
    said = update(server, *ALL).preview(stage.context())
    assert "6 of 9 records" in said
    assert f"app.flowfuse.test A from {OLD} to {NEW}" in said
    assert server.values("app.flowfuse.test", "A") == [OLD]
    assert "cannot be changed" in update(server, {"name": "x"}).preview(stage.context())


def test_all_goes_back_and_nothing_of_others(server: Authority, stage: Stage) -> None:
    before, action = dict(server.zone), update(server, *ALL)
    assert isinstance(action, Undoable)
    done_of(action.undo(stage.context()))
    assert server.zone == before
    for key in (KEY, AGAIN):
        done_of(action.perform(stage.context(key=key)))
    changed = dict(server.zone)
    done_of(action.undo(stage.context(marker="another run")))
    assert server.zone == changed
    done = done_of(action.undo(stage.context()))
    assert "watch the old address again" in done.summary
    assert server.zone == before
    assert isinstance(action.inspect(stage.context(key=AGAIN)), NotDone)
    done_of(action.undo(stage.context()))
    assert server.zone == before


def test_a_zone_changes_together_or_not_at_all(server: Authority, stage: Stage) -> None:
    before = dict(server.zone)
    server.before_update = lambda: server.put("flowfuse.test 60 MX 5 stranger.test.")
    said = failure_of(update(server, *OURS).perform(stage.context()))
    assert "flowfuse.test MX was 10 old.test., is 5 stranger.test." in said
    assert server.values("app.flowfuse.test", "A") == [OLD]
    assert {key for key in server.zone if key not in before} == set()


def test_a_death_between_two_zones_is_partial_and_ends_well(
    server: Authority, stage: Stage
) -> None:
    first = [one for one in OURS if "zone" not in one]
    done_of(update(server, *first).perform(stage.context()))
    whole = update(server, *OURS)
    assert isinstance(whole.inspect(stage.context()), Partial)
    done_of(whole.perform(stage.context(key=AGAIN)))
    done_of(whole.inspect(stage.context(key=AGAIN)))
    done_of(whole.undo(stage.context(key=AGAIN)))
    assert server.values("app.flowfuse.test", "A") == [OLD]
    assert server.values("app.other.test", "A") == [OLD]


def test_a_change_by_others_since_is_not_repeated(server: Authority, stage: Stage) -> None:
    action = update(server, *OURS)
    done_of(action.perform(stage.context()))
    server.put("mqtt.flowfuse.test 5 A 10.9.9.9")
    assert isinstance(action.inspect(stage.context()), Unknown)
    assert "since then by others" in failure_of(action.undo(stage.context()))


def test_without_a_server_nothing_is_concluded(stage: Stage) -> None:
    gone = Authority()
    gone.__enter__().__exit__(None, None, None)
    assert isinstance(update(gone, *OURS).inspect(stage.context()), Unknown)
    assert "did not answer" in failure_of(update(gone, *OURS).perform(stage.context()))
    assert "did not answer" in failure_of(expect(gone, *OURS).check(stage.context()))


def test_every_name_server_has_to_follow(server: Authority, stage: Stage) -> None:
    with Authority(f"app.flowfuse.test 5 A {OLD}", address="127.0.0.2", port=server.port) as two:
        action = replace(update(server, OURS[0]), authorities=(f"127.0.0.2#{server.port}",))
        said = failure_of(action.perform(stage.context()))
        assert f"127.0.0.2:{server.port} answers {OLD}" in said
        assert isinstance(action.inspect(stage.context()), Partial)
        two.put(f"app.flowfuse.test 5 A {NEW}")
        done_of(action.perform(stage.context(key=AGAIN)))


def test_without_records_of_ours_nothing_is_asked(stage: Stage) -> None:
    action = Update(records=(ACME, EGRESS, UPTIME))
    done = done_of(action.perform(stage.context()))
    assert done.outputs["changed"] == []
    assert isinstance(action.inspect(stage.context()), NotDone)
    done_of(action.undo(stage.context()))
    assert "no name server and key" in failure_of(
        Update(records=OURS[:1], zone="flowfuse.test").perform(stage.context())
    )


def test_a_mistake_in_the_last_zone_changes_nothing_in_the_first(
    server: Authority, stage: Stage
) -> None:
    before = dict(server.zone)
    wrong = {**OURS[-1], "new": "not an address"}
    assert "is no value" in failure_of(update(server, OURS[0], wrong).perform(stage.context()))
    assert server.zone == before


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"name": "a", "kind": "name"}, "it has no new value"),
        ({"kind": "name", "new": "1.2.3.4"}, "it has no name"),
        ({"name": "a", "kind": "nme", "new": "1.2.3.4"}, "'nme' is no kind"),
        ({"name": "a", "kind": "name", "new": "1", "owner": "they"}, "'they' is no owner"),
        ({"name": "a", "kind": "name", "new": "1", "vlaue": "2"}, "it has no 'vlaue'"),
        ({"name": "a", "kind": "name", "new": "1", "ttl_s": "soon"}, "'soon' is no number"),
        ({**ACME, "owner": "us"}, "a customer's CNAME is never ours"),
        ({"name": "a.b", "kind": "wildcard", "new": "1"}, "a wildcard begins with *."),
        ({**OURS[0], "name": "APP.flowfuse.test."}, "is in the list of records twice"),
        ({"name": "x.test", "kind": "name", "new": NEW}, "does not lie in the zone"),
        ({"name": "b.flowfuse.test", "kind": "name", "new": "x"}, "is no value for a record of"),
    ],
)
def test_what_the_list_has_wrong_is_said_and_nothing_changed(
    server: Authority, stage: Stage, record: Record, said: str
) -> None:
    before = dict(server.zone)
    assert said in failure_of(update(server, OURS[0], record).perform(stage.context()))
    assert server.zone == before


def test_an_empty_list_is_no_success(server: Authority, stage: Stage) -> None:
    assert "is empty" in failure_of(update(server).perform(stage.context()))
    assert "is empty" in failure_of(expect(server).check(stage.context()))


def test_a_list_that_may_be_empty_moves_nothing(server: Authority, stage: Stage) -> None:
    before = dict(server.zone)
    action = replace(update(server), may_be_empty=True)
    done = done_of(action.perform(stage.context()))
    assert (done.outputs["changed"], done.outputs["by_customer"]) == ([], {})
    assert server.zone == before
    assert isinstance(action.inspect(stage.context()), NotDone)
    done_of(action.undo(stage.context()))
    check = replace(expect(server), may_be_empty=True)
    assert done_of(check.check(stage.context())).outputs["verified"] == []


def test_ours_are_expected_at_every_server_and_not_cached_long(
    server: Authority, stage: Stage
) -> None:
    assert "records are not right" in failure_of(expect(server, *OURS).check(stage.context()))
    done_of(update(server, *OURS).perform(stage.context()))
    done = done_of(expect(server, *OURS).check(stage.context()))
    assert len(listed(done, "verified")) == len(OURS)
    server.put(f"app.flowfuse.test 86400 A {NEW}")
    said = failure_of(expect(server, *OURS).check(stage.context()))
    assert "1 of 6 records are not right. name app.flowfuse.test: it may be cached" in said


def test_which_customers_have_switched_is_tracked(server: Authority, stage: Stage) -> None:
    with Authority("iot.acme.test 60 CNAME lb-1.flowfuse.test.", is_authority=False) as cache:
        check = expect(server, ACME, EGRESS, resolver=cache)
        waits = done_of(check.check(stage.context()))
        assert waits.outputs["switched"] == []
        (seen,) = listed(waits, "waiting")
        assert str(seen).startswith("Acme, customer_cname iot.acme.test: it is lb-1.flowfuse.test.")
        assert waits.outputs["by_hand"] == ["egress_address our egress address"]
        required = replace(check, customers_required=True)
        assert "records of customers are not right" in failure_of(required.check(stage.context()))
        cache.put("iot.acme.test 60 CNAME lb-2.flowfuse.test.")
        done = done_of(required.check(stage.context()))
        assert done.outputs["switched"] == ["Acme"]
        assert "Only a person can see: Globex" in done.summary


def web(call: Call) -> Reply:
    return Reply(status=200 if call.path == "/sso" else 404, body=b"sign in to Acme")


def test_other_kinds_are_verified_by_a_url_or_a_command(server: Authority, stage: Stage) -> None:
    loop = Loop("127.0.0.1", 0, web)
    try:
        url = f"http://127.0.0.1:{loop.port}"
        sso = {"name": "Okta", "kind": "sso_url", "new": f"{url}/sso", "verification": f"{url}/sso"}
        hook = {"name": "Git", "kind": "webhook_url", "new": f"{url}/h", "verification": f"{url}/h"}
        done = done_of(expect(server, {**sso, "contains": "Acme"}).check(stage.context()))
        assert done.outputs["verified"] == ["sso_url Okta"]
        wrong = expect(server, sso, hook).check(stage.context())
        assert "webhook_url Git" in failure_of(wrong)
        assert "answers 404, expected 200" in failure_of(wrong)
        text = expect(server, {**sso, "contains": "Globex"}).check(stage.context())
        assert "without the text 'Globex'" in failure_of(text)
    finally:
        loop.stop()
    assert "webhook_url Git" in failure_of(expect(server, hook).check(stage.context()))
    run = {**UPTIME, "verification": (sys.executable, "-c", "import sys; sys.exit('not yet')")}
    assert "ended with 1: not yet" in failure_of(expect(server, run).check(stage.context()))
    fine = {**UPTIME, "verification": (sys.executable, "-c", "pass")}
    done_of(expect(server, fine).check(stage.context()))


def test_a_plan_can_give_the_list() -> None:
    given: list[Any] = [{**OURS[2], "new": [NEW, "10.70.0.21"], "ttl_s": 30}]
    made = build(load_verbs(), "records.update", {"records": given, "key": TSIG.name})
    assert made.records == ({**OURS[2], "ttl_s": 30},)
    assert made.key == TSIG
