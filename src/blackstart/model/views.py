# SPDX-License-Identifier: Apache-2.0
"""What is known of an incident: views that only the fold in `incident` changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from blackstart.model import events as ev
from blackstart.model import orders
from blackstart.model.runbook import Param
from blackstart.model.states import ActionState, AskState, IncidentState, StepState
from blackstart.model.timing import ActionDelayed, GoalShareSpent, OutageProlonged


@dataclass(slots=True, kw_only=True)
class ActionView:
    """One action of a step: its state, the newest attempt, and what it left."""

    state: ActionState = ActionState.WAITING
    attempt: int = 0
    key: str = ""
    failures: int = 0  # attempts that failed; one that a death cut off is none
    ordered_again: int = 0  # attempts that people ordered on top of those the plan allows
    in_doubt: bool = False  # the newest attempt counts as failed, and nobody saw how it ended
    is_held: bool = False  # so only a person may let it go on
    started_at: datetime | None = None
    ended_at: datetime | None = None
    ends_at_limit: bool = False
    delayed: ActionDelayed | None = None
    delayed_at: datetime | None = None
    extended_until: datetime | None = None  # by a person, beyond its limit
    cancel: orders.CancelOrdered | None = None
    outputs: Mapping[str, Param] = field(default_factory=dict)
    sightings: tuple[ev.Sighting, ...] = ()
    evidence: tuple[str, ...] = ()
    summary: str = ""
    hint: str = ""
    degraded: str = ""  # done, and this is less than it should be


@dataclass(slots=True, kw_only=True)
class StepView:
    """One step of a run."""

    state: StepState = StepState.WAITING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    by: str = ""
    outputs: Mapping[str, Param] = field(default_factory=dict)  # given by hand
    evidence: tuple[str, ...] = ()  # given by hand
    actions: dict[str, ActionView] = field(default_factory=dict)

    def degradations(self) -> tuple[str, ...]:
        """Return what its actions, which are done, left less than it should be."""
        return tuple(
            action.degraded
            for action in self.actions.values()
            if action.state is ActionState.DONE and action.degraded
        )


@dataclass(slots=True, kw_only=True)
class RunView:
    """One execution of the procedure for one system."""

    started: ev.RunStarted
    started_at: datetime
    steps: dict[str, StepView] = field(default_factory=dict)
    estimate: ev.EstimateMade | None = None
    outcome: str = ""

    def step(self, name: str) -> StepView:
        """Return the step, as a waiting one when nothing happened to it yet."""
        return self.steps.get(name) or StepView()

    def action(self, step: str, name: str) -> ActionView:
        """Return the action, as a waiting one when nothing happened to it yet."""
        return self.step(step).actions.get(name) or ActionView()

    def outputs(self) -> Mapping[str, Mapping[str, Param]]:
        """Return the outputs of all actions that are done, merged per step, and those by hand."""
        return {name: _outputs_of(step) for name, step in self.steps.items()}


def _outputs_of(step: StepView) -> dict[str, Param]:
    done = (action for action in step.actions.values() if action.state is ActionState.DONE)
    return {key: value for action in done for key, value in action.outputs.items()} | dict(
        step.outputs
    )


@dataclass(slots=True, kw_only=True)
class AskView:
    """A question to a person and what became of it."""

    opened: ev.AskOpened
    opened_at: datetime
    persons: tuple[str, ...]
    due_at: datetime | None
    state: AskState = AskState.OPEN
    escalations: int = 0
    late_s: float = 0.0  # by so much the newest escalation came too late
    answer: ev.AskAnswered | None = None
    ended_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class NoticeView:
    """A message to an audience and what became of its deliveries."""

    queued: ev.NoticeQueued
    queued_at: datetime
    settled: ev.NoticeSettled | None = None
    settled_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Incident:
    """Everything known of one incident."""

    id: str
    state: IncidentState
    reported: ev.IncidentReported
    reported_at: datetime
    seq: int = 0
    last_at: datetime
    outage_start: datetime
    outage_told_at: datetime  # when its start was reported, or corrected last
    asks: dict[str, AskView] = field(default_factory=dict)
    notices: dict[str, NoticeView] = field(default_factory=dict)
    runs: dict[str, RunView] = field(default_factory=dict)
    measures: dict[str, ev.MeasureTaken] = field(default_factory=dict)
    under_way: dict[tuple[str, str, str], None] = field(default_factory=dict)  # run, step, action
    activation: ev.RecoveryActivated | None = None
    activated_at: datetime | None = None
    stood_down: ev.StoodDown | None = None
    paused: orders.IncidentPaused | None = None
    assessments: list[ev.ImpactAssessed] = field(default_factory=list)
    estimates: dict[str, orders.OptionEstimated] = field(default_factory=dict)  # by option
    estimated_at: dict[str, datetime] = field(default_factory=dict)
    shares_spent: list[GoalShareSpent] = field(default_factory=list)
    prolonged: list[OutageProlonged] = field(default_factory=list)
    situations: list[orders.SituationTold] = field(default_factory=list)
    waivers: list[orders.RuleWaived] = field(default_factory=list)
    holders: dict[str, str] = field(default_factory=dict)  # role → whoever it was handed to
    undoing: dict[tuple[str, str], orders.UndoOrdered] = field(default_factory=dict)
    undo_failed: dict[tuple[str, str], orders.UndoFailed] = field(default_factory=dict)
    plan: str = ""  # digest of the plan in force
    runbooks: dict[str, str] = field(default_factory=dict)  # digests that an amendment pinned
    restored_at: datetime | None = None
    record_restored_at: datetime | None = None  # from a mirror: facts before it may be missing
    postmortem: str = ""

    def open_asks(self) -> tuple[AskView, ...]:
        """Return the questions that wait for an answer, oldest first."""
        return tuple(ask for ask in self.asks.values() if ask.state is AskState.OPEN)

    def sightings(self) -> tuple[ev.Sighting, ...]:
        """Return the newest sighting of each subject, from the report and from every action."""
        newest = {seen.subject: seen for seen in self.reported.sightings}
        for run in self.runs.values():
            for step in run.steps.values():
                for action in step.actions.values():
                    newest.update({seen.subject: seen for seen in action.sightings})
        for assessed in self.assessments:
            newest.update({seen.subject: seen for seen in assessed.sightings})
        return tuple(newest.values())
