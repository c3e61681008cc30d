# SPDX-License-Identifier: Apache-2.0
"""A site of a place as the providers use it: programs and SQL run in it within the time allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blackstart.model.errors import Refused, WorldFailed
from blackstart.ports.action import Context, Partial
from blackstart.world import process
from blackstart.world.http import Response, fetch
from blackstart.world.namespaces import residents
from blackstart.world.sites import Site, inside, load_site, service_pids

DATABASE = "flowforge"
MADE_ANEW = (
    "if it was there, its machine was lost or restarted: `blackstart step undo . STEP --and-later` "
    "with the step that made it, then `blackstart resume .`, and it is made anew"
)
_SAID_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Workplace:
    """A living site, and the context of the action that works in it."""

    site: Site
    context: Context

    @property
    def directory(self) -> Path:
        """The folder of the site; the same path inside and outside."""
        return self.site.directory

    def run(
        self,
        argv: Sequence[str],
        *,
        user: str = "root",
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        limit_s: float = 3600.0,
        on_line: Callable[[str], None] | None = None,
    ) -> process.Completed:
        """Run a program in the site to its end, or to the action's deadline if that is sooner."""
        return process.run(
            inside(self.site, argv, user=user, cwd="/", env=env or {}),
            timeout_s=min(limit_s, seconds_left(self.context)),
            stdin=stdin,
            cancelled=self.context.cancelled,
            on_line=on_line,
        )

    def must(
        self,
        argv: Sequence[str],
        *,
        hint: str,
        user: str = "root",
        stdin: bytes = b"",
        limit_s: float = 3600.0,
    ) -> str:
        """Run a program that has to succeed and return its output. Raises WorldFailed."""
        done = self.run(argv, user=user, stdin=stdin, limit_s=limit_s)
        if done.code != 0:
            raise WorldFailed(f"{Path(argv[0]).name} ended with {done.code}: {said(done)}", hint)
        return done.text

    def sql(
        self,
        text: str,
        *,
        values: Mapping[str, str] | None = None,
        database: str = DATABASE,
        limit_s: float = 60.0,
    ) -> str:
        """Run SQL as the database's superuser and return the rows as text, one each line.

        In the text `:'name'` stands for a value as a literal, `:"name"` as an identifier (psql).
        All goes through standard input, so that no secret is seen in a process list, and is kept
        out of the server's log. Raises WorldFailed.
        """
        quiet = "SET log_statement = none; SET log_min_error_statement = panic;\n"
        quiet += "SET client_connection_check_interval = '1s';\n"  # it ends when psql is killed
        settings = "".join(_psql_set(name, value) for name, value in (values or {}).items())
        argv = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", database]
        argv += ["-h", str(self.directory / "pgsock"), "-U", "postgres"]
        return self.must(
            argv,
            user="postgres",
            stdin=(settings + quiet + text).encode(),
            limit_s=limit_s,
            hint="look at the database's log (log/postgres.log in the site's folder)",
        ).strip()

    def get(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        limit_s: float = 5.0,
    ) -> Response:
        """Send one request from inside the site. Raises FetchFailed."""
        return fetch(
            url,
            method=method,
            headers=headers,
            body=body,
            timeout_s=max(0.1, min(limit_s, seconds_left(self.context))),
            netns_pid=self.site.init_pid,
        )


def look_into(place: str, name: str, context: Context) -> Workplace:
    """Return the living site for a look. Raises WorldFailed when it is not there or not alive."""
    site = load_site(Path(place), name)
    if site is None:
        raise WorldFailed(
            f"there is no living site {name} in {place}",
            MADE_ANEW,
        )
    return Workplace(site, context)


def gone_with(place: str, name: str) -> Partial | None:
    """Return what a look finds when the site itself is gone, None while it lives.

    Waiting for an answer is in vain then: what was done in it is gone with it.
    """
    if load_site(Path(place), name) is not None:
        return None
    return Partial(note=f"site {name} is gone, and with it what was done in it")


def work_in(place: str, name: str, context: Context) -> Workplace:
    """Return the living site for a change. Raises Refused when another run made it."""
    workplace = look_into(place, name, context)
    if workplace.site.marker != context.marker:
        raise Refused(
            f"site {name} carries the marker {workplace.site.marker!r}, not that of this run",
            "name a target of this run; what another run made is never touched",
        )
    return workplace


def end_strays(work: Workplace, *programs: str) -> None:
    """Kill every one of these programs in the site: a killed attempt leaves workers behind.

    Also kills pgBackRest when the server archives with it at that moment; the server tries again.
    """
    for one in residents(work.site):
        ticks = process.started_ticks(one.pid)
        if one.command in programs and ticks is not None:
            process.end(one.pid, ticks, grace_s=0)


def end_started(work: Workplace, service: str, *, grace_s: float) -> None:
    """End what an earlier attempt started under this name (work_in saw that the site is ours).

    It is found in the world, not in a note: whoever started it may have died before it wrote one.
    """
    for pid in service_pids(work.site, service):
        ticks = process.started_ticks(pid)
        if ticks is not None:
            process.end(pid, ticks, grace_s=grace_s)


def directory_of(place: str, name: str) -> Path:
    """Return the folder of a site, whether it is there or not."""
    return Path(place) / name


def seconds_left(context: Context) -> float:
    """Return the seconds until the action must have returned, at least a tenth."""
    return max(0.1, context.left_s())


def said(done: process.Completed) -> str:
    """Return the end of what a program said, on one line."""
    text = done.err.decode("utf-8", "replace").strip() or done.text.strip()
    return " ".join(text.split())[-_SAID_CHARACTERS:] or "it said nothing"


def _psql_set(name: str, value: str) -> str:
    """Return the psql command that sets a variable; inside quotes psql knows C-like escapes."""
    if "\0" in value:
        raise Refused("a text for the database holds a NUL", "give a text without one")
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"\\set {name} '{escaped}'\n"
