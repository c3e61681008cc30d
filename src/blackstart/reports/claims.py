# SPDX-License-Identifier: Apache-2.0
"""What a record can prove: named claims, each with the facts that show it and what is missing.

A claim says only what stands in the record. What a machine answered in a person's place counts as
the working of the procedure, never as that person's decision, and is said so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from blackstart.model.events import (
    EstimateMade,
    IncidentClosed,
    IncidentReported,
    PostmortemDrafted,
    RecoveryActivated,
)
from blackstart.model.runbook import POLICY_STEPS
from blackstart.model.words import say_count, say_duration
from blackstart.reports.phrases import plain, say_step, say_time
from blackstart.reports.record import DrillRecord, chain_faults, incident_of
from blackstart.reports.scorecard import Scorecard
from blackstart.reports.spans import (
    ActionSpan,
    AskSpan,
    action_spans,
    ask_spans,
    notice_spans,
    of_kind,
)

TOLD_STEPS = {"notify_users": "outage", "announce_recovery": "recovered"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What shows a claim: sentences with their facts' times, and digests; `missing` is unproven."""

    shown: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The record and its scorecard, as the claims read them."""

    record: DrillRecord
    card: Scorecard

    def name(self, person: str) -> str:
        """Return what a person is called."""
        return plain(self.record.people.get(person, person))

    def done(self, reference: str) -> ActionSpan | None:
        """Return the last attempt at `step.action` when it was done."""
        spans = [each for each in action_spans(self.record.facts) if each.reference == reference]
        return spans[-1] if spans and spans[-1].outcome == "done" else None

    def asks(self, *kinds: str) -> tuple[AskSpan, ...]:
        """Return the questions of these kinds."""
        return tuple(each for each in ask_spans(self.record.facts) if each.asked.kind in kinds)


Claim = Callable[[Seen], Proof]


def identified(seen: Seen) -> Proof:
    """Claim that somebody or something reported the incident."""
    found = incident_of(seen.record.facts)
    if found is None:
        return Proof()
    fact, reported = found
    return Proof(
        shown=(f"{say_time(fact.at)} reported by {plain(fact.actor)}: {plain(reported.summary)}",),
        evidence=tuple(each.evidence for each in reported.sightings if each.evidence),
    )


def answered(seen: Seen, kind: str, what: str) -> Proof:
    """Claim that questions of a kind were asked and answered by persons."""
    asks = seen.asks(kind)
    shown = tuple(_say_answer(seen, each, what) for each in asks if each.answered)
    missing = [f"{what} ({each.asked.ask}) has no answer" for each in asks if not each.answered]
    if any(each.is_automatic for each in asks):
        missing.append("that a person answered: a machine answered in the person's name")
    return Proof(shown=shown, missing=tuple(missing) if shown else ())


def _say_answer(seen: Seen, ask: AskSpan, what: str) -> str:
    assert ask.answered is not None
    by = "in the name of" if ask.is_automatic else "by"
    answer, person = plain(ask.answered.answer), seen.name(ask.answered.by)
    return f"{say_time(ask.ended_at)} {what}: {answer}, {by} {person}"


def asked_teams(seen: Seen) -> Proof:
    """Claim that the teams were asked to gather what is known."""
    asks = seen.asks("question")
    shown = tuple(f"{say_time(each.opened_at)} asked: {plain(each.asked.text)}" for each in asks)
    silent = [plain(each.asked.role.partition(":")[2]) for each in asks if not each.answered]
    missing = (f"an answer of {', '.join(silent)}",) if silent else ()
    return Proof(shown=shown, missing=missing)


def told(seen: Seen, kind: str, *audiences: str) -> Proof:
    """Claim that notices of a kind were taken by their channels; each audience must be among."""
    found = [each for each in notice_spans(seen.record.facts) if each.queued.kind == kind]
    reached = [each for each in found if each.settled and each.settled.accepted]
    shown = tuple(
        f"{say_time(each.settled_at)} {each.queued.channel} to {each.queued.audience}: "
        f"{each.settled.accepted if each.settled else 0} of {each.queued.recipients} taken"
        for each in reached
    )
    names = {each.queued.audience for each in reached}
    missing = tuple(f"that {name} was told" for name in audiences if name not in names)
    receipts = tuple(each.settled.receipt for each in reached if each.settled)
    return Proof(shown=shown, evidence=receipts, missing=missing if shown else ())


def estimated(seen: Seen) -> Proof:
    """Claim that impact and recovery time were assessed before the decision."""
    proof = step_ended(seen, "assess_impact")
    made = tuple(
        f"{say_time(fact.at)} estimated {say_duration(event.expected_s)} against the goal of "
        f"{say_duration(event.goal_s)}"
        for fact, event in of_kind(seen.record.facts, EstimateMade)
    )
    return join(proof, Proof(shown=made))


def activated(seen: Seen) -> Proof:
    """Claim that the Recovery phase was activated, by whom, on which facts."""
    made = tuple(
        f"{say_time(fact.at)} activated in the name of {seen.name(event.by)}, option "
        f"'{plain(event.option)}', on {say_count(len(event.facts), 'fact')}"
        for fact, event in of_kind(seen.record.facts, RecoveryActivated)
    )
    if not made:
        return Proof()
    return Proof(shown=made, missing=answered(seen, "decision", "decision").missing)


def step_ended(seen: Seen, name: str) -> Proof:
    """Claim that a step of the procedure was verified; steps that tell people also reached them."""
    steps = [each for each in seen.card.steps if each.name == name and each.ended_at]
    good = [each for each in steps if each.outcome == "verified"]
    shown = tuple(
        f"{say_time(each.ended_at)} {say_step(name)}: verified in {say_duration(each.took_s)}"
        for each in good
    )
    bad = tuple(
        f"{say_step(name)} ended {each.outcome}" for each in steps if each.outcome != "verified"
    )
    digests = tuple(digest for each in good for digest in each.evidence)
    proof = Proof(shown=shown, evidence=digests, missing=bad)
    return join(proof, told(seen, TOLD_STEPS[name])) if name in TOLD_STEPS and shown else proof


def actions_done(seen: Seen, *references: str) -> Proof:
    """Claim that each of these actions was done."""
    found = {reference: seen.done(reference) for reference in references}
    done = [span for span in found.values() if span]
    shown = tuple(
        f"{say_time(span.ended_at)} {span.reference}: {plain(span.summary) or 'done'}"
        for span in done
    )
    missing = tuple(reference for reference, span in found.items() if span is None)
    digests = tuple(digest for span in done for digest in span.evidence)
    return Proof(shown=shown, evidence=digests, missing=missing if shown else ())


def met(seen: Seen, name: str) -> Proof:
    """Claim that a measure was taken and reached its goal."""
    found = [each for each in seen.card.measures if each.name.split(":")[0] == name and each.goal_s]
    sayings = {
        f"{say_time(each.end)} {each.name.replace('_', ' ')}: {'at most ' if each.is_bound else ''}"
        f"{say_duration(each.value_s)}, goal {say_duration(each.goal_s)}": each.is_met
        for each in found
    }
    return Proof(
        shown=tuple(saying for saying, is_met in sayings.items() if is_met),
        missing=tuple(f"{saying} (missed)" for saying, is_met in sayings.items() if not is_met),
    )


def reviewed(seen: Seen) -> Proof:
    """Claim that a post-mortem was begun; that people went through it shows only in its close."""
    drafted = tuple(
        (f"{say_time(fact.at)} post-mortem drafted from the facts", event.document)
        for fact, event in of_kind(seen.record.facts, PostmortemDrafted)
    )
    closed = tuple(
        f"{say_time(fact.at)} signed off and closed by {seen.name(event.by)}"
        for fact, event in of_kind(seen.record.facts, IncidentClosed)
    )
    missing = () if closed or not drafted else ("the review by people and its sign-off",)
    return Proof(
        shown=(*(line for line, _ in drafted), *closed),
        evidence=tuple(digest for _, digest in drafted),
        missing=missing,
    )


def exercised(seen: Seen) -> Proof:
    """Claim that the procedure was exercised: this record is one of a drill."""
    found = incident_of(seen.record.facts)
    if found is None or found[1].mode == "recovery":
        return Proof()
    ended = [step for step in seen.card.steps if step.outcome == "verified"]
    systems, all_steps = ", ".join(found[1].systems), len(seen.card.steps)
    return Proof(
        shown=(f"{found[1].mode} of {systems}: {len(ended)} of {all_steps} steps verified",)
    )


def planned(seen: Seen) -> Proof:
    """Claim that a plan existed before and was pinned when the incident opened."""
    pinned = tuple(event.plan for _, event in of_kind(seen.record.facts, IncidentReported))
    shown = tuple(f"plan {plain(seen.record.plan_name)} pinned by its hash" for _ in pinned)
    return Proof(shown=shown, evidence=pinned)


def unaltered(seen: Seen) -> Proof:
    """Claim that the record is whole: a chain of hashes, verified by the journal."""
    if seen.record.journal_faults is None or chain_faults(seen.record):
        return Proof()
    return Proof(shown=(f"{len(seen.record.facts)} facts in one chain of hashes, verified",))


def join(*proofs: Proof) -> Proof:
    """Return the proofs as one, each line once."""
    return Proof(
        shown=tuple(dict.fromkeys(line for each in proofs for line in each.shown)),
        evidence=tuple(dict.fromkeys(digest for each in proofs for digest in each.evidence)),
        missing=tuple(dict.fromkeys(line for each in proofs for line in each.missing)),
    )


CLAIMS: Mapping[str, Claim] = {
    "identified": identified,
    "acknowledged": partial(answered, kind="acknowledge", what="incident relayed"),
    "announced": lambda seen: told(seen, "announced"),
    "directed": asked_teams,
    "estimated": estimated,
    "activated": activated,
    "decision told": lambda seen: told(seen, "activated", "teams", "role:ceo"),
    "coordinated": partial(answered, kind="gate", what="gate"),
    "rto": partial(met, name="full_service"),
    "rpo": partial(met, name="rpo"),
    "users spared": lambda seen: actions_done(
        seen, "create_environment.fence", "secure_environment.held", "update_dns.serves"
    ),
    "backup chosen": lambda seen: actions_done(
        seen, "assess_damage.backups", "assess_damage.choose_point"
    ),
    "protected again": lambda seen: actions_done(seen, "verify_platform.backup"),
    "secured again": lambda seen: actions_done(
        seen,
        "verify_observability.accounts",
        "verify_observability.listeners",
        "verify_observability.reachable",
    ),
    "secrets renewed": lambda seen: actions_done(
        seen, "create_environment.secrets", "restore_data.credentials", "restore_data.rotate"
    ),
    "reviewed": reviewed,
    "exercised": exercised,
    "planned": planned,
    "unaltered": unaltered,
    **{name: partial(step_ended, name=name) for name in POLICY_STEPS},
}
