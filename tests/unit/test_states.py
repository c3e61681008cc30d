# SPDX-License-Identifier: Apache-2.0
"""The table of moves: what is in it may happen, nothing else may, and every state has a way in."""

from __future__ import annotations

from enum import StrEnum
from itertools import product

import pytest

from blackstart.model.errors import IllegalMove
from blackstart.model.states import (
    MOVES,
    ActionState,
    AskState,
    DeliveryState,
    IncidentState,
    State,
    StepState,
    is_final,
    lets_others_go,
    move,
    reason_of,
)

KINDS: tuple[type[State], ...] = (
    IncidentState,
    StepState,
    ActionState,
    AskState,
    DeliveryState,
)
BEGINNINGS: tuple[State, ...] = (
    IncidentState.REPORTED,
    StepState.WAITING,
    ActionState.WAITING,
    AskState.UNASKED,
    DeliveryState.QUEUED,
)
LEGAL = {(type(old), old, new) for old, new, _ in MOVES}


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_the_moves_of_the_table_are_legal(kind: type[State]) -> None:
    for old, new in product(kind, kind):
        if (kind, old, new) in LEGAL:
            assert move(old, new) is new
        else:
            with pytest.raises(IllegalMove, match=f"'{old}' cannot become '{new}'"):
                move(old, new)


def test_a_refusal_lists_what_can_follow() -> None:
    with pytest.raises(IllegalMove) as caught:
        move(DeliveryState.QUEUED, DeliveryState.ACCEPTED)
    assert caught.value.hint == "From 'queued' only these can follow: sending, refused."
    with pytest.raises(IllegalMove) as caught:
        move(IncidentState.CLOSED, IncidentState.REPORTED)
    assert "nothing" in caught.value.hint


def test_a_move_stays_within_its_kind_of_state() -> None:
    assert all(type(old) is type(new) for old, new, _ in MOVES)


def test_each_move_stands_once_and_has_a_reason() -> None:
    assert len(LEGAL) == len(MOVES)
    for old, new, reason in MOVES:
        assert reason
        assert reason_of(old, new) == reason
    with pytest.raises(KeyError):
        reason_of(AskState.ANSWERED, AskState.OPEN)


@pytest.mark.parametrize(("kind", "beginning"), tuple(zip(KINDS, BEGINNINGS, strict=True)))
def test_every_state_can_be_reached_from_the_beginning(kind: type[State], beginning: State) -> None:
    reached: set[StrEnum] = {beginning}
    for _ in kind:
        reached |= {new for old, new, _ in MOVES if type(old) is kind and old in reached}
    assert reached == set(kind)


def test_final_are_the_states_that_nothing_follows() -> None:
    final = {str(state) for kind in KINDS for state in kind if is_final(state)}
    assert final == {
        "closed",
        "answered",
        "withdrawn",
        "accepted",
        "refused",
    }


def test_a_failed_step_holds_the_others_back_and_an_ended_one_lets_them_go() -> None:
    going = {state for state in StepState if lets_others_go(state)}
    assert going == {StepState.VERIFIED, StepState.DEGRADED, StepState.SKIPPED}
