# SPDX-License-Identifier: Apache-2.0
"""The draft of the post-mortem: what the record knows is filled in, what only people know is asked.

Markdown, so that it can be put into an issue and completed there. It blames nobody: it says what
happened, and leaves causes, lessons and actions to those who were there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from blackstart.model.events import ActionEnded, Fact, RecoveryActivated
from blackstart.model.orders import RuleWaived
from blackstart.model.plan import Plan
from blackstart.model.runbook import Runbook
from blackstart.model.words import NOTHING, say_count, say_duration
from blackstart.reports.kinds import notice_title
from blackstart.reports.moves import moves_of
from blackstart.reports.phrases import plain, say_list, say_moment, say_share, say_time, sentence
from blackstart.reports.record import DrillRecord, incident_of, is_talk
from blackstart.reports.scorecard import MeasureScore, Scorecard, StepScore, score
from blackstart.reports.spans import AskSpan, ask_spans, of_kind
from blackstart.reports.timeline import NO_PERSON, Known, measure_title, timeline
from blackstart.reports.told import told, told_groups
from blackstart.reports.verdict import judge

_TO_FILL_IN = "_to be filled in_"


def draft_postmortem(facts: tuple[Fact, ...], runbooks: Mapping[str, Runbook], plan: Plan) -> str:
    """Return the draft. Raises ValueError when the facts do not begin with a report."""
    found = incident_of(facts)
    if found is None:
        raise ValueError("a chain without a report is no incident")
    record = _record(facts, runbooks, plan)
    card = score(record.facts, record.runbooks, record.objectives, record.item_goals)
    known = Known(people=record.people)
    sections = (
        _heading(record, card),
        _summary(record, card),
        _talk(record, known) if is_talk(record.facts) else _impact(record, card),
        _measures(card),
        _timeline(record),
        _longer(card),
        _troubles(record, card, known),
        _moves(record),
        _decisions(record, known),
        _notices(record),
        _blank("Causes", ("What", "Why it could happen", "How we know")),
        _blank("Lessons", ("What went well", "What went badly", "Where we were lucky")),
        _blank("Actions", ("Action", "Owner", "Due date", "Done")),
        _signoff(record),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def _record(facts: tuple[Fact, ...], runbooks: Mapping[str, Runbook], plan: Plan) -> DrillRecord:
    return DrillRecord(
        facts=facts,
        runbooks=tuple(runbooks.values()),
        organisation=plan.organisation,
        plan_name="",
        objectives=plan.policy.objectives,
        version="",
        item_goals={
            item.name: item.rpo_s for system in plan.systems.values() for item in system.state
        },
        people={person.id: person.name for person in plan.people.values()},
        roles={role.name: role.title for role in plan.roles.values()},
    )


def _heading(record: DrillRecord, card: Scorecard) -> str:
    found = incident_of(record.facts)
    mode = f" ({found[1].mode})" if found else ""
    systems = plain(say_list(found[1].systems)) if found else ""
    return (
        f"# Post-mortem: {systems}, {record.facts[0].chain}{mode}\n\n"
        f"**Draft.** Outage began {say_moment(card.outage_start)}. The incident is closed when "
        "this is complete and signed off."
    )


def _summary(record: DrillRecord, card: Scorecard) -> str:
    verdict = judge(record, card)
    found = incident_of(record.facts)
    lines = [verdict.headline, verdict.meaning]
    if verdict.remedy:
        lines.append(f"What to do: {verdict.remedy}")
    if found:
        lines.append(f"What happened: {sentence(found[1].summary)}")
    return _section("Summary", "\n\n".join(lines))


def _talk(record: DrillRecord, known: Known) -> str:
    """Return who answered which question of a table-top exercise, how fast, and what was said."""
    rows = [
        (
            span.asked.step,
            known.name(span.answered.by),
            say_duration((span.ended_at - span.opened_at).total_seconds()),
            f"{span.answered.answer}: {span.answered.why}".removesuffix(": "),
        )
        for span in ask_spans(record.facts)
        if span.asked.kind == "manual" and span.answered and span.ended_at
    ]
    head = ("Step", "Who answered", "After", "Said, and what is missing")
    told = "Nothing was lost, and nobody was told: this was a table-top exercise."
    return _section("Talked through", f"{told}\n\n{_table(head, rows)}" if rows else told)


def _impact(record: DrillRecord, card: Scorecard) -> str:
    newest = {
        seen.subject: seen
        for _, event in of_kind(record.facts, ActionEnded)
        for seen in event.sightings
    }
    rows = [(seen.subject, seen.condition, seen.seen) for seen in newest.values()]
    affected = sum(
        row.recipients
        for row in told(record.facts)
        if row.kind == "outage" and row.audience != "everyone"  # a page is nobody
    )
    lines = [_table(("Part", "Found", "Seen"), rows) if rows else _assessed(record)]
    lines.append(f"Outage notices went to {say_count(affected, 'affected user')}.")
    rpo = card.worst("rpo")
    if rpo:
        bound = "at most " if rpo.is_bound else ""
        item = rpo.name.partition(":")[2]
        lines.append(f"Data of {plain(item)} lost: {bound}the last {say_duration(rpo.value_s)}.")
    lines.append(f"What users could not do, and who was hit hardest: {_TO_FILL_IN}")
    return _section("Impact", "\n\n".join(lines))


def _assessed(record: DrillRecord) -> str:
    """Return how the damage was assessed when no probe saw it."""
    by_hand = [
        event
        for _, event in of_kind(record.facts, ActionEnded)
        if event.step == "assess_damage" and event.outcome == "done"
    ]
    if not by_hand:
        return "The damage was not assessed."
    return f"The damage was assessed by hand. {_text(sentence(by_hand[-1].summary))}".rstrip()


def _measures(card: Scorecard) -> str:
    rows = [_measure_row(measure) for measure in card.measures]
    if not rows:
        return _section("Achieved against promised", "Nothing was measured.")
    head = ("Measure", "Achieved", "Goal", "Met", "From", "To", "Remark")
    return _section("Achieved against promised", _table(head, rows))


def _measure_row(measure: MeasureScore) -> tuple[str, ...]:
    return (
        f"{measure_title(measure.name)}, {measure.system}",
        ("≤ " if measure.is_bound else "") + say_duration(measure.value_s),
        say_duration(measure.goal_s) if measure.goal_s else "none set",
        ("yes" if measure.is_met else "NO") if measure.goal_s else NOTHING,
        say_moment(measure.start),
        say_moment(measure.end),
        measure.label,
    )


def _timeline(record: DrillRecord) -> str:
    rows = [
        (_say_at(record, row.at), row.who, row.sentence)
        for row in timeline(record.facts, record.people)
        if not row.is_detail
    ]
    return _section("Timeline (UTC)", _table(("When", "Who", "What"), rows))


def _longer(card: Scorecard) -> str:
    """Return the actions that exceeded what was expected of them, the largest difference first."""
    late = sorted(
        (
            (step.took_s - step.expected_s, step)
            for step in card.steps
            if step.took_s is not None and step.took_s > step.expected_s > 0
        ),
        key=lambda each: -each[0],
    )
    title = "What took longer than expected"
    idle = f"Time neither inside an action nor waiting for a person: {say_share(card.idle)}."
    if not late:
        return _section(title, f"No step did. {idle}")
    rows = [
        (
            _titled(card, step),
            say_duration(step.expected_s),
            say_duration(step.took_s),
            say_duration(over),
        )
        for over, step in late
    ]
    return _section(title, f"{_table(('Step', 'Expected', 'Took', 'Over'), rows)}\n\n{idle}")


def _titled(card: Scorecard, step: StepScore) -> str:
    """Return the title of a step, with its system where there are several."""
    is_alone = len({each.system for each in card.steps}) < 2
    return step.title if is_alone else f"{step.title}, {step.system}"


def _troubles(record: DrillRecord, card: Scorecard, known: Known) -> str:
    rows = [
        (
            _titled(card, step),
            step.outcome,
            step.reason or (step.failure.summary if step.failure else ""),
        )
        for step in card.steps
        if step.outcome != "verified"
    ]
    rows += [
        (f"{_titled(card, step)}: {span.action}, attempt {span.attempt}", "failed", span.summary)
        for step in card.steps
        if step.outcome == "verified"
        for span in step.actions
        if span.outcome == "failed"
    ]
    rows += [
        (
            f"Hard rule “{event.rule}”",
            f"set aside until {say_moment(event.until)}",
            f"{known.name(event.by)} and {known.name(event.second)}: {event.why}",
        )
        for _, event in of_kind(record.facts, RuleWaived)
    ]
    title = "What degraded, failed or did not run"
    return _section(title, _table(("What", "Outcome", "Seen"), rows) if rows else "Nothing.")


def _moves(record: DrillRecord) -> str:
    rows = [(one.what, one.whose, one.state) for one in moves_of(record.facts)]
    return _section("Records that moved", _table(("What", "Whose", "State"), rows)) if rows else ""


def _decisions(record: DrillRecord, known: Known) -> str:
    lines = [
        f"- {_say_at(record, fact.at)}: Recovery phase activated "
        f"{'in the name of' if event.how == 'automatic' else 'by'} {known.name(event.by)}, option "
        f"“{_text(event.option)}”. {_text(sentence(event.why))} "
        f"On these facts: {_text('; '.join(event.facts)) or 'none given'}."
        for fact, event in of_kind(record.facts, RecoveryActivated)
    ]
    lines += [_decision_line(record, span, known) for span in ask_spans(record.facts)]
    if any(span.is_automatic for span in ask_spans(record.facts)):
        lines.append(f"\n\\* {NO_PERSON}")
    return _section("Decisions", "\n".join(lines) or "Nobody was asked anything.")


def _decision_line(record: DrillRecord, span: AskSpan, known: Known) -> str:
    asked = f"- {_say_at(record, span.opened_at)}: {_text(span.asked.text)} Asked: "
    asked += known.names(span.persons)
    if span.answered is None:
        ending = f"withdrawn, {span.withdrawn}" if span.withdrawn else "still open"
        return f"{asked}; {_text(ending)}."
    star = "\\*" if span.is_automatic else ""
    why = f" {_text(sentence(span.answered.why))}" if span.answered.why else ""
    answer = _text(span.answered.answer)
    by = f"{known.name(span.answered.by)}{star}"
    return f"{asked}; {by} answered “{answer}” at {_say_at(record, span.ended_at)}.{why}"


def _notices(record: DrillRecord) -> str:
    rows = [
        (
            notice_title(group.kind).capitalize(),
            group.channel,
            str(group.count("recipients")),
            str(group.count("accepted")),
            str(group.count("refused")),
            str(group.count("uncertain")),
            _say_at(record, group.rows[0].queued_at),
        )
        for group in told_groups(told(record.facts))
    ]
    head = ("Notice", "Over", "Sent", "Accepted", "Refused", "Uncertain", "First at")
    return _section("Who was told", _table(head, rows) if rows else "Nobody was told anything.")


def _blank(title: str, columns: tuple[str, ...]) -> str:
    empty = "\n" + "|  " * len(columns) + "|"
    return _section(title, _table(columns, []) + empty * 3)


def _signoff(record: DrillRecord) -> str:
    title = record.roles.get("incident_commander", "incident commander")
    return _section(
        "Sign-off", f"Signed off by the {plain(title)}: ______________________ on ______________"
    )


def _say_at(record: DrillRecord, at: datetime | None) -> str:
    """Return the time of day in UTC, with the date where the incident took more than one day."""
    first, last = record.facts[0].at, record.facts[-1].at
    is_one_day = first.astimezone(UTC).date() == last.astimezone(UTC).date()
    if at is None or is_one_day:
        return say_time(at)
    return f"{at.astimezone(UTC):%Y-%m-%d} {say_time(at)}"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_text(cell) or NOTHING for cell in line)} |" for line in lines)


def _text(text: str) -> str:
    """Return text from outside so that it cannot break a table or become mark-up."""
    line = plain(text)
    for mark in ("\\", "|", "<", "`", "[", "]", "*"):
        line = line.replace(mark, f"\\{mark}")
    return line
