# SPDX-License-Identifier: Apache-2.0
"""sql.execute and sql.expect against a real PostgreSQL: all or nothing, once, never in doubt."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from blackstart.ports.action import (
    Action,
    Check,
    Done,
    Failed,
    NotDone,
    Outcome,
    Running,
    Undoable,
    Unknown,
)
from blackstart.ports.secrets import SecretRef
from blackstart.providers.sql import Execute, Expect
from blackstart.world.clock import wait_until
from tests.postgres_bench import PASSWORD, Server, running_postgres
from tests.provider_stage import KEY, Stage

pytestmark = pytest.mark.platform

AGAIN = KEY.replace("/1", "/2")
OTHER_ACTION = KEY.replace("/act/", "/other/")
SECRET, NEW = SecretRef("secret:test/owner"), SecretRef("secret:test/new")
NEW_PASSWORD = "brand'new\\word"
RUNNER = """
import sys
from tests.provider_stage import Stage
from tests.scenarios.test_sql import NEW, NEW_PASSWORD, SECRET, hanging
from tests.postgres_bench import PASSWORD
stage = Stage(secrets={SECRET.name: PASSWORD, NEW.name: NEW_PASSWORD})
hanging(int(sys.argv[1])).perform(stage.context())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with TemporaryDirectory() as folder, running_postgres(Path(folder)) as server:
        yield server


@pytest.fixture
def stage(server: Server) -> Stage:
    server.sql("DROP TABLE IF EXISTS t, blackstart_marker, rollback_here; CREATE TABLE t (n int);")
    server.sql("ALTER TABLE t OWNER TO owner")
    return Stage(secrets={SECRET.name: PASSWORD, NEW.name: NEW_PASSWORD})


def execute(server: Server, text: str, **changed: Any) -> Execute:
    whole = Execute(
        text=text,
        host="127.0.0.1",
        port=server.port,
        database="app",
        user="owner",
        password=SECRET,
    )
    return replace(whole, **changed)


def expect(server: Server, query: str, **changed: Any) -> Expect:
    return replace(
        Expect(
            query=query,
            host="127.0.0.1",
            port=server.port,
            database="app",
            user="owner",
            password=SECRET,
        ),
        **changed,
    )


def hanging(port: int) -> Execute:
    return execute(Server(Path("/nowhere"), port), "INSERT INTO t VALUES (1); SELECT pg_sleep(600)")


def done_of(outcome: object) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


def test_statements_run_once_and_their_key_is_found(server: Server, stage: Stage) -> None:
    action = execute(server, "INSERT INTO t VALUES (1), (2); SELECT n, n::text AS word FROM t;")
    assert isinstance(action, Action)
    assert isinstance(action.inspect(stage.context()), NotDone)
    assert "2 statements would run" in action.preview(stage.context())
    assert server.sql("SELECT count(*) FROM t") == "0"
    done = done_of(action.perform(stage.context()))
    assert done.outputs["rows"] == [{"n": 1, "word": "1"}, {"n": 2, "word": "2"}]
    assert done.outputs["value"] == 1
    found = done_of(action.inspect(stage.context()))
    assert found.outputs == done.outputs
    assert isinstance(action.inspect(stage.context(key=AGAIN)), NotDone)
    again = done_of(action.perform(stage.context(key=AGAIN)))
    assert again.outputs == done.outputs
    assert server.sql("SELECT count(*) FROM t") == "2"
    assert isinstance(action.inspect(stage.context()), NotDone)
    done_of(action.perform(stage.context(key=OTHER_ACTION)))
    assert server.sql("SELECT count(*) FROM t") == "4"


def test_all_or_nothing(server: Server, stage: Stage) -> None:
    action = execute(server, "INSERT INTO t VALUES (1); INSERT INTO nowhere VALUES (2)")
    assert 'relation "nowhere" does not exist' in failure_of(action.perform(stage.context()))
    assert server.sql("SELECT count(*) FROM t") == "0"
    assert isinstance(action.inspect(stage.context()), NotDone)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("INSERT INTO t VALUES (1); COMMIT; SELECT 1/0", "transaction commands"),
        ("INSERT INTO t VALUES (1); ROLLBACK", "transaction commands"),
        ("\\! touch /tmp/no", "syntax error"),
        ("INSERT INTO t VALUES (1); COPY t FROM STDIN", "COPY"),
        ("INSERT INTO t VALUES (1); VACUUM t", "VACUUM"),
        ("SELECT :'unknown'", "the value 'unknown', which was not given"),
        ("  -- nothing but a comment", "there is no statement"),
        ("", "there are no statements"),
    ],
)
def test_what_would_break_the_transaction_is_refused(
    server: Server, stage: Stage, text: str, said: str
) -> None:
    assert said in failure_of(execute(server, text).perform(stage.context()))
    assert server.sql("SELECT count(*) FROM t") == "0"


def test_an_expected_answer_decides(server: Server, stage: Stage) -> None:
    text = "INSERT INTO t VALUES (1); SELECT count(*) FROM t"
    said = failure_of(execute(server, text, expected=2).perform(stage.context()))
    assert "the answer is 1, expected 2" in said
    assert server.sql("SELECT count(*) FROM t") == "0"
    assert done_of(execute(server, text, expected=1).perform(stage.context())).outputs["value"] == 1
    none = execute(server, "SELECT n FROM t WHERE n > 5", expected=1)
    assert "the answer is nothing" in failure_of(none.perform(stage.context(key=OTHER_ACTION)))
    mute = execute(server, "DELETE FROM t", expected=1).perform(stage.context())
    assert "last statement gives none" in failure_of(mute)


def test_every_kind_of_last_statement_is_understood(server: Server, stage: Stage) -> None:
    for number, (text, value) in enumerate(
        [
            ("INSERT INTO t VALUES (7) RETURNING n", 7),
            ("WITH x AS (DELETE FROM t RETURNING n) SELECT sum(n) FROM x", 7),
            ("SHOW server_version_num", None),
            ("CREATE TABLE rollback_here (a int); INSERT INTO rollback_here VALUES (1)", None),
            ("SELECT 'a;b' AS \"the;name\", $x$ ;' $x$, E'it\\'s' /* ; /* ; */ */", "a;b"),
            ("SELECT NULL", None),
            ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", None),
        ]
    ):
        key = f"inc-1/run-1/step/act-{number}/1"
        done = done_of(execute(server, text).perform(stage.context(key=key)))
        if not text.startswith("SHOW"):
            assert done.outputs["value"] == value, text


def test_secrets_are_put_in_and_seen_nowhere(server: Server, stage: Stage) -> None:
    rotate = execute(
        server,
        "ALTER ROLE :\"role\" PASSWORD :'word'",
        values={"role": "owner"},
        secrets={"word": NEW},
        dsn=f"host={server.folder} port={server.port} dbname=app user=postgres",
    )
    try:
        done = done_of(rotate.perform(stage.context()))
        assert "brand" not in repr(done)
        assert "brand" not in (server.folder / "server.log").read_text()
        renewed = expect(server, "SELECT 1", equals=1, password=NEW)
        done_of(renewed.check(stage.context()))
        old = failure_of(expect(server, "SELECT 1", equals=1).check(stage.context()))
        assert "password authentication failed" in old
        bad = execute(server, "SELECT :'word'::int", secrets={"word": NEW}, password=NEW)
        said = failure_of(bad.perform(stage.context(key=OTHER_ACTION)))
        assert "brand" not in said
    finally:
        word = PASSWORD.replace("'", "''")
        server.sql(f"ALTER ROLE owner PASSWORD '{word}'")


def test_without_an_answer_nothing_is_concluded(server: Server, stage: Stage) -> None:
    gone = execute(server, "SELECT 1", port=1)
    assert isinstance(gone.inspect(stage.context()), Unknown)
    assert "cannot be asked" in failure_of(gone.perform(stage.context()))
    wrong = execute(server, "SELECT 1", password=NEW)
    assert "password authentication failed" in failure_of(wrong.perform(stage.context()))


def test_a_death_leaves_nothing_and_is_seen_while_it_ends(server: Server, stage: Stage) -> None:
    action, context = hanging(server.port), stage.context()
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", RUNNER, str(server.port)], cwd=root) as runner:
        asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        assert wait_until(lambda: server.sql(asleep) == "1", timeout_s=20)
        assert isinstance(action.inspect(context), Running)
        assert "still at work" in failure_of(action.undo(context))
        runner.send_signal(signal.SIGKILL)
        assert runner.wait(10) == -signal.SIGKILL
    # The server looks every second whether somebody waits; until then it is not "not done".
    assert wait_until(lambda: isinstance(action.inspect(context), NotDone), timeout_s=20)
    assert server.sql(asleep) == "0"
    assert server.sql("SELECT count(*) FROM t") == "0"


def test_what_a_person_ends_ends_at_the_server_too(server: Server, stage: Stage) -> None:
    action, ended = hanging(server.port), []
    worker = threading.Thread(target=lambda: ended.append(action.perform(stage.context())))
    worker.start()
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    assert wait_until(lambda: server.sql(asleep) == "1", timeout_s=20)
    stage.is_cancelled = True
    worker.join(20)
    assert "cancelled" in failure_of(ended[0])
    assert wait_until(lambda: server.sql(asleep) == "0", timeout_s=20)
    assert isinstance(action.inspect(Stage(secrets=stage.secrets).context()), NotDone)
    assert server.sql("SELECT count(*) FROM t") == "0"


def test_a_lock_in_the_way_ends_at_the_deadline(server: Server, stage: Stage) -> None:
    slow = execute(server, "INSERT INTO t VALUES (1); SELECT pg_sleep(1.5)")
    said = failure_of(slow.perform(stage.context(limit_s=0.8)))
    assert "not ended after" in said
    later = stage.context()
    assert wait_until(lambda: isinstance(slow.inspect(later), NotDone), timeout_s=10)
    assert server.sql("SELECT count(*) FROM t") == "0"


def test_what_was_done_is_taken_back_once(server: Server, stage: Stage) -> None:
    action = execute(server, "INSERT INTO t VALUES (1)", undo_text="DELETE FROM t WHERE n = 1")
    assert isinstance(action, Undoable)
    server.sql("INSERT INTO t VALUES (1)")
    done_of(action.undo(stage.context()))
    assert server.sql("SELECT count(*) FROM t") == "1"
    done_of(action.perform(stage.context()))
    done_of(action.undo(stage.context(marker="another run")))
    assert server.sql("SELECT count(*) FROM t") == "2"
    done_of(action.undo(stage.context(key="inc-1/run-1/stand-down")))  # by marker, not by key
    assert server.sql("SELECT count(*) FROM t") == "0"
    assert isinstance(action.inspect(stage.context()), NotDone)
    server.sql("INSERT INTO t VALUES (1)")
    done_of(action.undo(stage.context(key=AGAIN)))
    assert server.sql("SELECT count(*) FROM t") == "1"
    no_way = execute(server, "INSERT INTO t VALUES (1)")
    done_of(no_way.undo(stage.context()))
    done_of(no_way.perform(stage.context()))
    assert "nothing says how" in failure_of(no_way.undo(stage.context()))
    in_site = Execute(text="SELECT 1", place="/nowhere", site="recovery")
    assert "goes with its site" in done_of(in_site.undo(stage.context())).summary


def test_statements_come_from_a_file(server: Server, stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "x.sql").write_text("INSERT INTO t\nVALUES (3) RETURNING n; -- the end\n")
    action = execute(server, "", file=str(tmp_path / "x.sql"))
    assert done_of(action.perform(stage.context())).outputs["value"] == 3
    missing = execute(server, "", file=str(tmp_path / "none.sql"))
    assert "No such file" in failure_of(missing.perform(stage.context()))


@pytest.mark.parametrize(
    ("query", "wanted", "fits"),
    [
        ("SELECT count(*) FROM t", {"equals": 0}, True),
        ("SELECT count(*) FROM t", {"equals": "0"}, True),
        ("SELECT count(*) FROM t", {"equals": 1}, False),
        ("SELECT 2.50::numeric", {"equals": 2.5}, True),
        ("SELECT true", {"equals": True}, True),
        ("SELECT true", {"equals": False}, False),
        ("SELECT 'ok'", {"equals": "ok"}, True),
        ("SELECT 'ok'", {"at_least": 1}, False),
        ("SELECT 5", {"at_least": 5, "at_most": 6}, True),
        ("SELECT 7", {"at_least": 5, "at_most": 6}, False),
        ("SELECT n FROM t", {"at_least": 0}, False),
        ("SELECT NULL", {"equals": "None"}, False),
        ("SELECT NULL", {"at_least": 0}, False),
    ],
)
def test_an_answer_is_judged(
    server: Server, stage: Stage, query: str, wanted: dict[str, Any], fits: bool
) -> None:
    check = expect(server, query, **wanted)
    assert isinstance(check, Check)
    assert isinstance(check.check(stage.context()), Done if fits else Failed)


def test_a_check_can_change_nothing(server: Server, stage: Stage) -> None:
    changing = expect(server, "INSERT INTO t VALUES (1) RETURNING n", equals=1)
    assert "read-only transaction" in failure_of(changing.check(stage.context()))
    assert server.sql("SELECT count(*) FROM t") == "0"
    assert "2 statements" in failure_of(
        expect(server, "SELECT 1; SELECT 2", equals=1).check(stage.context())
    )
    assert "no answer is expected" in failure_of(expect(server, "SELECT 1").check(stage.context()))
    slow = expect(server, "SELECT pg_sleep(60)", equals="", timeout_s=0.3)
    assert "statement timeout" in failure_of(slow.check(stage.context()))
