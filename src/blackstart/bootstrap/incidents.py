# SPDX-License-Identifier: Apache-2.0
"""Incidents of an installation: opening, steering by people, and what drives them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from blackstart.bootstrap.home import Home
from blackstart.bootstrap.verbs import compile_for, read_located_plan
from blackstart.engine.history import AT_MOST, usual_times
from blackstart.engine.installation import Installation
from blackstart.engine.offered import load_verbs
from blackstart.model import commands
from blackstart.model import events as ev
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.authority import require_known
from blackstart.model.codec import to_bytes
from blackstart.model.errors import BlackstartError, JournalFailed, Refused
from blackstart.model.incident import Incident, advance, fold
from blackstart.model.plan import Mode, Plan
from blackstart.model.runbook import Runbook
from blackstart.model.states import IncidentState
from blackstart.planfile.load import load_plan
from blackstart.ports.journal import Entry
from blackstart.ports.secrets import PREFIX
from blackstart.reports.postmortem import draft_postmortem
from blackstart.world.crew import Threads
from blackstart.world.process_name import is_surely_dead, own_name
from blackstart.world.random import nonce

WATCH = "watch"  # who reports when nobody has to


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
    home.mirrors.look()
    located = read_located_plan(plan_path)
    if by != WATCH:
        require_known(located.plan, by)
    for system in systems:
        _refuse_unknown(located.plan, system)
        compile_for(located.plan, system, target, mode)
        _refuse_second(home, system, mode)
    name = f"{home.clock.now():%Y%m%d-%H%M%S}-{systems[0]}-{nonce(2)}"
    reported = ev.IncidentReported(
        systems=systems,
        mode=mode,
        target=target,
        summary=summary,
        outage_start=outage_start,
        plan=home.evidence.keep(plan_path.name, located.content),
        last_good=last_good,
        sightings=sightings,
        usual=usual_times(_newest_histories(home), systems),
    )
    home.journal.append(name, by, [Entry(event=reported)], expect_seq=0)
    return name


def _refuse_unknown(plan: Plan, system: str) -> None:
    if system not in plan.systems:
        known = ", ".join(plan.systems)
        raise Refused(f"The plan has no system '{system}'.", f"It has: {known}.")


def _newest_histories(home: Home) -> Iterator[tuple[ev.Fact, ...]]:
    """Yield the facts of the newest incidents; one that cannot be read teaches nothing."""
    chains = [name for name in home.journal.chains() if name != ev.INSTALLATION]
    for name in chains[-AT_MOST:]:
        with suppress(BlackstartError):
            yield home.journal.read(name)


def _refuse_second(home: Home, system: str, mode: Mode) -> None:
    """Refuse to open two incidents for one outage: two recoveries would fight over one target."""
    for incident in incidents(home):
        is_open = incident.state not in (IncidentState.CLOSED, IncidentState.STOOD_DOWN)
        is_over = incident.state is IncidentState.RESTORED
        same = system in incident.reported.systems and incident.reported.mode == mode
        if is_open and not is_over and same:
            raise Refused(
                f"{incident.id} is open for {system} already.",
                f"Add what you see to it: `blackstart assess {incident.id} TEXT --as YOU`.",
            )


def incidents(home: Home) -> tuple[Incident, ...]:
    """Return every incident of the installation that can be read, oldest first."""
    return tuple(found for _, found in read_incidents(home) if isinstance(found, Incident))


def read_incidents(
    home: Home, but: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Incident | BlackstartError]]:
    """Yield every incident by name, oldest first; a damaged one as the error that it is."""
    for name in home.journal.chains():
        if name == ev.INSTALLATION or name in but:
            continue
        try:
            yield name, fold(home.journal.read(name))
        except BlackstartError as error:
            yield name, error
        except (KeyError, ValueError) as error:  # facts that do not follow from each other
            yield (
                name,
                JournalFailed(
                    f"The facts of {name} do not fit together ({type(error).__name__}: {error}).",
                    "See what `blackstart journal verify` says; the other incidents go on.",
                ),
            )


def order(
    home: Home, incident: str, make: Callable[[Known, Incident], tuple[ev.Event, ...]], *, by: str
) -> Incident:
    """Record what a person orders, judged on the newest facts, and return the incident after it.

    `make` turns what is known into facts or refuses; it is called again when another fact came
    in between. Raises Refused, NotAuthorised, Superseded, JournalFailed.
    """
    home.mirrors.look()
    while True:
        state = incident_named(home, incident)
        plan, runbooks = in_force(home, state)
        known = Known(
            plan=plan,
            runbooks=runbooks,
            now=max(home.clock.now(), state.last_at),
            unprotected=_unprotected(home, plan, state),
        )
        entries = [Entry(event=event) for event in make(known, state)]
        try:
            facts = home.journal.append(incident, by, entries, expect_seq=state.seq)
        except Refused:
            if not home.journal.read(incident, state.seq):
                raise
            continue
        for fact in facts:
            state = advance(state, fact)
        return state


def give_answer(
    home: Home, incident: str, ask: str, text: str, *, by: str, why: str, how: str
) -> Incident:
    """Record an answer to a question and what follows from it; see `order`."""
    given = Answer(text=text, by=by, why=why, how=how)
    return order(home, incident, lambda known, state: answer(known, state, ask, given), by=by)


def incident_named(home: Home, name: str) -> Incident:
    """Return the incident. Raises Refused when there is none of that name."""
    facts = home.journal.read(name)
    if not facts:
        raise Refused(f"There is no incident '{name}'.", "`blackstart status` lists them.")
    return fold(facts)


def in_force(home: Home, incident: Incident) -> tuple[Plan, Mapping[str, Runbook]]:
    """Return the plan that is in force and the procedure of each system.

    A run that was started keeps the procedure that was pinned then, also when the profile of a
    newer Blackstart would give another one; only an amendment replaces it.
    """
    plan = pinned_plan(home, incident.plan)
    pinned = {run.started.system: run.started.runbook for run in incident.runs.values()}
    pinned |= incident.runbooks
    reported = incident.reported
    runbooks = {
        system: _pinned_runbook(home, pinned[system])
        if pinned.get(system)
        else compile_for(plan, system, reported.target, reported.mode)
        for system in reported.systems
    }
    for system, runbook in runbooks.items():
        home.evidence.keep(f"runbook-{system}.json", to_bytes(runbook))
    return plan, runbooks


def _pinned_runbook(home: Home, digest: str) -> Runbook:
    return msgspec.json.decode(home.evidence.fetch(digest), type=Runbook)


def _unprotected(home: Home, plan: Plan, incident: Incident) -> tuple[str, ...]:
    """Return the state items without a backup that was proven since service came back."""
    ended = incident.restored_at
    if incident.reported.mode != Mode.RECOVERY or ended is None:
        return ()
    proven = {
        (fact.event.system, fact.event.item)
        for fact in home.journal.read(ev.INSTALLATION)
        if isinstance(fact.event, ev.RestorePointVerified) and fact.at > ended
    }
    return tuple(
        f"{item.name} of {system}"
        for system in incident.reported.systems
        for item in plan.systems[system].state
        if not item.not_protected and (system, item.name) not in proven
    )


def house_of(home: Home, incident: str) -> Installation:
    """Return what a driver of this incident works with: the plan in force, compiled."""
    plan, runbooks = in_force(home, incident_named(home, incident))
    home.secrets.know(secrets_in(plan, runbooks), runs=incident)

    def draft(_incident: Incident, facts: Iterable[ev.Fact]) -> bytes:
        return draft_postmortem(tuple(facts), runbooks, plan).encode()

    return Installation(
        journal=home.mirrors.guarded_journal,
        evidence=home.evidence,
        secrets=home.secrets,
        clock=home.clock,
        crew=Threads(),
        plan=plan,
        runbooks=runbooks,
        verbs=load_verbs(),
        draft=draft,
        redact=home.secrets.redact,
        probe=(sys.executable, "-m", "blackstart", "probe"),
        holder=f"driver@{own_name()}",
        is_gone=is_surely_dead,
        say_mirrors=home.mirrors.say_faults,
        replan=lambda _digest: house_of(home, incident),
    )


def secrets_in(plan: Plan, runbooks: Mapping[str, Runbook]) -> Iterator[str]:
    """Yield the reference of every secret that the plan and its procedures name."""
    yield from _references([channel.params for channel in plan.channels.values()])
    for system in plan.systems.values():
        yield from _references(system.settings)
        yield from _references([target.values for target in system.targets.values()])
    for runbook in runbooks.values():
        yield from _references([action.params for step in runbook.steps for action in step.do])


def _references(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.startswith(PREFIX):
        yield value
    elif isinstance(value, Mapping):
        yield from _references(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _references(part)


def amend_plan(home: Home, incident: str, plan_path: Path, *, by: str, why: str) -> Incident:
    """Put another plan in force for the steps that are still to come; see `commands.amend`."""
    located = read_located_plan(plan_path)
    plan = located.plan
    digest = home.evidence.keep(plan_path.name, located.content)

    def make(known: Known, state: Incident) -> tuple[ev.Event, ...]:
        reported = state.reported
        gone = [system for system in reported.systems if system not in plan.systems]
        if gone:
            raise Refused(f"The new plan lacks {', '.join(gone)}.", "Keep the systems.")
        new = {
            system: compile_for(plan, system, reported.target, reported.mode)
            for system in reported.systems
        }
        for system, runbook in new.items():
            home.evidence.keep(f"runbook-{system}.json", to_bytes(runbook))
        return commands.amend(known.plan, (known.runbooks, new), state, digest, by=by, why=why)

    return order(home, incident, make, by=by)


def pinned_plan(home: Home, digest: str) -> Plan:
    """Return the plan that was pinned under this digest. Raises WorldFailed when it is gone."""
    home.evidence.fetch(digest)  # refuses content that no longer matches its name
    return load_plan(home.folder / "evidence" / digest[:2] / digest)
