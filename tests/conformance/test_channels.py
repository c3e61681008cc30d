# SPDX-License-Identifier: Apache-2.0
"""One suite for every channel: what it takes, refuses and loses, and what it can be asked about.

The law behind it: nothing is lost silently, and nothing is told twice by a channel that can be
asked. Each channel talks to a stand-in that speaks the real protocol, on loopback.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.ports.channel import (
    Accepted,
    Channel,
    Message,
    Missing,
    Rejected,
    Uncertain,
)
from blackstart.ports.secrets import SecretRef
from tests.conformance.channel_benches import BENCHES, SECRETS, Bench, MailBench, StatusBench

MESSAGE = Message(
    subject="FlowFuse is unavailable",
    body="Since 03:14 FlowFuse <cannot> be reached & we are on it.\n.\nNext update by 04:14.",
    kind="outage",
    incident="20261123-shop",
    tone="bad",
)
KEY = "20261123-shop/outage/users/1"
OTHER = "20261123-shop/outage/users/2"
ASKABLE = [name for name, bench in BENCHES.items() if bench is not MailBench]
LOSING = [name for name, bench in BENCHES.items() if bench is not StatusBench]


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = BENCHES[request.param](tmp_path)
    yield bench
    bench.close()


@pytest.fixture(params=ASKABLE)
def askable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = BENCHES[request.param](tmp_path)
    yield bench
    bench.close()


@pytest.fixture(params=LOSING)
def losing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    bench = BENCHES[request.param](tmp_path)
    yield bench
    bench.close()


def reveal(ref: SecretRef) -> str:
    return SECRETS[ref.name]


def test_it_is_a_channel(bench: Bench) -> None:
    assert isinstance(bench.channel, Channel)


def test_an_accepted_message_arrives_once_and_whole(bench: Bench) -> None:
    answer = bench.channel.send(MESSAGE, KEY, bench.address, reveal)
    assert isinstance(answer, Accepted), answer
    assert answer.receipt
    (arrived,) = bench.arrivals()
    assert MESSAGE.subject in arrived.text
    assert "Next update by 04:14." in arrived.text
    assert "<cannot>" in arrived.text.replace("&lt;", "<").replace("&gt;", ">")


def test_a_message_that_is_there_is_found_by_its_key(askable: Bench) -> None:
    sent = askable.channel.send(MESSAGE, KEY, askable.address, reveal)
    askable.channel.send(MESSAGE, OTHER, askable.address, reveal)
    assert askable.channel.lookup(KEY, askable.address, reveal) == sent


def test_a_message_that_was_never_sent_is_missing(askable: Bench) -> None:
    assert isinstance(askable.channel.lookup(KEY, askable.address, reveal), Missing)
    askable.channel.send(MESSAGE, OTHER, askable.address, reveal)
    assert isinstance(askable.channel.lookup(KEY, askable.address, reveal), Missing)


def test_only_a_channel_that_can_be_asked_claims_to(bench: Bench) -> None:
    bench.channel.send(MESSAGE, KEY, bench.address, reveal)
    answer = bench.channel.lookup(KEY, bench.address, reveal)
    assert isinstance(answer, Accepted if bench.channel.can_look_up else Uncertain)


def test_a_refusal_for_good_says_so_and_nothing_arrives(bench: Bench) -> None:
    bench.refuse()
    answer = bench.channel.send(MESSAGE, KEY, bench.address, reveal)
    assert isinstance(answer, Rejected)
    assert not answer.again
    assert answer.reason
    assert "@" not in answer.reason  # the record names people by id, never by address
    assert bench.arrivals() == []


def test_a_busy_channel_asks_to_come_back_and_then_takes_it_once(bench: Bench) -> None:
    bench.be_busy()
    answer = bench.channel.send(MESSAGE, KEY, bench.address, reveal)
    assert isinstance(answer, Rejected)
    assert answer.again
    assert answer.after_s > 0
    if isinstance(bench, StatusBench):
        bench.repair()
    assert isinstance(bench.channel.send(MESSAGE, KEY, bench.address, reveal), Accepted)
    assert len(bench.arrivals()) == 1


def test_nobody_there_is_a_rejection_to_be_repeated(bench: Bench) -> None:
    answer = bench.unreachable().send(MESSAGE, KEY, bench.address, reveal)
    assert isinstance(answer, Rejected)
    assert answer.again


@pytest.mark.parametrize("name", ["slack.post", "slack.direct"])
def test_asking_where_nobody_is_concludes_nothing(name: str, tmp_path: Path) -> None:
    bench = BENCHES[name](tmp_path)
    bench.close()
    assert isinstance(bench.channel.lookup(KEY, bench.address, reveal), Uncertain)


def test_a_lost_reply_is_uncertain_and_the_message_is_there(losing: Bench) -> None:
    losing.lose_reply()
    answer = losing.channel.send(MESSAGE, KEY, losing.address, reveal)
    assert isinstance(answer, Uncertain), answer
    assert len(losing.arrivals()) == 1
    found = losing.channel.lookup(KEY, losing.address, reveal)
    assert isinstance(found, Accepted if losing.channel.can_look_up else Uncertain)


@pytest.mark.parametrize("name", ["slack.post", "slack.direct"])
def test_a_lost_request_is_uncertain_and_found_missing_and_sent_once(
    name: str, tmp_path: Path
) -> None:
    bench = BENCHES[name](tmp_path)
    try:
        bench.channel.send(MESSAGE, OTHER, bench.address, reveal)
        bench.lose_request()
        assert isinstance(bench.channel.send(MESSAGE, KEY, bench.address, reveal), Uncertain)
        assert isinstance(bench.channel.lookup(KEY, bench.address, reveal), Missing)
        assert isinstance(bench.channel.send(MESSAGE, KEY, bench.address, reveal), Accepted)
        assert [one.identity for one in bench.arrivals()] == [OTHER, KEY]
    finally:
        bench.close()


def test_a_second_copy_carries_the_same_identity(bench: Bench) -> None:
    for _ in range(2):
        assert isinstance(bench.channel.send(MESSAGE, KEY, bench.address, reveal), Accepted)
    assert len({one.identity for one in bench.arrivals()}) == 1
    bench.channel.send(MESSAGE, OTHER, bench.address, reveal)
    assert len({one.identity for one in bench.arrivals()}) == 2
