# SPDX-License-Identifier: Apache-2.0
"""Each sentence of the policy, and each clause of the usual standards, with what shows it.

The policy is quoted; the clauses are put in our words, the standards' own text decides. A row
without proof says so: whether what is shown suffices is for the auditor to judge.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from blackstart.reports.claims import CLAIMS, Proof, Seen, join
from blackstart.reports.phrases import Tone
from blackstart.reports.record import DrillRecord
from blackstart.reports.scorecard import Scorecard

NOT_SHOWN = "not shown by this record"


class Standing(StrEnum):
    """How far the record shows a row."""

    SHOWN = "shown"
    PARTLY = "shown in part"
    NOT_SHOWN = NOT_SHOWN


_TONES = {Standing.SHOWN: Tone.GOOD, Standing.PARTLY: Tone.WARN, Standing.NOT_SHOWN: Tone.CALM}


@dataclass(frozen=True, slots=True)
class Clause:
    """A sentence or clause, where it stands, and the claims that it needs.

    `elsewhere` names what no record of one incident can show, and who looks for it must find.
    """

    place: str
    asks: str
    claims: tuple[str, ...] = ()
    elsewhere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A clause with what this record shows of it."""

    place: str
    asks: str
    standing: Standing
    proof: Proof
    elsewhere: str = ""

    @property
    def tone(self) -> Tone:
        """Return how the standing is coloured; what is not shown is no failure."""
        return _TONES[self.standing]


POLICY = (
    Clause(
        "Purpose",
        "… to restore services to the widest extent possible in a minimum time frame.",
        ("verify_platform", "rto"),
    ),
    Clause(
        "Scope",
        "This policy applies to the FlowFuse Cloud production environment, and any individual "
        "instances of the platform FlowFuse manages on behalf of customers.",
        ("exercised",),
        "the records of the other systems and of each customer's instance",
    ),
    Clause(
        "Scope",
        "It also applies to any systems used in support of the business critical operations of "
        "the company.",
        elsewhere="the plans and drills of those systems",
    ),
    Clause(
        "Continuity of critical services",
        "… our business-critical systems are provided by third-party vendors and we rely on their "
        "SLAs in the event of any outage.",
        elsewhere="the vendors' contracts, and what was agreed with them during an outage",
    ),
    Clause("Notification 1", "An incident is identified.", ("identified",)),
    Clause("Notification 1", "Full details are relayed to the CTO.", ("acknowledged",)),
    Clause("Notification 2", "The CTO announces an incident in Slack …", ("announced",)),
    Clause(
        "Notification 2",
        "… and directs the engineering/devops teams to gather information and assess the impact "
        "and estimated recovery time.",
        ("directed", "estimated"),
    ),
    Clause(
        "Notification 3",
        "If the incident will result in a prolonged outage or otherwise, the CTO will activate the "
        "Recovery phase.",
        ("activated",),
    ),
    Clause(
        "Notification 4",
        "The CTO will notify the necessary teams of this decision, including the CEO.",
        ("decision told",),
    ),
    Clause(
        "Recovery",
        "The goal is to fully restore the affected system within 24 hours of the outage …",
        ("rto",),
    ),
    Clause(
        "Recovery",
        "… and to minimise further disruption for the affected users.",
        ("users spared",),
    ),
    Clause(
        "Recovery",
        "The CTO will coordinate these actions with the required teams.",
        ("coordinated", "directed"),
    ),
    Clause("Recovery 1", "Notify affected users to begin initial communication", ("notify_users",)),
    Clause("Recovery 2", "Assess damage to the environment", ("assess_damage",)),
    Clause("Recovery 3", "Create a new production environment", ("create_environment",)),
    Clause("Recovery 4", "Ensure new environment is properly secured", ("secure_environment",)),
    Clause("Recovery 5", "Deploy platform code to new environment", ("deploy_platform",)),
    Clause("Recovery 6", "Restore data backup to new environment", ("restore_data",)),
    Clause("Recovery 7", "Verify platform deployment", ("verify_platform",)),
    Clause(
        "Recovery 8",
        "Verify logging, monitoring and alerting functionality",
        ("verify_observability",),
    ),
    Clause(
        "Recovery 9",
        "Update DNS and other necessary records to point to the new environment",
        ("update_dns",),
    ),
    Clause(
        "Recovery 10",
        "Notify affected users through established channels",
        ("announce_recovery",),
    ),
    Clause(
        "Resolution",
        "… the CTO will initiate a post mortem of the event to ensure any lessons from the outage "
        "and subsequent recovery can be reviewed and captured.",
        ("reviewed",),
    ),
)
_SEVERAL = "the records of the drills before and after this one"
STANDARDS = (
    Clause(
        "SOC 2 A1.2",
        "Backups and recovery infrastructure exist, are operated and looked after.",
        ("backup chosen", "restore_data", "protected again"),
    ),
    Clause(
        "SOC 2 A1.3",
        "The recovery procedures are tested against the objectives.",
        ("exercised", "rto", "rpo"),
    ),
    Clause(
        "ISO 27001:2022 A.5.29",
        "Information stays secure during a disruption.",
        ("secure_environment", "secrets renewed", "secured again"),
    ),
    Clause(
        "ISO 27001:2022 A.5.30",
        "ICT is ready for continuity: planned, put in place and tested by objectives.",
        ("planned", "exercised", "rto", "rpo"),
    ),
    Clause(
        "ISO 22301 8.4",
        "Plans and procedures: who responds, how people are warned and told, how to recover.",
        ("planned", "acknowledged", "announced", "notify_users", "announce_recovery", "activated"),
    ),
    Clause(
        "ISO 22301 8.5",
        "Exercises with objectives, a report and improvements …",
        ("exercised", "rto", "reviewed"),
    ),
    Clause("ISO 22301 8.5", "… at planned intervals.", elsewhere=_SEVERAL),
    Clause(
        "NIS2 Art. 21(2)(c)",
        "Business continuity: management of backups and disaster recovery …",
        ("planned", "backup chosen", "restore_data", "protected again", "rto"),
    ),
    Clause(
        "NIS2 Art. 21(2)(c)",
        "… and crisis management.",
        ("acknowledged", "directed", "activated", "decision told"),
    ),
    Clause(
        "DORA Art. 11",
        "Response and recovery: activated, contained, communicated, estimated, recorded.",
        ("activated", "users spared", "decision told", "estimated", "unaltered"),
    ),
    Clause("DORA Art. 11", "Plans are tested at least once a year.", ("exercised",), _SEVERAL),
    Clause(
        "DORA Art. 12",
        "Backups are restored apart from the lost system, checked, and meet the objectives.",
        ("create_environment", "restore_data", "verify_platform", "rto", "rpo"),
    ),
    Clause(
        "DORA Art. 12",
        "Backup and restoration are tested periodically.",
        ("exercised",),
        _SEVERAL,
    ),
)


def against_policy(record: DrillRecord, card: Scorecard) -> tuple[Row, ...]:
    """Return each sentence of the policy with what this record shows of it."""
    return _rows(POLICY, Seen(record=record, card=card))


def against_standards(record: DrillRecord, card: Scorecard) -> tuple[Row, ...]:
    """Return each clause of the standards with what this record shows of it."""
    return _rows(STANDARDS, Seen(record=record, card=card))


def _rows(clauses: tuple[Clause, ...], seen: Seen) -> tuple[Row, ...]:
    return tuple(_row(clause, seen) for clause in clauses)


def _row(clause: Clause, seen: Seen) -> Row:
    proofs = {name: CLAIMS[name](seen) for name in clause.claims}
    joined = join(*proofs.values())
    absent = tuple(
        name.replace("_", " ")
        for name, proof in proofs.items()
        if not proof.shown and not proof.missing
    )
    whole = join(joined, Proof(missing=absent)) if joined.shown else joined
    standing = Standing.PARTLY if whole.missing or clause.elsewhere else Standing.SHOWN
    return Row(
        place=clause.place,
        asks=clause.asks,
        standing=standing if whole.shown else Standing.NOT_SHOWN,
        proof=whole,
        elsewhere=clause.elsewhere,
    )
