# SPDX-License-Identifier: Apache-2.0
"""The table `blackstart_marker`: what this run did in a database, in the transaction that did it.

One row for each action of a run, with the key of the attempt that did it and the rows that it
answered. While an attempt is at work its transaction holds an advisory lock of that key, until it
is committed or gone; so nobody takes a transaction that has not ended for one that never was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from blackstart.ports.action import Context
from blackstart.providers.sql_session import (
    KEPT_ANSWER,
    QUIET,
    ConnectionLost,
    answer_block,
    set_variable,
    statements_block,
)

TABLE = "blackstart_marker"
_BEGIN = """\
BEGIN;
SELECT pg_advisory_xact_lock(hashtextextended(:'run' || :'work', 0)) \\g /dev/null
"""
# Two that make the table at once wait for each other.
_MAKE_TABLE = """\
SELECT to_regclass(quote_ident(:'schema') || '.blackstart_marker') IS NULL AS is_missing \\gset
\\if :is_missing
SELECT pg_advisory_xact_lock(hashtextextended('blackstart_marker', 0)) \\g /dev/null
CREATE TABLE IF NOT EXISTS :"schema".blackstart_marker (
  action text, work text, run text NOT NULL, key text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(), rows text NOT NULL DEFAULT '[]',
  PRIMARY KEY (action, work));
\\endif
"""
_IS_DONE = """\
SELECT EXISTS (
  SELECT FROM :"schema".blackstart_marker
  WHERE action = :'action' AND work = :'work' AND run = :'run') AS is_done \\gset
\\if :is_done
"""
_CLAIM = """\
UPDATE :"schema".blackstart_marker SET key = :'key'
  WHERE action = :'action' AND work = :'work';
\\else
INSERT INTO :"schema".blackstart_marker (action, key, run, work)
  VALUES (:'action', :'key', :'run', :'work');
"""
_KEEP = """\
UPDATE :"schema".blackstart_marker SET rows = :'rows'
  WHERE action = :'action' AND work = :'work';
\\endif
SELECT rows FROM :"schema".blackstart_marker
  WHERE action = :'action' AND work = :'work' \\gset
COMMIT;
\\echo :rows
"""
_INSPECT = """\
BEGIN;
SELECT pg_try_advisory_xact_lock(hashtextextended(:'run' || :'work', 0)) AS is_free,
  to_regclass(quote_ident(:'schema') || '.blackstart_marker') IS NOT NULL AS is_there \\gset
\\if :is_free
\\if :is_there
SELECT coalesce(
  (SELECT json_build_object('action', action, 'key', key, 'rows', rows)::text
    FROM :"schema".blackstart_marker
    WHERE run = :'run' AND work = :'work' AND (action = :'action' OR :'whose' = 'of the run')
    ORDER BY action = :'action' DESC, at DESC LIMIT 1), '{}');
\\else
SELECT '{}';
\\endif
\\else
SELECT '{"is_locked": true}';
\\endif
ROLLBACK;
"""
_FORGET = """\
DELETE FROM :"schema".blackstart_marker WHERE action = :'action' AND work = :'work';
\\endif
COMMIT;
"""


class State(msgspec.Struct, frozen=True):
    """What the table says of an action: the key that did it, and its rows; empty when none did."""

    is_locked: bool = False
    action: str = ""
    key: str = ""
    rows: str = "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Which work of which action: `schema` holds the table, `digest` stands for the statements."""

    schema: str
    digest: str
    run: str
    action: str
    key: str


def work_of(schema: str, digest: str, context: Context) -> Work:
    """Return the work of an attempt; an action is a key without its attempt."""
    action = context.key.rpartition("/")[0] or context.key
    return Work(schema=schema, digest=digest, run=context.marker, action=action, key=context.key)


def perform_script(
    work: Work,
    statements: Sequence[str],
    query: str,
    expected: str | None,
    *,
    is_secret: bool,
) -> str:
    """Return the script of one transaction that does the work once and prints its rows.

    What an earlier attempt of the same action did is taken over, not done again.
    """
    parts = [
        _variables(work),
        _BEGIN,
        QUIET if is_secret else "",
        _MAKE_TABLE,
        _IS_DONE,
        _CLAIM,
        *map(statements_block, statements),
        answer_block(query, expected=expected) if query else "",
        f"{KEPT_ANSWER} \\gset\n",
        _KEEP,
    ]
    return "".join(parts)


def inspect_script(work: Work, *, of_the_run: bool = False) -> str:
    """Return the script that prints the state of an action, or of that work in the run, as JSON."""
    whose = set_variable("whose", "of the run" if of_the_run else "of the action")
    return _variables(work) + whose + _INSPECT


def undo_script(work: Work, statements: Sequence[str]) -> str:
    """Return the script of one transaction that takes the work back and removes its row."""
    back = map(statements_block, statements)
    return "".join([_variables(work), _BEGIN, _IS_DONE, *back, _FORGET])


def read_state(printed: str) -> State:
    """Return what `inspect_script` printed. Raises ConnectionLost when it is nothing."""
    try:
        return msgspec.json.decode(printed.strip(), type=State)
    except msgspec.MsgspecError as wrong:
        raise ConnectionLost(
            f"the database says nothing of its state: {wrong}", "look at its log"
        ) from wrong


def _variables(work: Work) -> str:
    """Return what tells psql who we are."""
    values = {
        "schema": work.schema,
        "work": work.digest,
        "run": work.run,
        "action": work.action,
        "key": work.key,
    }
    return "".join(set_variable(name, value) for name, value in values.items())
