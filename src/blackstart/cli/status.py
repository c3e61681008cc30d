# SPDX-License-Identifier: Apache-2.0
"""`blackstart status`: every incident with what it waits for.

It is asked again and again under stress, so it opens the record alone: plan, engine and providers
take longer to load than ten thousand facts to read.
"""

from __future__ import annotations

import gc
import os
import threading
from contextlib import suppress
from pathlib import Path

import click

from blackstart.cli.lines import fitted
from blackstart.cli.mirrored import mirror_lines
from blackstart.cli.options import as_json, with_home
from blackstart.cli.standing import as_rows, every, find, lines_of
from blackstart.model.codec import to_bytes
from blackstart.model.errors import BlackstartError
from blackstart.model.words import say_moment
from blackstart.store.sqlite import SqliteJournal, open_journal
from blackstart.world.clock import SystemClock, clock_of

_AGAIN_S = 1.0
_FRESH_S = 5.0


@click.command()
@with_home
@as_json
@click.argument("incident", required=False)
@click.option("--watch", is_flag=True, help="Show it again and again until Ctrl-C.")
def status(home: Path, in_json: bool, incident: str | None, watch: bool) -> None:
    """Show every incident, or INCIDENT, with what it waits for and who is asked."""
    gc.disable()  # a moment of work that leaves nothing to collect; saves a fifth of it
    clock = clock_of(os.environ)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    journal = open_journal(home / "journal.db", clock)
    _ask_mirrors(home, journal, clock)
    if in_json:
        found = (find(journal, incident),) if incident else every(journal)
        beside = {"mirrors": journal.mirrors(), "replaced": journal.replaced()}
        rows = [{**as_rows(journal, one), **beside} for one in found]
        click.echo(to_bytes(rows))
        return
    if watch:
        gc.enable()
        _watch(journal, clock, incident)
        return
    _show(journal, clock, incident)


def _ask_mirrors(home: Path, journal: SqliteJournal, clock: SystemClock) -> None:
    """Where nobody asked just now, ask whether this home was replaced; what came of it is kept."""
    heard = journal.heard()
    if not (home / "mirrors").exists() or journal.replaced():
        return
    if heard is not None and abs((clock.now() - heard).total_seconds()) < _FRESH_S:
        return
    from blackstart.bootstrap import open_home  # loads long; only where nobody ships

    with suppress(BlackstartError):
        open_home(home).mirrors.look()


def _show(journal: SqliteJournal, clock: SystemClock, incident: str | None) -> None:
    found = (find(journal, incident),) if incident else every(journal)
    now = clock.now()
    if replaced := journal.replaced():
        click.secho(fitted(f"REPLACED: {replaced}"), fg="red", bold=True)
    for line in (*lines_of(journal, found, now), *mirror_lines(journal.mirrors(), now)):
        click.echo(fitted(line))


def _watch(journal: SqliteJournal, clock: SystemClock, incident: str | None) -> None:
    """Show how things stand every second, until Ctrl-C."""
    tick = threading.Event()
    try:
        while True:
            click.clear()
            click.echo(say_moment(clock.now()))
            _show(journal, clock, incident)
            tick.wait(_AGAIN_S)
    except KeyboardInterrupt:
        return
