# SPDX-License-Identifier: Apache-2.0
"""The systems that a drill can lose, behind one face: made ready, stood up, written to, counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from blackstart.sandbox import plan, production, writer
from blackstart.sandbox.injection import Injection
from blackstart.sandbox.injections import INJECTIONS
from blackstart.sandbox.layout import PUBLIC_NAME, Layout
from blackstart.sandbox.on_site import put_file
from blackstart.sandbox.packages import Prepared, Tell, prepare
from blackstart.sandbox.secrets_kept import load_secrets
from blackstart.sandbox.seed import Seed, make_seed
from blackstart.sandbox.webapp import names as web_names
from blackstart.sandbox.webapp import plan as web_plan
from blackstart.sandbox.webapp import production as web_production
from blackstart.sandbox.webapp import writer as web_writer
from blackstart.sandbox.webapp.injections import INJECTIONS as WEB_INJECTIONS
from blackstart.sandbox.webapp.parts import Parts, prepare_parts
from blackstart.world.sites import Site


class Drilled(Protocol):
    """A system made ready for one drill."""

    @property
    def system(self) -> str:
        """Its name in the plan."""
        ...

    @property
    def public_name(self) -> str:
        """The name under which users know it."""
        ...

    @property
    def usr(self) -> Path:
        """The folder of system packages that every site shows."""
        ...

    def lay_out_elsewhere(self, layout: Layout) -> None:
        """Fill R/elsewhere with what survives production."""
        ...

    def stand_up(self, layout: Layout, hub: Site, tell: Tell) -> None:
        """Start production and return when it serves."""
        ...

    def write_plan(self, layout: Layout, outside: Site) -> Path:
        """Write the plan of this run."""
        ...

    def start_writer(self, layout: Layout, outside: Site) -> int:
        """Start the user who counts; returns the pid."""
        ...

    def read_written(self, layout: Layout, outside: Site) -> frozenset[int]:
        """Return the numbers that are there now."""
        ...


@dataclass(frozen=True, slots=True)
class FlowFuse:
    """FlowFuse with its Node-RED instances, from the seed."""

    prepared: Prepared
    seed: Seed
    system: str = plan.SYSTEM
    public_name: str = PUBLIC_NAME

    @property
    def usr(self) -> Path:
        """The folder of system packages that every site shows."""
        return self.prepared.usr

    def lay_out_elsewhere(self, layout: Layout) -> None:
        """Copy the seed's backup and keys."""
        production.lay_out_elsewhere(layout, self.prepared, self.seed)

    def stand_up(self, layout: Layout, hub: Site, tell: Tell) -> None:
        """Start production from the seed, and hand over what the company keeps away from it."""
        production.stand_up(layout, self.prepared, self.seed, hub, tell)
        kept = load_secrets(layout.secrets)
        user = next(person for person in kept.people if not person.is_admin)
        put_file(layout.backup / "watch.token", kept.writer_token)
        put_file(layout.backup / "old-database.password", kept.database_password)
        put_file(layout.backup / "verify.login", f"{user.username}:{user.password}")

    def write_plan(self, layout: Layout, outside: Site) -> Path:
        """Write the plan of this run."""
        return plan.write_plan(layout, outside)

    def start_writer(self, layout: Layout, outside: Site) -> int:
        """Start the user who makes applications."""
        return writer.start_writer(layout, outside)

    def read_written(self, layout: Layout, outside: Site) -> frozenset[int]:
        """Return the numbers of the applications that are there."""
        return writer.read_written(layout, outside)


@dataclass(frozen=True, slots=True)
class WebApplication:
    """Kinto on PostgreSQL, made anew for each drill."""

    parts: Parts
    system: str = web_names.SYSTEM
    public_name: str = web_names.PUBLIC_NAME

    @property
    def usr(self) -> Path:
        """The folder of system packages that every site shows."""
        return self.parts.usr

    def lay_out_elsewhere(self, layout: Layout) -> None:
        """Put artefacts and new keys there."""
        web_production.lay_out_elsewhere(layout, self.parts)

    def stand_up(self, layout: Layout, hub: Site, tell: Tell) -> None:
        """Start production from nothing and back it up."""
        kept = load_secrets(layout.secrets)
        web_production.stand_up(layout, self.parts, kept, hub, tell)

    def write_plan(self, layout: Layout, outside: Site) -> Path:
        """Write the plan of this run."""
        return web_plan.write_plan(layout, self.parts, outside)

    def start_writer(self, layout: Layout, outside: Site) -> int:
        """Start the user who makes orders."""
        return web_writer.start_writer(layout, outside)

    def read_written(self, layout: Layout, outside: Site) -> frozenset[int]:
        """Return the numbers of the orders that are there."""
        return web_writer.read_written(layout, outside)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of system: how it is made ready from the cache, and the defects it can be given."""

    make_ready: Callable[[Path, Tell, Callable[[], bool]], Drilled]
    injections: Mapping[str, Injection]


def _flowfuse(cache: Path, tell: Tell, cancelled: Callable[[], bool]) -> Drilled:
    prepared = prepare(cache, tell, cancelled=cancelled)
    return FlowFuse(prepared, make_seed(cache, prepared, tell))


def _webapp(cache: Path, tell: Tell, cancelled: Callable[[], bool]) -> Drilled:
    if cancelled():
        raise KeyboardInterrupt
    return WebApplication(prepare_parts(cache, tell))


SYSTEMS: Mapping[str, Kind] = {
    "flowfuse": Kind(_flowfuse, INJECTIONS),
    "webapp": Kind(_webapp, WEB_INJECTIONS),
}
