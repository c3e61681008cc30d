# SPDX-License-Identifier: Apache-2.0
"""Commands about backups: prove a restore point by restoring it."""

from __future__ import annotations

from pathlib import Path

import click

from blackstart.bootstrap import load_verbs, open_home, prove_backup, read_plan
from blackstart.cli.options import with_home, with_plan
from blackstart.model.errors import Refused, WorldFailed
from blackstart.ports.action import Failed


@click.group()
def backups() -> None:
    """Prove restore points by restoring them."""


@backups.command()
@with_home
@with_plan
@click.argument("system")
def verify(home: Path, plan_path: Path, system: str) -> None:
    """Restore the newest backup of each state item of SYSTEM, query it, throw it away."""
    plan = read_plan(plan_path)
    if system not in plan.systems:
        raise Refused(f"The plan has no system '{system}'.", f"It has: {', '.join(plan.systems)}.")
    opened = open_home(home)
    for item in plan.systems[system].state:
        if item.not_protected:
            click.echo(f"{item.name}: not protected ({item.not_protected})")
            continue
        if item.check not in load_verbs():
            click.echo(f"{item.name}: a drill proves it ({item.check}); no verb restores it alone")
            continue
        outcome = prove_backup(opened, plan, system, item)
        if isinstance(outcome, Failed):
            raise WorldFailed(f"{item.name}: {outcome.summary}", outcome.hint)
        click.echo(f"{item.name}: {outcome.summary}")
