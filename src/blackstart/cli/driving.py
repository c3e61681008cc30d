# SPDX-License-Identifier: Apache-2.0
"""The command that looks, watch; and how commands that run are stopped."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from blackstart.bootstrap import (
    WATCH,
    open_home,
    read_plan,
    report_incident,
    watching,
)
from blackstart.cli.options import with_home, with_plan
from blackstart.engine.watch import watch as watch_until_down
from blackstart.model.errors import Refused
from blackstart.model.plan import Mode
from blackstart.ports.action import Failed


def stop_on_signals() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set, so that work ends at a clean point."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def say(told: str) -> None:
    """Tell what goes on aside: mirrors that fail, or are well again."""
    click.secho(told, fg="yellow", err=True)


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
