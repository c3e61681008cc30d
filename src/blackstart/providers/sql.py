# SPDX-License-Identifier: Apache-2.0
"""SQL as an action: statements in one transaction, with the attempt's key in the same transaction.

So the key is there exactly if the statements took effect. It is a row of the table
`blackstart_marker`, one for each action; a lock of the transaction tells others of one at work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, TypeAlias

from blackstart.model.errors import BlackstartError, Refused
from blackstart.model.runbook import Param
from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Running,
    Unknown,
)
from blackstart.ports.secrets import SecretRef
from blackstart.providers.places import gone_with, work_in
from blackstart.providers.sql_marker import (
    TABLE,
    Work,
    inspect_script,
    perform_script,
    read_state,
    undo_script,
    work_of,
)
from blackstart.providers.sql_session import (
    KEPT_ANSWER,
    Connection,
    ConnectionLost,
    Row,
    SqlFailed,
    answer_block,
    ask,
    first_value,
    rows_of,
)
from blackstart.providers.sql_text import answers, cut
from blackstart.providers.traces import returns_failures

_NO_SECRET = SecretRef("")
Value: TypeAlias = "str | int | float | bool | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """Run SQL statements at a PostgreSQL server, all or none of them.

    `text` or `file` holds them; `:'name'` in them stands for a value of `values` or `secrets` as a
    literal, `:"name"` as an identifier. They run in one transaction, together with a row in the
    table `blackstart_marker` of `marker_schema`, which is made if it is not there: the user needs
    the right for that. What cannot run in a transaction (VACUUM, CREATE DATABASE) is refused by the
    server. When an earlier attempt of this action did it, it is not done again.

    The server is `dsn` (libpq, without a password), or `host`, `port`, `database` and `user`; or
    that of `site` of `place`, asked from inside: with a `password` at 127.0.0.1, without one as the
    site's user `user_of_site` through its socket. Needs psql here, or in the site. Secrets are kept
    out of the server's log of statements when the user is a superuser; no other may do that.

    With `expected` the first value of the last query has to be that, or nothing is changed.
    `undo_text` takes the work back; in a site none is needed, because the site goes as a whole.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "rows": "the rows of the last query, at most 1000, each column → value",
        "value": "the first value of the first row, null when there is none",
    }

    text: str = ""
    file: str = ""
    dsn: str = ""
    host: str = ""
    port: int = 5432
    database: str = ""
    user: str = ""
    password: SecretRef = _NO_SECRET
    place: str = ""
    site: str = ""
    user_of_site: str = "postgres"
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    expected: Value = None
    undo_text: str = ""
    marker_schema: str = "public"

    def preview(self, context: Context) -> str:
        """Say how many statements would run where."""
        try:
            known = dict(self.values) | dict.fromkeys(self.secrets, "…")
            count = len(cut(self._text(), known))
        except (BlackstartError, OSError) as wrong:
            return f"the statements cannot be read: {wrong}"
        return f"{count} statements would run in {self._connection}, all or none"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Run them with the key in one transaction; when the answer is lost, look."""
        if self.site:
            work_in(self.place, self.site, context)
        script = self._script(context)
        try:
            rows = rows_of(ask(self._connection, script, context))
        except SqlFailed as refusal:
            return Failed(summary=self._hide(refusal.what, context), hint=refusal.hint)
        except ConnectionLost as lost:
            found = self.inspect(context)
            if isinstance(found, Done):
                return found
            summary, hint = self._hide(lost.what, context), lost.hint
            if not isinstance(found, NotDone):
                hint = f"it may still take effect: look for the key in {TABLE}, then go on"
            return Failed(summary=summary, hint=hint)
        return self._done(rows)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key, and for a transaction that still holds its lock."""
        if self.site and (gone := gone_with(self.place, self.site)):
            return gone
        try:
            printed = ask(
                self._connection,
                inspect_script(self._work(context)),
                context,
                limit_s=20,
            )
            state = read_state(printed)
        except BlackstartError as trouble:
            return Unknown(note=trouble.what)
        if state.is_locked:
            return Running(note="its transaction has not ended yet")
        if state.key != context.key:
            return NotDone(note=f"{TABLE} does not hold this key")
        return self._done(rows_of(state.rows))

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Run `undo_text` and remove the key, in one transaction; only where this run did it."""
        if self.site and not self.undo_text:
            return Done(summary=f"What was done in {self._connection} goes with its site.")
        work = self._work(context)
        state = read_state(
            ask(self._connection, inspect_script(work, of_the_run=True), context, limit_s=20)
        )
        if state.is_locked:
            raise Refused(
                f"the statements are still at work in {self._connection}",
                "wait until they have ended, or end their session at the server",
            )
        if not state.key:
            return Done(summary=f"This run has done nothing of it in {self._connection}.")
        if not self.undo_text:
            raise Refused(
                f"nothing says how to take back what was done in {self._connection}",
                f"take it back by hand, then remove its row from {TABLE}",
            )
        statements = cut(self.undo_text, self._values(context))
        there = replace(work, action=state.action)
        ask(self._connection, undo_script(there, statements), context)
        return Done(summary=f"What was done in {self._connection} was taken back.")

    @property
    def _connection(self) -> Connection:
        return connection_of(self)

    def _work(self, context: Context) -> Work:
        """Return what tells these statements from others of the run; secrets are no part of it."""
        words = [
            self.text,
            self.file,
            *(f"{key}={one}" for key, one in sorted(self.values.items())),
        ]
        digest = sha256("\0".join(words).encode()).hexdigest()
        return work_of(self.marker_schema, digest, context)

    def _text(self) -> str:
        if bool(self.text) == bool(self.file):
            raise Refused("there are no statements, or there are two texts", "give text or file")
        return self.text or Path(self.file).read_text("utf-8")

    def _values(self, context: Context) -> Mapping[str, str]:
        revealed = {name: context.reveal(ref).strip() for name, ref in self.secrets.items()}
        return {**self.values, **revealed}

    def _hide(self, text: str, context: Context) -> str:
        for name, ref in self.secrets.items():
            text = text.replace(context.reveal(ref).strip(), f"({name})")
        return text

    def _script(self, context: Context) -> str:
        statements = cut(self._text(), self._values(context))
        if not statements:
            raise Refused("there is no statement to run", "write at least one")
        query = statements[-1] if answers(statements[-1]) else ""
        if self.expected is not None and not query:
            raise Refused(
                "an answer is expected and the last statement gives none",
                "end on a query, or leave `expected` out",
            )
        return perform_script(
            self._work(context),
            statements[:-1] if query else statements,
            query,
            None if self.expected is None else as_text(self.expected),
            is_secret=bool(self.secrets),
        )

    def _done(self, rows: list[Row]) -> Done:
        value = first_value(rows)
        told = f", the answer is {value}" if rows and len(str(value)) < 100 else ""
        listed: list[Param] = [*rows]
        return Done(
            summary=f"The statements ran in {self._connection}{told}.",
            outputs={"rows": listed, "value": value},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """Expect an answer of a database: one query that can change nothing.

    It runs in a read-only transaction, which is rolled back. Its first value has to be `equals`, or
    at least `at_least` and at most `at_most`; no row at all is never as expected. For the server
    see sql.execute.
    """

    outputs: ClassVar[Mapping[str, str]] = {"value": "the first value of the first row"}

    query: str
    equals: Value = None
    at_least: float | None = None
    at_most: float | None = None
    dsn: str = ""
    host: str = ""
    port: int = 5432
    database: str = ""
    user: str = ""
    password: SecretRef = _NO_SECRET
    place: str = ""
    site: str = ""
    user_of_site: str = "postgres"
    values: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 30.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Ask once."""
        if self.equals is None and self.at_least is None and self.at_most is None:
            raise Refused("no answer is expected", "give `equals`, `at_least` or `at_most`")
        statements = cut(self.query, self.values)
        if len(statements) != 1:
            raise Refused(f"{len(statements)} statements are given", "give one query")
        script = "".join(
            [
                "BEGIN READ ONLY;\n",
                f"SET LOCAL statement_timeout = '{round(self.timeout_s * 1000)}ms';\n",
                answer_block(statements[0]),
                f"{KEPT_ANSWER};\n",
                "ROLLBACK;\n",
            ]
        )
        rows = rows_of(ask(connection_of(self), script, context, limit_s=self.timeout_s + 15))
        return self._judge(rows)

    def _judge(self, rows: list[Row]) -> Outcome:
        seen = first_value(rows)
        wanted = self._wanted()
        if not rows or not self._fits(seen):
            return Failed(
                summary=f"{connection_of(self)} answers {seen if rows else 'no row'}, "
                f"expected {wanted}: {' '.join(self.query.split())[:200]}",
                hint="look at the rows behind it: what was restored is not what is expected",
            )
        return Done(
            summary=f"{connection_of(self)} answers {seen}, as expected ({wanted}).",
            outputs={"value": seen},
        )

    def _fits(self, seen: Param) -> bool:
        if self.equals is not None and not is_same(seen, self.equals):
            return False
        if self.at_least is None and self.at_most is None:
            return True
        number = as_number(seen)
        if number is None:
            return False
        low = self.at_least is None or number >= self.at_least
        return low and (self.at_most is None or number <= self.at_most)

    def _wanted(self) -> str:
        parts = (
            ("", None if self.equals is None else as_text(self.equals)),
            ("at least ", self.at_least),
            ("at most ", self.at_most),
        )
        return " and ".join(f"{word}{value}" for word, value in parts if value is not None)


def connection_of(verb: Execute | Expect) -> Connection:
    """Return where a verb's database is."""
    return Connection(
        dsn=verb.dsn,
        host=verb.host,
        port=verb.port,
        database=verb.database,
        user=verb.user,
        password=verb.password,
        place=verb.place,
        site=verb.site,
        user_of_site=verb.user_of_site,
    )


def as_text(value: Value) -> str:
    """Return a value as PostgreSQL writes it in JSON."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_number(seen: Param) -> float | None:
    """Return an answer as a number, None when it is none."""
    try:
        return float(str(seen))
    except ValueError:
        return None


def is_same(seen: Param, wanted: Value) -> bool:
    """Say whether an answer is the wanted one; numbers are compared as numbers."""
    if seen is None or wanted is None:
        return False
    if isinstance(seen, bool) or isinstance(wanted, bool):
        return str(seen).lower() == as_text(wanted)
    numbers = as_number(seen), as_number(wanted)
    return str(seen) == str(wanted) or (None not in numbers and numbers[0] == numbers[1])


PROVIDES: Mapping[str, type] = {"execute": Execute, "expect": Expect}
