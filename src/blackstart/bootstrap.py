# SPDX-License-Identifier: Apache-2.0
"""The one module that knows everybody: puts an installation together from its parts."""

from __future__ import annotations

import dataclasses
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn

from blackstart.engine.acting import verified_points
from blackstart.engine.installation import Installation, build
from blackstart.model import events as ev
from blackstart.model.asks import answer as answers_of
from blackstart.model.errors import Refused
from blackstart.model.incident import Incident, fold
from blackstart.model.plan import Mode, Plan, StateItem
from blackstart.model.runbook import Runbook
from blackstart.planfile.compile import compile_runbook
from blackstart.planfile.load import load_plan
from blackstart.planfile.verb_shape import VerbShape
from blackstart.ports.action import Action, Check, Context, Failed, Outcome
from blackstart.ports.journal import Entry, EvidenceStore, Journal
from blackstart.reports.postmortem import draft_postmortem
from blackstart.store.evidence import open_evidence
from blackstart.store.secretbox import SealedBox, open_secret_box
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock
from blackstart.world.random import nonce

PROVIDERS = "blackstart.providers.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of one installation, opened: its record, its evidence, its secrets."""

    folder: Path
    journal: Journal
    evidence: EvidenceStore
    secrets: SealedBox
    clock: SystemClock


def open_home(folder: Path) -> Home:
    """Open the installation's folder; it is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock = SystemClock()
    return Home(
        folder=folder,
        journal=open_journal(folder / "journal.db", clock),
        evidence=open_evidence(folder / "evidence"),
        secrets=open_secret_box(folder),
        clock=clock,
    )


@cache
def load_verbs() -> Mapping[str, type[Any]]:
    """Return every verb that is installed, built-in or not, by one door: the entry points."""
    verbs: dict[str, type[Any]] = {}
    for entry in entry_points(group=PROVIDERS):
        for name, provider in entry.load().PROVIDES.items():
            verbs[f"{entry.name}.{name}"] = provider
    return verbs


@cache
def shapes() -> Mapping[str, VerbShape]:
    """Return what the plan file may say of each verb."""
    return {name: _shape(provider) for name, provider in load_verbs().items()}


def _shape(provider: type[Any]) -> VerbShape:
    fields = dataclasses.fields(provider)
    missing = dataclasses.MISSING
    required = (f for f in fields if f.default is missing and f.default_factory is missing)
    kinds = {"perform": "action", "check": "check", "send": "channel"}
    return VerbShape(
        kind=next(kind for method, kind in kinds.items() if hasattr(provider, method)),
        parameters=tuple(f.name.rstrip("_") for f in fields),
        required=tuple(f.name.rstrip("_") for f in required),
        outputs=tuple(getattr(provider, "outputs", {})),
    )


def read_plan(path: Path) -> Plan:
    """Return the plan, checked against every verb. Raises PlanRejected with all problems."""
    return load_plan(path, shapes())


def compile_for(plan: Plan, system: str, target: str, mode: str) -> Runbook:
    """Return the runbook of one system, with the outputs that the verbs declare."""
    outputs = {name: frozenset(shape.outputs) for name, shape in shapes().items()}
    return compile_runbook(plan, system, target, Mode(mode), outputs)


def report_incident(
    home: Home,
    plan_path: Path,
    *,
    systems: tuple[str, ...],
    mode: Mode,
    target: str,
    summary: str,
    outage_start: datetime,
    by: str,
    last_good: datetime | None = None,
    sightings: tuple[ev.Sighting, ...] = (),
) -> str:
    """Open an incident with the plan pinned as it is now, and return its name.

    Raises PlanRejected when the plan cannot be used; nothing is opened then.
    """
    plan = read_plan(plan_path)
    for system in systems:
        if system not in plan.systems:
            known = ", ".join(plan.systems)
            raise Refused(f"The plan has no system '{system}'.", f"It has: {known}.")
        compile_for(plan, system, target, mode)
    name = f"{home.clock.now():%Y%m%d-%H%M%S}-{systems[0]}-{nonce(2)}"
    reported = ev.IncidentReported(
        systems=systems,
        mode=mode,
        target=target,
        summary=summary,
        outage_start=outage_start,
        plan=home.evidence.keep(plan_path.name, plan_path.read_bytes()),
        last_good=last_good,
        sightings=sightings,
    )
    home.journal.append(name, by, [Entry(event=reported)], expect_seq=0)
    return name


def incidents(home: Home) -> tuple[Incident, ...]:
    """Return every incident of the installation, oldest first."""
    chains = (name for name in home.journal.chains() if name != ev.INSTALLATION)
    return tuple(fold(home.journal.read(name)) for name in chains)


def give_answer(
    home: Home, incident: str, ask: str, text: str, *, by: str, why: str, how: str
) -> None:
    """Record an answer and what follows from it. Raises Refused, NotAuthorised, JournalFailed.

    When another fact comes in between, the answer is judged again on the newer state.
    """
    while True:
        facts = home.journal.read(incident)
        if not facts:
            raise Refused(f"There is no incident '{incident}'.", "`blackstart status` lists them.")
        state = fold(facts)
        plan = pinned_plan(home, state.reported.plan)
        events = answers_of(plan, state, ask, answer=text, by=by, why=why, how=how)
        try:
            home.journal.append(
                incident, by, [Entry(event=event) for event in events], expect_seq=state.seq
            )
        except Refused:
            if len(home.journal.read(incident, state.seq)) == 0:
                raise
            continue
        return


def house_of(home: Home, incident: str) -> Installation:
    """Return what a driver of this incident works with: the plan that was pinned, compiled."""
    facts = home.journal.read(incident)
    if not facts:
        raise Refused(f"There is no incident '{incident}'.", "`blackstart status` lists them.")
    reported = fold(facts[:1]).reported
    plan = pinned_plan(home, reported.plan)
    runbooks = {
        system: compile_for(plan, system, reported.target, reported.mode)
        for system in reported.systems
    }

    def draft(_incident: Incident, facts: Iterable[ev.Fact]) -> bytes:
        return draft_postmortem(tuple(facts), runbooks, plan).encode()

    return Installation(
        journal=home.journal,
        evidence=home.evidence,
        secrets=home.secrets,
        clock=home.clock,
        plan=plan,
        runbooks=runbooks,
        verbs=load_verbs(),
        draft=draft,
        redact=home.secrets.redact,
        probe=(sys.executable, "-m", "blackstart", "probe"),
        holder=f"driver@{socket.gethostname()}:{os.getpid()}",
    )


def pinned_plan(home: Home, digest: str) -> Plan:
    """Return the plan that was pinned under this digest. Raises WorldFailed when it is gone."""
    home.evidence.fetch(digest)  # refuses content that no longer matches its name
    return load_plan(home.folder / "evidence" / digest[:2] / digest)


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
            deadline=home.clock.now() + timedelta(seconds=max(spec.every_s, 2.0)),
            now=home.clock.now,
            cancelled=lambda: False,
            progress=lambda _done, _total, _unit: None,
            keep=home.evidence.keep,
            seal=refuse,
            reveal=home.secrets.reveal,
            remember=refuse,
            verified_points=refuse,
        )
        return check.check(context)

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
        deadline=began + timedelta(hours=6),
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
    home.journal.append(
        ev.INSTALLATION, "backups", [Entry(event=_proof(home, system, item.name, outcome, began))]
    )
    return outcome


def _proof(home: Home, system: str, item: str, outcome: Outcome, began: datetime) -> ev.Event:
    if isinstance(outcome, Failed):
        return ev.RestorePointRejected(
            system=system, item=item, point="newest", reason=outcome.summary
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
