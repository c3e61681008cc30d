# SPDX-License-Identifier: Apache-2.0
"""sql.execute while a real PostgreSQL refuses, restarts and fills up: all or nothing, once."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Outcome
from blackstart.ports.secrets import SecretRef
from blackstart.providers.sql import Execute
from blackstart.world.clock import wait_until
from tests.postgres_bench import PASSWORD, PROGRAMS, USER_ID, Server, running_postgres
from tests.provider_stage import KEY, Stage

pytestmark = pytest.mark.platform

SECRET = SecretRef("secret:test/owner")
AGAIN = KEY.replace("/1", "/2")


@pytest.fixture
def server() -> Iterator[Server]:
    with TemporaryDirectory() as folder, running_postgres(Path(folder)) as server:
        server.sql("CREATE TABLE t (n int, text text); ALTER TABLE t OWNER TO owner")
        yield server


def execute(server: Server, text: str) -> Execute:
    return Execute(
        text=text,
        host="127.0.0.1",
        port=server.port,
        database="app",
        user="owner",
        password=SECRET,
    )


def failure_of(outcome: Outcome) -> Failed:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    assert PASSWORD not in outcome.summary + outcome.hint
    return outcome


def stage() -> Stage:
    return Stage(secrets={SECRET.name: PASSWORD})


def limit_files(server: Server, size: str) -> None:
    """Let no file of the server grow beyond that, as on a full disk; for new sessions."""
    pid = (server.folder / "pg" / "postmaster.pid").read_text().split()[0]
    as_user = ["setpriv", f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups", "--"]
    subprocess.run([*as_user, "prlimit", "--pid", pid, f"--fsize={size}:"], check=True)


def test_it_refuses_and_does_the_work_once_when_it_lets_us_in(server: Server) -> None:
    action = execute(server, "INSERT INTO t VALUES (1)")
    server.sql("ALTER ROLE owner NOLOGIN")
    refused = failure_of(action.perform(stage().context()))
    assert "is not permitted to log in" in refused.summary
    assert "look for the key in blackstart_marker" in refused.hint
    assert server.sql("SELECT count(*) FROM t") == "0"
    server.sql("ALTER ROLE owner LOGIN")
    assert isinstance(action.perform(stage().context(key=AGAIN)), Done)
    assert server.sql("SELECT count(*) FROM t") == "1"


def test_it_restarts_in_the_middle_and_nothing_is_left_or_doubled(server: Server) -> None:
    action = execute(server, "INSERT INTO t VALUES (1); SELECT pg_sleep(20); SELECT 1")
    ended: list[Outcome] = []
    asking = threading.Thread(target=lambda: ended.append(action.perform(stage().context())))
    asking.start()
    running = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    assert wait_until(lambda: server.sql(running) != "0", timeout_s=20)
    for line in server.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'owner'").split():
        os.kill(int(line), signal.SIGKILL)  # the server takes that for a crash and starts anew
    asking.join(60)
    lost = failure_of(ended[0])
    assert "server closed the connection unexpectedly" in lost.summary
    ready = [str(PROGRAMS / "pg_isready"), "-q", "-h", str(server.folder), "-p", str(server.port)]
    assert wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, timeout_s=30), (
        "it did not come back"
    )
    assert isinstance(action.inspect(stage().context()), NotDone)
    assert server.sql("SELECT count(*) FROM t") == "0"
    quick = execute(server, "INSERT INTO t VALUES (1)")
    assert isinstance(quick.perform(stage().context(key=AGAIN)), Done)
    assert server.sql("SELECT count(*) FROM t") == "1"


def test_it_fills_up_and_takes_all_or_nothing_when_there_is_room(server: Server) -> None:
    text = "INSERT INTO t SELECT n, md5(n::text) FROM generate_series(1, 400000) n"
    action = execute(server, text)
    limit_files(server, "16777216")
    full = failure_of(action.perform(stage().context()))
    assert "could not extend file" in full.summary or "could not write" in full.summary
    assert "nothing was changed" in full.hint
    assert server.sql("SELECT count(*) FROM t") == "0"
    limit_files(server, "unlimited")
    assert isinstance(action.perform(stage().context(key=AGAIN)), Done)
    assert server.sql("SELECT count(*) FROM t") == "400000"
