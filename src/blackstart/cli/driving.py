# SPDX-License-Identifier: Apache-2.0
"""Commands that run: agent and watch."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from blackstart.bootstrap import (
    WATCH,
    Home,
    house_of,
    open_home,
    read_incidents,
    read_plan,
    report_incident,
    watching,
)
from blackstart.cli.options import with_home, with_plan
from blackstart.engine.runner import drive, is_finished
from blackstart.engine.watch import watch as watch_until_down
from blackstart.model.errors import BlackstartError, Refused
from blackstart.model.plan import Mode
from blackstart.ports.action import Failed


def stop_on_signals() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set, so that work ends at a clean point."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


@click.command()
@with_home
def agent(home: Path) -> None:
    """Drive every open incident of this installation until stopped."""
    opened = open_home(home)
    stop = stop_on_signals()
    click.echo("The agent drives what is open; end it with Ctrl-C, nothing is lost.")
    drivers: dict[str, threading.Thread] = {}
    over: set[str] = set()
    version = -1
    while not stop.is_set():
        newest = opened.journal.version()
        if newest != version or any(not driver.is_alive() for driver in drivers.values()):
            version = newest
            _start_drivers(opened, drivers, over, stop)
        stop.wait(0.2)
    for driver in drivers.values():
        driver.join()


def _start_drivers(
    home: Home, drivers: dict[str, threading.Thread], over: set[str], stop: threading.Event
) -> None:
    """Start a driver for each incident that has none; one that cannot be read is said once."""
    for name in list(drivers):
        if not drivers[name].is_alive():
            del drivers[name]
    for name, found in read_incidents(home, but=frozenset(over) | drivers.keys()):
        if isinstance(found, BlackstartError):
            over.add(name)
            click.echo(f"{name}: {found}", err=True)
        elif is_finished(found):
            over.add(name)
        else:
            drivers[name] = threading.Thread(target=_drive, args=(home, name, stop))
            drivers[name].start()


def _drive(home: Home, incident: str, stop: threading.Event) -> None:
    """Drive one incident; what is refused or cannot be recorded is said, and tried again later."""
    try:
        drive(house_of(home, incident), incident, stop)
    except BlackstartError as error:
        click.echo(str(error), err=True)
        stop.wait(1.0)


@click.command()
@with_home
@with_plan
@click.argument("system")
@click.option("--mode", type=click.Choice([m.value for m in Mode]), default="recovery")
@click.option("--target", default="recovery", show_default=True)
def watch(home: Path, plan_path: Path, system: str, mode: str, target: str) -> None:
    """Watch SYSTEM by the check of its plan, from here, and open one incident when it is down."""
    opened = open_home(home)
    plan = read_plan(plan_path)
    spec = plan.systems[system].watch if system in plan.systems else None
    if spec is None:
        raise Refused(f"The plan has no watch for '{system}'.", "Add `watch:` to the system.")
    look = watching(opened, plan, system, target)
    stop = stop_on_signals()
    click.echo(f"Watching {system} every {spec.every_s:g} s.")
    outage = watch_until_down(
        look,
        opened.clock.now,
        stop,
        subject="public name",
        every_s=spec.every_s,
        confirm_after=spec.confirm_after,
        told=lambda outcome: (
            click.echo(f"{opened.clock.now():%H:%M:%S} {outcome.summary}")
            if isinstance(outcome, Failed)
            else None
        ),
    )
    if outage is None:
        return
    name = report_incident(
        opened,
        plan_path,
        systems=(system,),
        mode=Mode(mode),
        target=target,
        summary=f"{system}: {outage.summary}",
        outage_start=outage.start,
        last_good=outage.last_good,
        sightings=outage.sightings,
        by=WATCH,
    )
    click.echo(f"{name} is open.")
