# SPDX-License-Identifier: Apache-2.0
"""Commands about the plan file: check, show, schema, verbs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from blackstart.bootstrap import (
    absent_secrets,
    compile_for,
    load_verbs,
    read_located_plan,
    read_plan,
    shapes,
)
from blackstart.cli.lines import fitted
from blackstart.cli.options import as_json, with_plan
from blackstart.model.errors import PlanRejected, Refused
from blackstart.model.graph import critical_path
from blackstart.model.plan import Mode, Plan
from blackstart.model.runbook import MANUAL, ActionSpec, Runbook
from blackstart.model.words import say_count, say_duration
from blackstart.planfile.automation import automation_of
from blackstart.planfile.drills import DRILL
from blackstart.planfile.effective import effective_values, show_effective
from blackstart.planfile.flowchart import flowchart
from blackstart.planfile.problems import lines_of
from blackstart.planfile.schema import plan_schema
from blackstart.planfile.warnings import warnings_of


@click.command()
@with_plan
@as_json
@click.pass_context
def check(ctx: click.Context, plan_path: Path, in_json: bool) -> None:
    """Check the plan file: every problem at once, each with its place and its remedy.

    What is allowed and will hurt (a secret that is not there, a role without deputy) is warned of.
    """
    try:
        located = read_located_plan(plan_path)
    except PlanRejected as rejected:
        if not in_json:
            raise
        click.echo(json.dumps({"valid": False, "problems": rejected.problems}, indent=2))
        ctx.exit(rejected.exit_code)
    plan = located.plan
    flaws = [*warnings_of(plan, datetime.now(UTC).date()), *absent_secrets(plan)]
    warnings = lines_of(flaws, located.places)
    if in_json:
        found = {"valid": True, "systems": list(plan.systems), "warnings": warnings}
        click.echo(json.dumps(found, indent=2))
        return
    for line in warnings:
        click.secho(f"warning: {line}", fg="yellow", err=True)
    click.echo(
        f"{plan_path} is valid: {say_count(len(plan.systems), 'system')}, "
        f"{say_count(len(plan.people), 'person', 'people')}"
        f"{', ' + say_count(len(warnings), 'warning') if warnings else ''}."
    )


def pairs_of(plan: Plan, system: str | None, target: str | None) -> tuple[tuple[str, str], ...]:
    """Return the (system, target) pairs that are asked for. Raises Refused when there are none."""
    if system is not None and system not in plan.systems:
        known = ", ".join(list(plan.systems)[:20])
        raise Refused(f"The plan has no system '{system}'.", f"It has: {known}.")
    chosen = [name for name in plan.systems if system in (None, name)]
    pairs = [(name, one) for name in chosen for one in plan.systems[name].targets]
    found = tuple(pair for pair in pairs if target in (None, pair[1]))
    if not found:
        known = ", ".join(sorted({one for _, one in pairs}))
        raise Refused(f"There is no target '{target}'.", f"There is: {known}.")
    return found


def mode_of(target: str) -> Mode:
    """Return the mode in which a target is used."""
    return Mode.DRILL if target == DRILL else Mode.RECOVERY


@click.command()
@with_plan
@click.argument("system", required=False)
@click.option("--target", help="Only this target.")
@click.option("--effective", is_flag=True, help="Every value in force, and where it is written.")
@click.option("--mermaid", is_flag=True, help="A flowchart in Mermaid's language.")
@as_json
def show(
    plan_path: Path,
    system: str | None,
    target: str | None,
    effective: bool,
    mermaid: bool,
    in_json: bool,
) -> None:
    """Show the procedure of SYSTEM as it would run: steps, actions, what waits for what."""
    if effective:
        _show_effective(plan_path, system, in_json)
        return
    plan = read_plan(plan_path)
    runbooks = [
        compile_for(plan, name, place, mode_of(place))
        for name, place in pairs_of(plan, system, target)
    ]
    if in_json:
        click.echo(json.dumps([_as_json(runbook) for runbook in runbooks], indent=2))
        return
    for runbook in runbooks:
        if mermaid:
            click.echo(flowchart(runbook), nl=False)
        else:
            _show(runbook)


def _show_effective(plan_path: Path, system: str | None, in_json: bool) -> None:
    located = read_located_plan(plan_path)
    pairs_of(located.plan, system, None)
    within = ("systems", system) if system else ()
    if in_json:
        rows = [
            {"path": ".".join(path), "value": value, "origin": str(origin)}
            for path, value, origin in effective_values(located)
            if path[: len(within)] == within
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for line in show_effective(located, within):
        click.echo(line)


def _as_json(runbook: Runbook) -> dict[str, Any]:
    expected_s, path = critical_path(runbook)
    automation = automation_of(runbook.steps)
    return {
        "system": runbook.system,
        "target": runbook.target,
        "automation": {
            **msgspec.to_builtins(automation),
            "actions_percent": automation.actions_percent,
            "time_percent": automation.time_percent,
        },
        "expected_s": expected_s,
        "critical_path": path,
        "steps": msgspec.to_builtins(runbook.steps),
    }


def _show(runbook: Runbook) -> None:
    expected_s, path = critical_path(runbook)
    click.secho(f"{runbook.system} → {runbook.target}", bold=True)
    for step in runbook.steps:
        gate = f"  gate: {step.gate}" if step.gate else ""
        owner = f"  owner: {step.owner}" if step.owner else ""
        click.echo(fitted(f"  {step.name}  ({step.title}){owner}{gate}"))
        for action in step.do:
            _show_action(action, is_critical=f"{step.name}.{action.name}" in path)
        for notice in step.notices:
            click.echo(fitted(f"     tell {notice.audience} by {notice.channel}: {notice.kind}"))
    click.echo(f"  expected along the critical path (*): {say_duration(expected_s)}")
    click.secho(f"  {automation_of(runbook.steps)}", bold=True)


def _show_action(action: ActionSpec, *, is_critical: bool) -> None:
    mark = "*" if is_critical else " "
    after = f"  after {', '.join(action.after)}" if action.after else ""
    vantage = f"  from {action.vantage}" if action.vantage else ""
    took = say_duration(action.expected_s)
    click.echo(fitted(f"   {mark} {action.name:12} {action.use:28} {took:>10}{vantage}{after}"))
    if action.use == MANUAL:
        click.echo(fitted(f"       {action.params.get('text', '')}", under=7))


@click.command()
def schema() -> None:
    """Print the JSON Schema of the plan file, with every verb that is installed here."""
    click.echo(json.dumps(plan_schema(shapes()), indent=2))


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
