# SPDX-License-Identifier: Apache-2.0
"""The timeline: one plain sentence for every fact, with the time and who caused it.

No kind of event may be left without a sentence: the matches below are exhaustive, so a new kind
fails the type check until somebody has decided how to say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeAlias, assert_never

from blackstart.model.events import (
    ActionEnded,
    ActionInspected,
    ActionStarted,
    AskAnswered,
    AskEscalated,
    AskOpened,
    AskWithdrawn,
    EstimateMade,
    Event,
    Fact,
    ImpactAssessed,
    IncidentClosed,
    IncidentReported,
    MeasureTaken,
    NoticeQueued,
    NoticeSettled,
    PostmortemDrafted,
    RecordRestored,
    RecoveryActivated,
    RestorePointRejected,
    RestorePointVerified,
    RunEnded,
    RunStarted,
    StepEnded,
    StepStarted,
    StoodDown,
)
from blackstart.model.orders import Order
from blackstart.model.timing import Timing
from blackstart.model.words import NOTHING, say_count, say_duration
from blackstart.reports.brought_back import say_brought_back
from blackstart.reports.kinds import ASK_WORDS, notice_title
from blackstart.reports.ordered import say_order
from blackstart.reports.phrases import (
    Tone,
    plain,
    say_list,
    say_moment,
    say_step,
    say_time,
    sentence,
    shorten,
    tone_of,
)
from blackstart.reports.spans import AUTOMATIC, of_kind
from blackstart.reports.timed import mark_late, say_timing

Said: TypeAlias = tuple[str, Tone]
Steering: TypeAlias = (
    IncidentReported
    | EstimateMade
    | RecoveryActivated
    | StoodDown
    | PostmortemDrafted
    | IncidentClosed
)
Asking: TypeAlias = AskOpened | AskEscalated | AskAnswered | AskWithdrawn
Working: TypeAlias = (
    RunStarted | RunEnded | StepStarted | StepEnded | ActionStarted | ActionInspected | ActionEnded
)
Proving: TypeAlias = (
    NoticeQueued
    | NoticeSettled
    | MeasureTaken
    | RestorePointVerified
    | RestorePointRejected
    | RecordRestored
)
NO_PERSON = "Answered automatically, as this drill allows; no person decided."
MEASURE_WORDS = {"first_service": "First service", "full_service": "Full service"}
RUN_WORDS = {
    "recovered": ("recovered", Tone.GOOD),
    "recovered_degraded": ("recovered, but not everything is as it was", Tone.WARN),
    "stood_down": ("stood down", Tone.WARN),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRow:
    """One line of the timeline. A detail is left out where only the main thread is told."""

    at: datetime
    who: str
    sentence: str
    tone: Tone
    is_detail: bool
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a sentence needs besides its own event: names of people, earlier asks and notices."""

    people: Mapping[str, str] = field(default_factory=dict)
    systems: Mapping[str, str] = field(default_factory=dict)  # by run, where there are several
    at: datetime | None = None  # when the event itself was recorded
    asks: Mapping[str, AskOpened] = field(default_factory=dict)
    notices: Mapping[str, NoticeQueued] = field(default_factory=dict)

    def name(self, person: str) -> str:
        """Return the name of a person, or the id; of a program only what it is (`driver`)."""
        known = self.people.get(person, person.partition("@")[0])
        return plain(known) or "nobody"

    def of(self, run: str) -> str:
        """Return which system a run is for, where the incident has several: ` (cloud)`."""
        system = self.systems.get(run, "")
        return f" ({plain(system)})" if system else ""

    def when(self, at: datetime | None) -> str:
        """Return a moment with its zone, and with its day where the event is of another one."""
        if at is None:
            return NOTHING
        is_same_day = self.at is None or self.at.astimezone(UTC).date() == at.astimezone(UTC).date()
        return f"{say_time(at)} UTC" if is_same_day else say_moment(at)

    def names(self, persons: tuple[str, ...]) -> str:
        """Return the names of several persons as a reader says them."""
        return say_list(tuple(self.name(person) for person in persons)) or "nobody"


def timeline(
    facts: tuple[Fact, ...], people: Mapping[str, str] | None = None
) -> tuple[TimelineRow, ...]:
    """Return one row for each fact. `people` maps person ids to names; unknown ids stay ids."""
    known = Known(
        people=people or {},
        systems=_several(facts),
        asks={event.ask: event for _, event in of_kind(facts, AskOpened)},
        notices={event.notice: event for _, event in of_kind(facts, NoticeQueued)},
    )
    return tuple(_row(fact, known) for fact in facts)


def _several(facts: tuple[Fact, ...]) -> Mapping[str, str]:
    """Return run → system, nothing where there is only one and nobody has to ask which."""
    found = {event.run: event.system for _, event in of_kind(facts, RunStarted)}
    return found if len(found) > 1 else {}


def _row(fact: Fact, known: Known) -> TimelineRow:
    text, tone = say_event(fact.event, replace(known, at=fact.at))
    return TimelineRow(
        at=fact.at,
        who=known.name(fact.actor),
        sentence=text,
        tone=tone,
        is_detail=_is_detail(fact.event),
        seq=fact.seq,
    )


def _is_detail(event: Event) -> bool:
    if isinstance(event, ActionEnded):
        return event.outcome == "done" and not event.degraded
    if isinstance(event, NoticeSettled):
        return not (event.refused or event.uncertain)
    return isinstance(event, ActionStarted | NoticeQueued | RestorePointVerified)


def say_event(event: Event, known: Known | None = None) -> Said:
    """Return the sentence for an event and how it is meant."""
    known = known or Known()
    if isinstance(event, Steering):
        return _say_steering(event, known)
    if isinstance(event, Asking):
        return _say_asking(event, known)
    if isinstance(event, Working):
        return _say_working(event, known)
    if isinstance(event, Proving):
        return _say_proving(event, known)
    if isinstance(event, ImpactAssessed):
        return f"Impact assessed by {known.name(event.by)}: {sentence(event.summary)}", Tone.CALM
    if isinstance(event, Order):
        return say_order(event, known)
    if isinstance(event, Timing):
        return say_timing(event)
    assert_never(event)


def _say_steering(event: Steering, known: Known) -> Said:
    match event:
        case IncidentReported():
            return _say_report(event, known), Tone.BAD
        case EstimateMade():
            return _say_estimate(event, known)
        case RecoveryActivated():
            return _say_activation(event, known), Tone.CALM
        case StoodDown():
            return f"Stood down by {known.name(event.by)}: {sentence(event.why)}", Tone.WARN
        case PostmortemDrafted():
            return "Draft of the post-mortem written; it waits for its sign-off.", Tone.CALM
        case IncidentClosed():
            closed = f"Incident closed by {known.name(event.by)}. {sentence(event.why)}"
            return closed.rstrip(), Tone.GOOD


def _say_report(event: IncidentReported, known: Known) -> str:
    last_good = f", last seen good {known.when(event.last_good)}" if event.last_good else ""
    return (
        f"Incident identified ({event.mode}): {sentence(event.summary)} "
        f"Out since {known.when(event.outage_start)}{last_good}."
    )


def _say_estimate(event: EstimateMade, known: Known) -> Said:
    fits = event.expected_s <= event.goal_s
    verdict = "within" if fits else "beyond"
    return (
        f"Recovery{known.of(event.run)} expected to take {say_duration(event.expected_s)}, "
        f"{verdict} the goal of {say_duration(event.goal_s)} ({plain(event.basis)})."
    ), (Tone.CALM if fits else Tone.WARN)


def _say_activation(event: RecoveryActivated, known: Known) -> str:
    is_automatic = event.how == AUTOMATIC
    whose = "in the name of" if is_automatic else "by"
    told = f"Recovery phase activated {whose} {known.name(event.by)}: {sentence(event.option)}"
    why = f"Reason: {sentence(event.why)}" if event.why else ""
    return " ".join(part for part in (told, why, NO_PERSON * is_automatic) if part)


def _say_asking(event: Asking, known: Known) -> Said:
    match event:
        case AskOpened():
            due = f" Due {known.when(event.due_at)}." if event.due_at else ""
            asked = ASK_WORDS.get(event.kind, event.kind)
            tone = Tone.BAD if event.kind == "stopped" else Tone.CALM
            asked += known.of(event.run)
            return f"Asked {known.names(event.persons)} {asked}: {sentence(event.text)}{due}", tone
        case AskEscalated():
            who = known.name(event.person)
            late = mark_late(event.late_s)
            due = known.when(event.was_due_at)
            return f"No answer by {due}; {who} is asked as well{late}.", Tone.WARN
        case AskAnswered():
            return _say_answer(event, known), Tone.CALM
        case AskWithdrawn():
            return f"Question withdrawn: {sentence(event.reason)}", Tone.CALM


def _say_answer(event: AskAnswered, known: Known) -> str:
    is_automatic = event.how == AUTOMATIC
    by = known.name(event.by)
    whose = (
        f"in the name of {by} (automatically; no person decided)" if is_automatic else f"by {by}"
    )
    asked = known.asks.get(event.ask)
    question = f" to: {shorten(asked.text, 90)}" if asked else "."
    why = f" Reason: {sentence(event.why)}" if event.why else ""
    return f"“{plain(event.answer)}” answered {whose}{question}{why}"


def _say_working(event: Working, known: Known) -> Said:
    match event:
        case RunStarted():
            return (
                f"Run for {plain(event.system)} opened on target {plain(event.target)}.",
                Tone.CALM,
            )
        case RunEnded():
            outcome, tone = RUN_WORDS.get(event.outcome, (plain(event.outcome), Tone.CALM))
            return f"Run{known.of(event.run)} ended: {outcome}.", tone
        case StepStarted():
            return f"{say_step(event.step)}{known.of(event.run)}: started.", Tone.CALM
        case StepEnded():
            by = f" by {known.name(event.by)}" if event.by else ""
            why = f" {sentence(event.reason)}" if event.reason else ""
            step = f"{say_step(event.step)}{known.of(event.run)}"
            return f"{step}: {event.outcome}{by}.{why}", tone_of(event.outcome)
        case ActionStarted():
            again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
            return f"{event.step}.{event.action}{known.of(event.run)} began{again}.", Tone.CALM
        case ActionInspected():
            note = f": {sentence(event.note)}" if event.note else "."
            found = event.finding.replace("_", " ")
            told = f"{event.step}.{event.action}{known.of(event.run)}"
            return f"{told} was looked up in the world, found {found}{note}", Tone.WARN
        case ActionEnded():
            tone = Tone.WARN if event.degraded else tone_of(event.outcome)
            return _say_action(event, known), tone


def _say_action(event: ActionEnded, known: Known) -> str:
    told = f"{event.step}.{event.action}{known.of(event.run)}"
    if event.outcome != "done" or not event.summary:
        told += f" {event.outcome}"
    summary = f": {sentence(event.summary)}" if event.summary else "."
    hint = f" What to do: {sentence(event.hint)}" if event.hint else ""
    degraded = f" Degraded: {sentence(event.degraded)}" if event.degraded else ""
    return f"{told}{summary}{degraded}{hint}"


def _say_proving(event: Proving, known: Known) -> Said:
    match event:
        case NoticeQueued():
            return _say_notice(event, known)
        case NoticeSettled():
            return _say_receipts(event, known)
        case MeasureTaken():
            return _say_measure(event, known), Tone.GOOD
        case RestorePointVerified() | RestorePointRejected() | RecordRestored():
            return say_brought_back(event)


def say_audience(audience: str, known: Known) -> str:
    """Return an audience as people say it: a name, a role, a team, everyone."""
    kind, _, name = audience.partition(":")
    if kind == "person":
        return known.name(name)
    return plain((name or kind).replace("_", " "))


def _say_notice(event: NoticeQueued, known: Known) -> Said:
    what = notice_title(event.kind).capitalize()
    if not event.recipients:
        whom = say_audience(event.audience, known)
        return f"{what} reached nobody ({whom}): {sentence(event.reason)}", Tone.WARN
    return (
        f"{what} queued for {say_count(event.recipients, 'recipient')} "
        f"({say_audience(event.audience, known)}, over {plain(event.channel)})"
        f"{mark_late(event.late_s)}."
    ), Tone.CALM


def _say_receipts(event: NoticeSettled, known: Known) -> Said:
    queued = known.notices.get(event.notice)
    what = notice_title(queued.kind).capitalize() if queued else f"Notice {plain(event.notice)}"
    where = f" over {plain(queued.channel)}" if queued else ""
    reason = f" {sentence(event.reason)}" if event.reason else ""
    has_trouble = event.refused > 0 or event.uncertain > 0 or event.accepted == 0
    whom = f" to {say_audience(queued.audience, known)}" if queued else ""
    return (
        f"{what}{whom}{where}: {event.accepted} accepted, {event.refused} refused, "
        f"{event.uncertain} uncertain.{reason}"
    ), (Tone.WARN if has_trouble else Tone.GOOD)


def measure_title(name: str) -> str:
    """Return what a measure is called."""
    kind, _, item = name.partition(":")
    return f"Data loss of {plain(item)} (RPO)" if kind == "rpo" else MEASURE_WORDS.get(name, name)


def _say_measure(event: MeasureTaken, known: Known) -> str:
    bound = "at most " if event.is_bound else ""
    took = say_duration(max(0.0, (event.end - event.start).total_seconds()))
    label = f" ({plain(event.label)})" if event.label else ""
    return (
        f"{measure_title(event.name)} of {plain(event.system)}: {bound}{took}{label}, "
        f"from {known.when(event.start)} to {known.when(event.end)}."
    )
