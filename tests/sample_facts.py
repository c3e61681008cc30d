# SPDX-License-Identifier: Apache-2.0
"""A complete drill as facts, made by a small simulation of the ten steps; shared by many tests.

Steps and actions wait for one another as a runbook says, so the times fit together: parallel
steps, a gate, notices, evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from blackstart.model.codec import GENESIS, decode_fact, digest_of, encode_fact
from blackstart.model.events import (
    ActionEnded,
    ActionStarted,
    AskAnswered,
    AskOpened,
    EstimateMade,
    Event,
    Fact,
    IncidentReported,
    MeasureTaken,
    NoticeQueued,
    NoticeSettled,
    Option,
    PostmortemDrafted,
    RecoveryActivated,
    RunEnded,
    RunStarted,
    Sighting,
    StepEnded,
    StepStarted,
)
from blackstart.model.runbook import ASSESS_IMPACT, POLICY_STEPS
from tests.sample_steps import SYSTEM, Act, sample_lines

INCIDENT = "2026-11-23-1"
RUN = f"{INCIDENT}/flowfuse-cloud"
OUTAGE_START = datetime(2026, 11, 23, 3, 2, 11, 240_000, tzinfo=UTC)

LINES = {line.name: line for line in sample_lines()}
GATE_S = 2.0
FAILURE = "The credentials of 1 of 1 instances do not decrypt with the restored secret"
HINT = "Put the credential secret of the manifest into the settings row, then answer “retry”"


@dataclass(slots=True, kw_only=True)
class Simulation:
    """Facts in the making: seconds since the outage, who, what."""

    events: list[tuple[float, str, Event]] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)  # step or step.action → seconds
    stop_at: str = ""

    def add(self, at_s: float, event: Event, actor: str = "blackstart") -> None:
        """Note an event."""
        self.events.append((at_s, actor, event))

    def facts(self) -> tuple[Fact, ...]:
        """Return the events as chained facts in the order of their times."""
        return chain(
            (OUTAGE_START + timedelta(seconds=at_s), actor, event)
            for at_s, actor, event in sorted(self.events, key=lambda each: each[0])
        )


def chain(events: Iterable[tuple[datetime, str, Event]]) -> tuple[Fact, ...]:
    """Return events as facts of one chain, encoded and decoded as the journal does."""
    facts: list[Fact] = []
    previous = GENESIS
    for seq, (at, actor, event) in enumerate(events, start=1):
        facts.append(decode_fact(encode_fact(INCIDENT, seq, at, actor, event, previous)))
        previous = facts[-1].digest
    return tuple(facts)


def complete_drill() -> tuple[Fact, ...]:
    """Return the facts of a drill in which every step was verified."""
    world = Simulation()
    _notify(world)
    _recover(world)
    done_s = world.ends["announce_recovery"]
    world.add(done_s + 0.01, RunEnded(run=RUN, outcome="recovered"))
    _tell(world, done_s + 0.02, "restored", "incident", "everyone", 1, "", 0.05)
    _tell(world, done_s + 0.02, "restored", "staff", "role:ceo", 1, "", 0.06)
    world.add(done_s + 0.12, PostmortemDrafted(document=digest_of(b"draft")))
    text = "The post-mortem draft is ready. Complete it, then sign it off."
    world.add(done_s + 0.13, _commanded("signoff", "signoff", text))
    return world.facts()


def stopped_drill(stop_at: str = "restore_data.credentials") -> tuple[Fact, ...]:
    """Return the facts of a drill that stopped at an action (`step.action`)."""
    world = Simulation(stop_at=stop_at)
    _notify(world)
    _recover(world)
    return world.facts()


def half_done(after_s: float) -> tuple[Fact, ...]:
    """Return the facts of the good drill up to so many seconds after the outage began."""
    until = OUTAGE_START + timedelta(seconds=after_s)
    return tuple(fact for fact in complete_drill() if fact.at <= until)


def evidence_of(step: str, action: str) -> str:
    """Return the digest of the artefact that an action of the sample keeps."""
    return digest_of(f"{step}.{action}".encode())


def _notify(world: Simulation) -> None:
    lost = Sighting(
        subject="public name", condition="lost", seen="no answer", evidence=digest_of(b"watch")
    )
    world.add(
        3.21,
        IncidentReported(
            systems=(SYSTEM,),
            mode="drill",
            target="drill",
            summary="https://app.flowfuse.test gives no answer from outside, 3 times in a row",
            outage_start=OUTAGE_START,
            plan=digest_of(b"plan"),
            last_good=OUTAGE_START - timedelta(seconds=1),
            sightings=(lost,),
        ),
        "watch",
    )
    text = "flowfuse-cloud gives no answer. Outage since 03:02:11 UTC. Do you take it on?"
    _ask(world, 3.23, 1.0, _commanded("acknowledge", "acknowledge", text), "acknowledged")
    _tell(world, 4.25, "announced", "incident", "everyone", 1, "", 0.05)
    for team, members in (("engineering", ("p4", "p5")), ("devops", ("p6",))):
        found_out = "what is lost and what still works, and is the cause known?"
        world.add(
            4.26,
            AskOpened(
                ask=f"question:{team}",
                kind="question",
                text=f"{team}: {found_out}",
                role=f"team:{team}",
                persons=members,
            ),
        )
        for person in members:
            _tell(world, 4.27, "asked", "staff", f"person:{person}", 1, "", 0.08)
    world.add(
        4.27,
        RunStarted(
            run=RUN,
            system=SYSTEM,
            target="drill",
            mode="drill",
            marker=RUN,
            runbook=digest_of(b"runbook"),
        ),
    )
    _take_step(world, ASSESS_IMPACT, 4.28)
    ready_s = world.ends[ASSESS_IMPACT]
    world.add(
        ready_s + 0.02,
        EstimateMade(
            run=RUN,
            expected_s=68.0,
            goal_s=86_400.0,
            basis="the plan's expected times along the critical path; there is no history yet",
            critical_path=("assess_damage.outside", "restore_data.start", "update_dns.serves"),
        ),
    )
    _activate(world, ready_s + 0.04)


def _activate(world: Simulation, at_s: float) -> None:
    asked = _commanded("decision", "decision", "Activate the Recovery phase?")
    asked = replace(
        asked,
        facts=(
            "public name: intact (resolves at the authoritative server)",
            "platform: lost (no process)",
            "database: lost (no process, no files)",
            "backups: intact (2 backups, WAL without gaps)",
            "a rebuild is expected to take 1 min 08 s, within the goal of 24 h",
        ),
        options=(
            Option(name="rebuild", meaning="build a new environment and restore the data"),
            Option(name="stand-down", meaning="no recovery is needed"),
        ),
    )
    _ask(world, at_s, 2.0, asked, "rebuild")
    begun_s = at_s + 2.01
    world.add(
        begun_s,
        RecoveryActivated(
            by="p1",
            option="rebuild",
            why="drill: the data and the platform are lost",
            facts=asked.facts,
            how="automatic",
        ),
        "p1",
    )
    world.ends["activated"] = begun_s
    _tell(world, begun_s + 0.01, "activated", "incident", "everyone", 1, "", 0.06)
    _tell(world, begun_s + 0.01, "activated", "staff", "teams", 3, "", 0.11)
    _tell(world, begun_s + 0.01, "activated", "staff", "role:ceo", 1, "", 0.09)


def _commanded(ask: str, kind: str, text: str, step: str = "") -> AskOpened:
    return AskOpened(
        ask=ask,
        kind=kind,
        text=text,
        role="incident_commander",
        persons=("p1",),
        due_at=OUTAGE_START + timedelta(seconds=603),
        run=RUN if step else "",
        step=step,
    )


def _ask(world: Simulation, at_s: float, wait_s: float, asked: AskOpened, answer: str) -> None:
    world.add(at_s, asked)
    _tell(world, at_s + 0.01, "asked", "staff", "person:p1", 1, "", 0.07)
    why = "drill: every check before it has passed" if asked.kind == "gate" else "drill"
    given = AskAnswered(ask=asked.ask, answer=answer, by="p1", why=why, how="automatic")
    world.add(at_s + wait_s, given, "p1")


def _tell(
    world: Simulation,
    at_s: float,
    kind: str,
    channel: str,
    audience: str,
    count: int,
    step: str,
    took_s: float,
) -> None:
    notice = f"{kind}/{step or at_s}/{channel}/{audience}"
    subjects = {
        "outage": "[DRILL] flowfuse-cloud is unavailable",
        "recovered": "[DRILL] flowfuse-cloud is available again",
    }
    world.add(
        at_s,
        NoticeQueued(
            notice=notice,
            kind=kind,
            channel=channel,
            audience=audience,
            recipients=count,
            subject=subjects.get(kind, f"[DRILL] {kind}"),
            body=digest_of(notice.encode()),
            run=RUN if step else "",
            step=step,
        ),
    )
    receipt = digest_of(f"{notice} receipts".encode())
    world.add(
        at_s + took_s,
        NoticeSettled(notice=notice, accepted=count, refused=0, uncertain=0, receipt=receipt),
    )


def _recover(world: Simulation) -> None:
    begun_s = world.ends["activated"]
    for name, after in [(line.name, line.after) for line in LINES.values()][1:]:
        if any(step not in world.ends for step in after):
            continue
        ready_s = max([begun_s + 0.02, *(world.ends[step] for step in after)])
        if name == "update_dns":
            _measure_data(world, ready_s)
            text = "Update DNS and other records: everything before it is verified. Go?"
            gate = _commanded("gate:update_dns", "gate", text, name)
            _ask(world, ready_s + 0.01, GATE_S, gate, "go")
            ready_s += 0.01 + GATE_S
        _take_step(world, name, ready_s + 0.01)


def _take_step(world: Simulation, name: str, at_s: float) -> None:
    world.add(at_s, StepStarted(run=RUN, step=name))
    end_s = at_s + 0.01
    for act in LINES[name].acts:
        own = {f"{name}.{each}" for each in act.after} | set(act.after)
        waits = [world.ends[each] for each in own if each in world.ends]
        if len(waits) < len(act.after):
            continue
        start_s = max([at_s + 0.01, *(each + 0.01 for each in waits)])
        end_s = max(end_s, _act(world, name, act, start_s))
        if f"{name}.{act.name}" == world.stop_at:
            _stop(world, name, act, end_s)
            return
    end_s = _tell_users(world, name, end_s)
    world.ends[name] = end_s + 0.01
    world.add(end_s + 0.01, StepEnded(run=RUN, step=name, outcome="verified"))
    if name == "update_dns":
        _measure_service(world, end_s)


def _act(world: Simulation, step: str, act: Act, start_s: float) -> float:
    action, took_s = act.name, act.takes_s
    key = f"{RUN}/{step}/{action}/1"
    world.add(start_s, ActionStarted(run=RUN, step=step, action=action, attempt=1, key=key))
    if f"{step}.{action}" == world.stop_at:
        world.add(
            start_s + took_s,
            ActionEnded(
                run=RUN,
                step=step,
                action=action,
                key=key,
                outcome="failed",
                summary=FAILURE,
                hint=HINT,
                evidence=(evidence_of(step, action),),
            ),
        )
        return start_s + took_s
    lost = tuple(
        Sighting(subject=subject, condition=condition, seen=seen)
        for subject, condition, seen in _seen(action)
    )
    sightings = lost if step in {"assess_damage", ASSESS_IMPACT} else ()
    world.add(
        start_s + took_s,
        ActionEnded(
            run=RUN,
            step=step,
            action=action,
            key=key,
            outcome="done",
            summary=act.says,
            evidence=(evidence_of(step, action),),
            sightings=sightings,
        ),
    )
    world.ends[f"{step}.{action}"] = start_s + took_s
    return start_s + took_s


def _seen(action: str) -> tuple[tuple[str, str, str], ...]:
    found = {
        "outside": (
            ("public name", "intact", "resolves at the authoritative server"),
            ("TLS front", "lost", "no answer on 443"),
            ("instances", "lost", "0 of 2 answer"),
        ),
        "site": (("platform", "lost", "no process"), ("database", "lost", "no process, no files")),
        "backups": (("backups", "intact", "2 backups, WAL without gaps"),),
    }
    return found.get(action, ())


def _stop(world: Simulation, step: str, act: Act, end_s: float) -> None:
    world.add(
        end_s + 0.01, StepEnded(run=RUN, step=step, outcome="failed", reason=f"{act.name} failed")
    )
    text = f"'{POLICY_STEPS[step]}' of {SYSTEM} failed: {act.name}"
    world.add(end_s + 0.02, _commanded(f"stopped:{RUN}:{step}:1", "stopped", text, step))
    _tell(world, end_s + 0.03, "stopped", "incident", "everyone", 1, "", 0.05)


def _tell_users(world: Simulation, step: str, at_s: float) -> float:
    kind = {"notify_users": "outage", "announce_recovery": "recovered"}.get(step)
    if kind is None:
        return at_s
    _tell(world, at_s + 0.01, kind, "users", "affected", 4, step, 0.19)
    _tell(world, at_s + 0.02, kind, "status", "everyone", 1, step, 0.03)
    return at_s + 0.20


def _measure_data(world: Simulation, at_s: float) -> None:
    recovered_to = OUTAGE_START - timedelta(seconds=0.06)
    world.add(
        at_s,
        MeasureTaken(
            name="rpo:database",
            start=recovered_to,
            end=OUTAGE_START,
            system=SYSTEM,
            label="at most: from the last recovered transaction to the start of the outage",
            is_bound=True,
        ),
    )


def _measure_service(world: Simulation, end_s: float) -> None:
    first_s = world.ends["update_dns.answers"] + 0.9
    at = {"first_service": first_s, "full_service": world.ends["update_dns.serves"]}
    for number, (name, end) in enumerate(at.items()):
        world.add(
            end_s + 0.011 + number / 1000,
            MeasureTaken(
                name=name,
                start=OUTAGE_START,
                end=OUTAGE_START + timedelta(seconds=end),
                system=SYSTEM,
            ),
        )
