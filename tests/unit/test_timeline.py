# SPDX-License-Identifier: Apache-2.0
"""Every kind of event has a sentence, and the sentences say who, what and whether by machine."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from typing import Any, get_type_hints

import pytest

from blackstart.model.events import (
    EVENTS,
    ActionEnded,
    AskAnswered,
    AskEscalated,
    AskOpened,
    Event,
    RecoveryActivated,
)
from blackstart.model.incident import fold
from blackstart.model.states import IncidentState
from blackstart.reports.phrases import Tone
from blackstart.reports.timeline import NO_PERSON, say_event, timeline
from tests.sample_facts import OUTAGE_START, chain, complete_drill, stopped_drill
from tests.sample_records import PEOPLE

FILLING = {str: "x", int: 1, float: 1.0, type(OUTAGE_START): OUTAGE_START}


def filled(kind: type[Event]) -> Event:
    """Return an event of the kind with something in every field that has no default."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {
        each.name: FILLING.get(hints[each.name], ())
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    }
    return kind(**values)


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS.keys())
def test_every_kind_of_event_has_a_sentence(kind: type[Event]) -> None:
    sentence, tone = say_event(filled(kind))
    assert sentence.endswith(".")
    assert sentence[0].isupper() or sentence[0] in "“x"
    assert "None" not in sentence
    assert tone in Tone


def test_a_kind_without_a_sentence_is_noticed() -> None:
    @dataclass(frozen=True)
    class SunRose:
        """A kind that nobody has worded."""

    unworded: Any = SunRose()
    with pytest.raises(AssertionError):
        say_event(unworded)


def test_the_sample_is_a_legal_incident() -> None:
    assert fold(complete_drill()).state is IncidentState.RESTORED
    stopped = fold(stopped_drill())
    assert stopped.state is IncidentState.RECOVERING
    assert [ask.opened.kind for ask in stopped.open_asks()][-1] == "stopped"


def test_one_row_for_each_fact_in_order() -> None:
    facts = complete_drill()
    rows = timeline(facts, PEOPLE)
    assert [row.seq for row in rows] == [fact.seq for fact in facts]
    assert rows[0].tone is Tone.BAD
    assert "Ada Northcote" in rows[1].sentence


@pytest.mark.parametrize(("how", "is_said"), [("automatic", True), ("terminal", False)])
def test_what_no_person_decided_is_said_plainly(how: str, is_said: bool) -> None:
    activated = RecoveryActivated(by="p1", option="rebuild", why="lost", facts=(), how=how)
    answered = AskAnswered(ask="gate", answer="go", by="p1", how=how)
    assert (NO_PERSON in say_event(activated)[0]) is is_said
    assert ("no person decided" in say_event(answered)[0]) is is_said


def test_an_escalation_names_the_deputy() -> None:
    due = OUTAGE_START + timedelta(seconds=600)
    asked = AskOpened(
        ask="a", kind="acknowledge", text="Take it on?", role="r", persons=("p1",), due_at=due
    )
    facts = chain(
        (
            (OUTAGE_START, "driver@host.example:7", asked),
            (due, "driver@host.example:7", AskEscalated(ask="a", person="p2", was_due_at=due)),
        )
    )
    rows = timeline(facts, PEOPLE)
    assert rows[1].sentence == "No answer by 03:12:11.240 UTC; Jonas Weir is asked as well."
    assert rows[1].who == "driver"


def test_a_failed_action_says_what_to_do() -> None:
    rows = timeline(stopped_drill(), PEOPLE)
    failed = [row for row in rows if "restore_data.credentials failed" in row.sentence]
    assert len(failed) == 1
    assert "What to do: Put the credential secret" in failed[0].sentence
    assert failed[0].tone is Tone.BAD
    assert not failed[0].is_detail


def test_text_from_outside_cannot_move_the_cursor() -> None:
    event = ActionEnded(
        run="r", step="s", action="a", key="k", outcome="done", summary="a\x1b[2J\nb\u202ec"
    )
    assert say_event(event)[0] == "s.a: a [2J b c."
