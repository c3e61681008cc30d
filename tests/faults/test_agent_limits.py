# SPDX-License-Identifier: Apache-2.0
"""The real agent at the limits of its machine, beside a step that takes an hour, and beside another
agent while it is stopped itself."""

from __future__ import annotations

import contextlib
import resource
import signal
import sqlite3
from pathlib import Path

import pytest

from blackstart.model import events as ev
from blackstart.world.clock import wait_until
from tests.agent_bench import ANSWERS, Agent, Installation, is_stopped

NO_FILES = ("Too many open files", "cannot be opened")  # said by the machine, or by the record
NO_MEMORY = (
    "failed to map segment",
    "ran out of something",
    "MemoryError",
)  # the linker, we, Python
RETRIED = {**ANSWERS, "stopped": "retry"}


@pytest.fixture
def shop(tmp_path: Path) -> Installation:
    """Return an installation in which restore_data works until the file `go` is there."""
    shop = Installation(root=tmp_path)
    until_told = f"touch {tmp_path}/begun; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    slow = shop.effect("restore_data", before=until_told)
    shop = Installation(root=tmp_path, do={"restore_data": [slow]})
    shop.report()
    return shop


def seen(shop: Installation, agent: Agent) -> str:
    """Return what a person sees: what the agent says, and the question about a step that failed."""
    asked = [ask.opened for ask in shop.state().open_asks() if ask.opened.kind == "stopped"]
    return agent.said() + "".join(f"{one.text} {one.facts}" for one in asked)


def go_on(shop: Installation) -> None:
    (shop.root / "go").touch()


def test_without_another_open_file_it_says_so_and_goes_on_when_it_may(shop: Installation) -> None:
    with shop.agent() as agent:
        shop.reaches(lambda _: (shop.root / "begun").exists())
        used = len(list(Path(f"/proc/{agent.pid}/fd").iterdir()))
        before = agent.soften(resource.RLIMIT_NOFILE, used)
        go_on(shop)
        assert wait_until(
            lambda: any(sign in seen(shop, agent) for sign in NO_FILES), timeout_s=60
        ), seen(shop, agent)
        agent.soften(resource.RLIMIT_NOFILE, before)
        shop.recovers(says=RETRIED)
        assert agent.stop() == 0


def test_without_more_memory_it_says_so_and_goes_on_when_there_is(
    shop: Installation,
) -> None:
    with shop.agent() as agent:
        shop.reaches(lambda _: (shop.root / "begun").exists())
        before = agent.soften(resource.RLIMIT_AS, 1_000_000)
        go_on(shop)
        assert wait_until(
            lambda: any(sign in seen(shop, agent) for sign in NO_MEMORY), timeout_s=60
        ), seen(shop, agent)
        agent.soften(resource.RLIMIT_AS, before)
        shop.recovers(says=RETRIED)
        assert agent.stop() == 0


def test_a_step_that_is_slow_for_an_hour_is_waited_for(shop: Installation) -> None:
    with shop.agent() as agent:
        shop.reaches(lambda _: (shop.root / "begun").exists())
        shop.clock.write_text("3600")
        assert not wait_until(lambda: is_stopped(shop.state()), timeout_s=2)
        assert shop.done().get("restore_data") is None
        go_on(shop)
        shop.recovers()
        assert agent.stop() == 0


def put_to_sleep(shop: Installation, agent: Agent) -> bool:
    """Stop the agent; not in the middle of a write, where it would hold the record's lock."""
    agent.process.send_signal(signal.SIGSTOP)
    record = sqlite3.connect(shop.home / "journal.db", isolation_level=None, timeout=0.2)
    with contextlib.closing(record):
        try:
            record.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            agent.process.send_signal(signal.SIGCONT)
            return False
        record.execute("ROLLBACK")
    return True


def test_an_agent_that_slept_through_its_claim_writes_no_more_and_its_result_is_found(
    shop: Installation,
) -> None:
    with shop.agent() as sleeper:
        shop.reaches(lambda _: (shop.root / "begun").exists())
        assert wait_until(lambda: put_to_sleep(shop, sleeper), timeout_s=20)
        go_on(shop)
        assert wait_until(lambda: shop.done().get("restore_data") == 1, timeout_s=20)
        before = shop.state().seq
        with shop.agent() as heir:
            shop.reaches(
                lambda _: any(
                    isinstance(fact.event, ev.ActionInspected) for fact in shop.facts(before)
                ),
                timeout_s=90,
            )
            sleeper.process.send_signal(signal.SIGCONT)
            assert sleeper.says("took over") or sleeper.says("is driven by another program now")
            shop.recovers(says=RETRIED)
            assert heir.stop() == 0
    found = [
        fact.event
        for fact in shop.facts(before)
        if isinstance(fact.event, ev.ActionInspected) and fact.event.step == "restore_data"
    ]
    assert [one.finding for one in found][-1] == "done"
