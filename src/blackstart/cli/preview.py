# SPDX-License-Identifier: Apache-2.0
"""The command `preview`: what each action would change, in the order of the work; changes nothing.

Actions are asked with what is known now. What another action hands on is shown as "known after"
it. No secret is read: a preview that asks for one is told that it cannot have it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import click

from blackstart.bootstrap import compile_for, load_verbs, read_plan
from blackstart.cli.lines import fitted
from blackstart.cli.options import as_json, with_plan
from blackstart.cli.plan import mode_of, pairs_of
from blackstart.engine.offered import build
from blackstart.model.errors import BlackstartError, Refused
from blackstart.model.graph import waits_of
from blackstart.model.plan import Plan, Target
from blackstart.model.references import names_in, substitute
from blackstart.model.runbook import MANUAL, ActionSpec, Param, Runbook, StepSpec
from blackstart.planfile.automation import automation_of
from blackstart.ports.action import Action, Context
from blackstart.ports.secrets import PREFIX
from blackstart.world.clock import SystemClock, countdown

_PATIENCE_S = 10.0  # for a preview that looks at the world


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known beforehand of one action."""

    step: str
    action: str
    use: str
    kind: str
    would: str
    params: Mapping[str, Param]
    known_after: tuple[str, ...]


@click.command()
@with_plan
@click.argument("system")
@click.option("--target", default="recovery", show_default=True, help="Where it would go.")
@as_json
def preview(plan_path: Path, system: str, target: str, in_json: bool) -> None:
    """Show what each action of SYSTEM would change, in order. Changes nothing."""
    plan = read_plan(plan_path)
    pairs_of(plan, system, target)
    runbook = compile_for(plan, system, target, mode_of(target))
    seen = tuple(look_ahead(plan, runbook))
    if in_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in seen], indent=2))
        return
    click.secho(f"{runbook.system} → {runbook.target}: nothing is changed by this look", bold=True)
    shown = ""
    for one in seen:
        if one.step != shown:
            shown = one.step
            _show_step(runbook.step(shown))
        _show(one)
    click.secho(f"{automation_of(runbook.steps)}", bold=True)


def _show_step(step: StepSpec) -> None:
    gate = f", after {step.gate} said go" if step.gate else ""
    click.echo(fitted(f"{step.name} ({step.title}){gate}"))
    for notice in step.notices:
        click.echo(fitted(f"  {notice.audience} would be told by {notice.channel}: {notice.kind}"))


def _show(one: Seen) -> None:
    click.echo(fitted(f"  {one.action:12} {one.would}", under=15))
    for name in one.known_after:
        click.echo(f"  {'':12} known after {name}")


def look_ahead(plan: Plan, runbook: Runbook) -> Iterator[Seen]:
    """Yield what is known of each action, in an order in which they could run."""
    target = plan.systems[runbook.system].targets[runbook.target]
    for step, action in in_order(runbook):
        later = tuple(dict.fromkeys(names_in(dict(action.params))))
        params = {
            key: substitute(value, {name: f"(known after {name})" for name in later})
            for key, value in action.params.items()
        }
        kind, would = _would(action, later, target)
        yield Seen(
            step=step.name,
            action=action.name,
            use=action.use,
            kind=kind,
            would=would,
            params=params,
            known_after=later,
        )


def in_order(runbook: Runbook) -> Iterator[tuple[StepSpec, ActionSpec]]:
    """Yield every action after all that it waits for, otherwise in the order of the plan."""
    waits = {
        name: found for step in runbook.steps for name, found in waits_of(runbook, step).items()
    }
    left = {f"{step.name}.{one.name}": (step, one) for step in runbook.steps for one in step.do}
    while left:
        ready = next(name for name in left if waits[name].isdisjoint(left))
        yield left.pop(ready)


def _would(action: ActionSpec, later: tuple[str, ...], target: Target) -> tuple[str, str]:
    """Return the kind of the action and what it would do, in a sentence."""
    if action.use == MANUAL:
        known = {name: f"(known after {name})" for name in later}
        return "by hand", f"by hand: {substitute(action.params.get('text', ''), known)}"
    provider = load_verbs()[action.use]
    if hasattr(provider, "check"):
        meaning = (provider.__doc__ or "").strip().partition("\n")[0]
        return "check", f"looks only: {meaning}"
    secret = {
        field.name.rstrip("_")
        for field in dataclasses.fields(provider)
        if "SecretRef" in str(field.type)
    }
    params = {
        key: substitute(
            value,
            {name: f"{PREFIX if key in secret else ''}(known after {name})" for name in later},
        )
        for key, value in action.params.items()
    }
    try:
        built = build(load_verbs(), action.use, params)
        if isinstance(built, Action):
            return "action", built.preview(_context(target))
    except BlackstartError as error:
        return "action", f"cannot be previewed: {error.what}"
    except (OSError, ValueError) as error:
        return "action", f"cannot be previewed: {error}"
    return "action", "cannot be previewed"


def _context(target: Target) -> Context:
    clock = SystemClock()

    def refuse(*_: object) -> NoReturn:
        raise Refused("A preview reads no secret and keeps nothing.", "Do without it.")

    return Context(
        key="preview",
        marker="preview",
        target=target,
        left_s=countdown(clock, _PATIENCE_S),
        now=clock.now,
        cancelled=lambda: False,
        progress=lambda _done, _total, _unit: None,
        keep=refuse,
        seal=refuse,
        reveal=refuse,
        remember=refuse,
        verified_points=lambda _item: (),
    )
