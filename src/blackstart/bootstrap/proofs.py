# SPDX-License-Identifier: Apache-2.0
"""Looking at production from outside, and proving restore points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from blackstart.bootstrap.home import Home
from blackstart.bootstrap.verbs import shapes
from blackstart.engine.acting import verified_points
from blackstart.engine.offered import build, load_verbs
from blackstart.model import events as ev
from blackstart.model.errors import Refused
from blackstart.model.plan import Plan, StateItem
from blackstart.ports.action import Action, Check, Context, Done, Failed, Outcome
from blackstart.ports.journal import Entry
from blackstart.world.clock import countdown
from blackstart.world.random import nonce

_PROOF_LIMIT_S = 6 * 3_600.0


def watching(home: Home, plan: Plan, system: str, target: str) -> Callable[[], Outcome]:
    """Return the plan's watch of a system as a function that looks once, from this process."""
    spec = plan.systems[system].watch
    if spec is None:
        raise Refused(f"The plan has no watch for '{system}'.", "Add `watch:` to the system.")
    check = build(load_verbs(), spec.use, spec.params)
    if not isinstance(check, Check):
        raise Refused(f"'{spec.use}' is no check.", "Watch with a check.")

    def refuse(*_: object) -> NoReturn:
        raise Refused("A watch keeps only evidence.", "Use a check that needs no more.")

    def look() -> Outcome:
        context = Context(
            key="watch",
            marker="watch",
            target=plan.systems[system].targets[target],
            left_s=countdown(home.clock, max(spec.every_s, 2.0)),
            now=home.clock.now,
            cancelled=lambda: False,
            progress=lambda _done, _total, _unit: None,
            keep=home.evidence.keep,
            seal=refuse,
            reveal=home.secrets.reveal,
            remember=refuse,
            verified_points=refuse,
        )
        outcome = check.check(context)
        if isinstance(outcome, Done):
            return outcome
        return replace(
            outcome,
            summary=home.secrets.redact(outcome.summary),
            hint=home.secrets.redact(outcome.hint),
        )

    return look


def prove_backup(home: Home, plan: Plan, system: str, item: StateItem) -> Outcome:
    """Restore the newest backup of a state item for proof; record it as verified or rejected.

    The verb is the item's `check`; its parameters are the system's settings of the same names.
    """
    began = home.clock.now()
    target = next(iter(plan.systems[system].targets.values()))
    known = dict(plan.systems[system].settings) | {"place": target.place}
    wanted = shapes()[item.check].parameters if item.check in shapes() else ()
    action = build(load_verbs(), item.check, {n: v for n, v in known.items() if n in wanted})
    if not isinstance(action, Action):
        raise Refused(f"'{item.check}' restores nothing.", f"Name a proof as check of {item.name}.")
    key = f"verify/{system}/{item.name}/{nonce(4)}"
    context = Context(
        key=key,
        marker=key,
        target=target,
        left_s=countdown(home.clock, _PROOF_LIMIT_S),
        now=home.clock.now,
        cancelled=lambda: False,
        progress=lambda _done, _total, _unit: None,
        keep=home.evidence.keep,
        seal=lambda name, value: home.secrets.put("verify", name, value),
        reveal=home.secrets.reveal,
        remember=lambda _audience, _people: 0,
        verified_points=lambda of: verified_points(home.journal, system, of),
    )
    outcome = action.perform(context)
    proof = _proof(home, system, item.name, outcome, began)
    if proof:
        home.journal.append(ev.INSTALLATION, "backups", [Entry(event=proof)])
    return outcome


def _proof(
    home: Home, system: str, item: str, outcome: Outcome, began: datetime
) -> ev.Event | None:
    """Return what the proof says of a restore point, None when none was judged."""
    if isinstance(outcome, Failed):
        if not outcome.subject:
            return None
        return ev.RestorePointRejected(
            system=system, item=item, point=outcome.subject, reason=outcome.summary
        )
    outputs = outcome.outputs
    checked = outputs.get("checked")
    return ev.RestorePointVerified(
        system=system,
        item=item,
        point=str(outputs["point"]),
        taken_at=datetime.fromisoformat(str(outputs["taken_at"])),
        checked=tuple(str(name) for name in checked) if isinstance(checked, list) else (),
        took_s=(home.clock.now() - began).total_seconds(),
        evidence=outcome.evidence[0] if outcome.evidence else "",
    )
