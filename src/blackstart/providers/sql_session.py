# SPDX-License-Identifier: Apache-2.0
"""One transaction at a PostgreSQL server, by psql: from here, or from inside a site.

The statements reach the server as literals inside blocks of PL/pgSQL. So psql interprets nothing
of them (no `\\!`, no variables), and the server itself refuses COMMIT and ROLLBACK in them: one
transaction stays one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from blackstart.model.errors import Refused, WorldFailed
from blackstart.model.runbook import Param
from blackstart.ports.action import Context
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import look_into, said, seconds_left
from blackstart.world import process
from blackstart.world.hidden_file import hidden_file
from blackstart.world.sites import inside

_CONNECT_TIMEOUT_S = 10
# Settings of the transaction carry texts into the blocks, which are constant.
_STATEMENTS = """\
SELECT set_config('blackstart.text', :'text', true) \\g /dev/null
DO $block$ BEGIN EXECUTE current_setting('blackstart.text'); END $block$;
"""
_ANSWER = """\
SELECT set_config('blackstart.text', :'text', true),
  set_config('blackstart.expected', :'expected', true),
  set_config('blackstart.is_expected', :'is_expected', true) \\g /dev/null
DO $block$
DECLARE
  one record;
  first text;
  rows text[] := '{}';
BEGIN
  FOR one IN EXECUTE current_setting('blackstart.text') LOOP
    IF cardinality(rows) = 0 THEN
      SELECT value INTO first FROM json_each_text(row_to_json(one)) LIMIT 1;
    END IF;
    EXIT WHEN cardinality(rows) >= 1000;
    rows := rows || row_to_json(one)::text;
  END LOOP;
  IF current_setting('blackstart.is_expected') = 'yes'
    AND first IS DISTINCT FROM current_setting('blackstart.expected') THEN
    RAISE EXCEPTION 'the answer is %, expected %',
      coalesce(first, 'nothing'), current_setting('blackstart.expected');
  END IF;
  PERFORM set_config('blackstart.answer', '[' || array_to_string(rows, ',') || ']', true);
END $block$;
"""
# So that the server ends what it does for us within a second when psql is killed; servers before
# version 14 have no such setting, and find out when they next speak to it.
_ENDS_WITH_US = """\
SELECT set_config('client_connection_check_interval', '1000', false)
FROM pg_settings WHERE name = 'client_connection_check_interval' \\g /dev/null
"""
KEPT_ANSWER = (
    "SELECT coalesce(nullif(current_setting('blackstart.answer', true), ''), '[]') AS rows"
)
# What keeps statements with secrets out of the server's log, where we may say so.
QUIET = """\
SELECT set_config('log_statement', 'none', true),
  set_config('log_min_error_statement', 'panic', true),
  set_config('log_min_duration_statement', '-1', true)
FROM pg_roles WHERE rolname = current_user AND rolsuper \\g /dev/null
"""
Row = dict[str, Param]


class SqlFailed(WorldFailed):
    """The server refused a statement; nothing of the transaction is left."""


class ConnectionLost(WorldFailed):
    """The server cannot be asked, or the answer was lost: what became of it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where a database is, and who we are there.

    With `site` of `place` it is asked from inside: by password over the site's own network, or
    without one as the site's user `user_of_site` through the socket in its folder.
    """

    dsn: str
    host: str
    port: int
    database: str
    user: str
    password: SecretRef
    place: str
    site: str
    user_of_site: str

    def __str__(self) -> str:
        """Return how people call it."""
        where = f"in site {self.site}" if self.site else f"at {self.host or 'the given DSN'}"
        return f"database {self.database} {where}" if self.database else f"the database {where}"


def ask(connection: Connection, script: str, context: Context, *, limit_s: float = 3600.0) -> str:
    """Send a script of psql and return what it printed. Raises SqlFailed, ConnectionLost."""
    with _command(connection, context) as (argv, env):
        try:
            done = process.run(
                argv,
                timeout_s=min(limit_s, seconds_left(context)),
                stdin=(_ENDS_WITH_US + script).encode(),
                env=env,
                cancelled=context.cancelled,
                keep_bytes=20_000_000,
            )
        except (process.ProcessTimedOut, process.ProcessCancelled) as ended:
            raise ConnectionLost(str(ended.what), "look whether a lock is in the way") from ended
    if done.code == 0:
        return done.text
    if done.code == 3:  # a statement failed (ON_ERROR_STOP)
        raise SqlFailed(
            f"{connection} refused: {said(done)}", "correct the statements; nothing was changed"
        )
    raise ConnectionLost(
        f"{connection} cannot be asked: {said(done)}",
        "look whether it runs, and at address, user and password",
    )


def set_variable(name: str, value: str) -> str:
    """Return the psql command that sets a variable; inside quotes psql knows C-like escapes."""
    if "\0" in value:
        raise Refused("a text for the database holds a NUL", "give a text without one")
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"\\set {name} '{escaped}'\n"


def statements_block(text: str) -> str:
    """Return what runs statements and passes over their rows."""
    return set_variable("text", text) + _STATEMENTS


def answer_block(query: str, *, expected: str | None = None) -> str:
    """Return what runs one query and keeps its rows; `expected` is its first value.

    Where that differs the transaction fails.
    """
    is_expected = "no" if expected is None else "yes"
    settings = {"text": query, "expected": expected or "", "is_expected": is_expected}
    return "".join(set_variable(name, value) for name, value in settings.items()) + _ANSWER


def rows_of(printed: str) -> list[Row]:
    """Return the rows in what psql printed as JSON. Raises ConnectionLost when it is none."""
    try:
        return msgspec.json.decode(printed.strip() or "[]", type=list[Row])
    except msgspec.MsgspecError as wrong:
        raise ConnectionLost(
            f"the answer of the database is no JSON: {wrong}", "report this as a bug"
        ) from wrong


def first_value(rows: list[Row]) -> Param:
    """Return the first value of the first row, None when there is none."""
    return next(iter(rows[0].values()), None) if rows else None


@contextmanager
def _command(
    connection: Connection, context: Context
) -> Iterator[tuple[list[str], Mapping[str, str]]]:
    """Yield the psql command and its environment; the password is in a file without a name."""
    secret = context.reveal(connection.password).strip() if connection.password.name else ""
    argv = ["psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse"]
    env = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LC_ALL": "C.UTF-8",
        "PGCONNECT_TIMEOUT": str(_CONNECT_TIMEOUT_S),
        "PGAPPNAME": "blackstart",
    }
    where = [*argv, "-d", _conninfo(connection, context)]
    if not connection.site:
        with hidden_file(_password_line(secret)) as path:
            yield where, {**env, "PGPASSFILE": path}
        return
    work = look_into(connection.place, connection.site, context)
    if not secret:
        yield inside(work.site, where, user=connection.user_of_site), env
        return
    with hidden_file(_password_line(secret)) as path:
        entered = ["nsenter", "-t", str(work.site.init_pid), "-n", "--"]
        yield [*entered, *where], {**env, "PGPASSFILE": path}


def _conninfo(connection: Connection, context: Context) -> str:
    """Return the connection as libpq reads it; a DSN that was given stays as it is."""
    if connection.dsn:
        return connection.dsn
    host = connection.host
    if not host and connection.site:
        work = look_into(connection.place, connection.site, context)
        host = "127.0.0.1" if connection.password.name else str(work.directory / "pgsock")
    parts = {
        "host": host,
        "port": str(connection.port),
        "dbname": connection.database,
        "user": connection.user,
    }
    return " ".join(f"{name}={_conninfo_value(value)}" for name, value in parts.items() if value)


def _conninfo_value(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _password_line(secret: str) -> str:
    escaped = secret.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"
