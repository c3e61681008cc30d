# SPDX-License-Identifier: Apache-2.0
"""Commands about the plan file: check, show, schema, verbs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from blackstart.bootstrap import compile_for, load_verbs, read_plan, shapes
from blackstart.cli.options import as_json, with_plan
from blackstart.model.graph import critical_path
from blackstart.model.plan import Mode, Plan
from blackstart.model.runbook import Runbook
from blackstart.model.words import say_count, say_duration
from blackstart.planfile.schema import plan_schema


@click.command()
@with_plan
def check(plan_path: Path) -> None:
    """Check the plan file and compile every system for every target."""
    plan = read_plan(plan_path)
    for system, target in _pairs(plan):
        compile_for(plan, system, target, _mode_of(target))
    click.echo(
        f"{plan_path} is valid: {say_count(len(plan.systems), 'system')}, "
        f"{say_count(len(plan.people), 'person', 'people')}."
    )


def _pairs(plan: Plan) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, target) for name, system in plan.systems.items() for target in system.targets
    )


def _mode_of(target: str) -> Mode:
    return Mode.DRILL if target == "drill" else Mode.RECOVERY


@click.command()
@with_plan
@click.argument("system", required=False)
@click.option("--target", help="Only this target.")
def show(plan_path: Path, system: str | None, target: str | None) -> None:
    """Show the procedure of SYSTEM as it would run: steps, actions, what waits for what."""
    plan = read_plan(plan_path)
    for name, place in _pairs(plan):
        if system in (None, name) and target in (None, place):
            _show(compile_for(plan, name, place, _mode_of(place)))


def _show(runbook: Runbook) -> None:
    expected_s, path = critical_path(runbook)
    click.secho(f"{runbook.system} → {runbook.target}", bold=True)
    for step in runbook.steps:
        gate = f"  gate: {step.gate}" if step.gate else ""
        click.echo(f"  {step.name}  ({step.title}){gate}")
        for action in step.do:
            mark = "*" if f"{step.name}.{action.name}" in path else " "
            after = f"  after {', '.join(action.after)}" if action.after else ""
            vantage = f"  from {action.vantage}" if action.vantage else ""
            took = say_duration(action.expected_s)
            click.echo(f"   {mark} {action.name:12} {action.use:28} {took:>10}{vantage}{after}")
        for notice in step.notices:
            click.echo(f"     tell {notice.audience} by {notice.channel}: {notice.kind}")
    click.echo(f"  expected along the critical path (*): {say_duration(expected_s)}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of the plan file."""
    click.echo(json.dumps(plan_schema(), indent=2))


@click.command()
@as_json
def verbs(in_json: bool) -> None:
    """List every verb: kind, parameters, outputs."""
    found = shapes()
    if in_json:
        rows = {
            name: {
                "kind": shape.kind,
                "parameters": sorted(shape.parameters),
                "required": sorted(shape.required),
                "outputs": sorted(shape.outputs),
            }
            for name, shape in found.items()
        }
        click.echo(json.dumps(rows, indent=2))
        return
    for name in sorted(found):
        line = (load_verbs()[name].__doc__ or "").strip().splitlines()[0]
        click.echo(f"{name:28} {found[name].kind:8} {line}")
