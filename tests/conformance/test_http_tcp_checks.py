# SPDX-License-Identifier: Apache-2.0
"""The checks http.expect and tcp.only, each on a good and on a bad server, over loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from blackstart.ports.action import Check, Done, Failed, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.http import Expect
from blackstart.providers.tcp import Expect as ExpectPort
from blackstart.providers.tcp import Only, expand, shorten
from blackstart.sandbox.http_loop import Call, Loop, Reply, Silence
from blackstart.world.knock import Answer, knock
from tests.provider_stage import Stage

TOKEN = SecretRef("secret:test/token")


@contextmanager
def serving(answer: Callable[[Call], Reply | Silence]) -> Iterator[str]:
    loop = Loop("127.0.0.1", 0, answer)
    try:
        yield f"http://127.0.0.1:{loop.port}"
    finally:
        loop.stop()


@contextmanager
def listening(count: int) -> Iterator[list[int]]:
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        yield sorted(one.getsockname()[1] for one in sockets)


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


@pytest.fixture
def stage() -> Stage:
    return Stage(secrets={TOKEN.name: "t0ken\n"})


def page(call: Call) -> Reply:
    if call.headers.get("authorization") == "Bearer t0ken":
        return Reply(body=b"welcome back, Ada")
    return Reply(status=503, body=b"we are restoring")


def test_the_expected_status_and_text_pass(stage: Stage) -> None:
    with serving(page) as url:
        assert isinstance(Expect(url=url), Check)
        done = Expect(url=url, status=503, contains="restoring").check(stage.context())
        assert isinstance(done, Done), done
        assert done.outputs["status"] == 503
        known = Expect(url=url, bearer=TOKEN, contains="Ada").check(stage.context())
        assert isinstance(known, Done), known
    assert "t0ken" not in known.summary


def test_another_status_or_text_fails_with_what_came(stage: Stage) -> None:
    with serving(page) as url:
        said = failure_of(Expect(url=url).check(stage.context()))
        assert "answered 503, expected 200" in said
        assert stage.evidence["http-answer.txt"] == b"we are restoring"
        check = Expect(url=url, status=503, contains="all is well")
        assert "without the text" in failure_of(check.check(stage.context()))


def test_a_404_where_503_was_expected_names_the_danger(stage: Stage) -> None:
    with serving(lambda _: Reply(status=404)) as url:
        outcome = Expect(url=url, status=503).check(stage.context())
    assert isinstance(outcome, Failed)
    assert "devices clear their configuration" in outcome.hint


def test_silence_nobody_and_a_name_are_failures_not_errors(stage: Stage, tmp_path: Path) -> None:
    with serving(lambda _: Silence()) as url:
        failure_of(Expect(url=url, timeout_s=0.5).check(stage.context()))
    failure_of(Expect(url=url).check(stage.context()))
    missing = str(tmp_path / "none.pem")
    secured = url.replace("http:", "https:")
    failure_of(Expect(url=secured, ca_certificate=missing).check(stage.context()))


def test_only_allowed_ports_answer(stage: Stage) -> None:
    with listening(2) as (first, second):
        only = Only(address="127.0.0.1", tried=(first, second), allowed=(first, second))
        done = only.check(stage.context())
        assert isinstance(done, Done), done
        assert done.outputs == {"open": [first, second], "tried": 2}
        said = failure_of(replace(only, allowed=(str(first),)).check(stage.context()))
    assert f"port {second} of 127.0.0.1 can be reached and should not be" in said


def test_no_answer_at_all_proves_nothing(stage: Stage) -> None:
    with listening(1) as (port,):
        pass
    only = Only(address="127.0.0.1", tried=(port,), allowed=(port,))
    assert "allowed ones included" in failure_of(only.check(stage.context()))


@pytest.mark.parametrize("tried", [(), ("http",), ("0",), ("70000",), ("9-8",)])
def test_ports_that_are_none_are_refused(stage: Stage, tried: tuple[str, ...]) -> None:
    failure_of(Only(address="127.0.0.1", tried=tried, allowed=(443,)).check(stage.context()))


def test_an_address_that_is_none_is_a_failure(stage: Stage) -> None:
    only = Only(address="127.0.0.1.9", tried=(443,), allowed=(443,))
    assert "cannot be tried" in failure_of(only.check(stage.context()))


def test_one_port_is_open_or_it_is_not(stage: Stage) -> None:
    with listening(1) as (port,):
        good = ExpectPort(address="127.0.0.1", port=port)
        assert isinstance(good.check(stage.context()), Done)
        failure_of(replace(good, open=False).check(stage.context()))
    failure_of(good.check(stage.context()))
    closed = replace(good, open=False).check(stage.context())
    assert isinstance(closed, Done)
    assert closed.outputs == {"answer": "closed"}
    for port in (0, 70_000):
        assert "cannot be tried" in failure_of(replace(good, port=port).check(stage.context()))


def test_silence_proves_nothing_unless_the_plan_says_so(stage: Stage) -> None:
    """A server that takes nobody off its full queue is as silent as a firewall that drops."""
    with ExitStack() as opened:
        full = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = full.getsockname()[1]
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        check = ExpectPort(address="127.0.0.1", port=port, open=False, timeout_s=0.3)
        assert "host that is away" in failure_of(check.check(stage.context()))
        assert isinstance(replace(check, silence_counts=True).check(stage.context()), Done)
        assert "is silent" in failure_of(replace(check, open=True).check(stage.context()))


def test_knocking_tells_open_from_closed() -> None:
    with listening(1) as (port,), listening(1) as (other,):
        pass
    with listening(1) as (taken,):
        found = knock("127.0.0.1", [taken, port, other], timeout_s=1)
    assert found[taken] is Answer.OPEN
    assert {found[port], found[other]} == {Answer.CLOSED}


def test_ports_are_written_as_people_read_them() -> None:
    assert expand(("443", 80, "12080-12082")) == [443, 80, 12080, 12081, 12082]
    assert shorten([443]) == "port 443"
    assert shorten([80, 443, 444, 445]) == "ports 80, 443-445"
