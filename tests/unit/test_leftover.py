# SPDX-License-Identifier: Apache-2.0
"""An attempt that a death cut off is no failure: it takes none of those that the plan allows."""

from __future__ import annotations

from blackstart.engine.leftover import is_spent
from blackstart.model.events import (
    ActionEnded,
    ActionStarted,
    Event,
    IncidentReported,
    RunStarted,
    StepEnded,
    StepStarted,
)
from blackstart.model.incident import fold
from blackstart.model.runbook import ActionSpec
from tests.sample_facts import OUTAGE_START, RUN, chain

STEP = "restore_data"
SPEC = ActionSpec(name="database", use="touch.it", attempts=2)
OPENED: tuple[Event, ...] = (
    IncidentReported(
        systems=("shop",),
        mode="recovery",
        target="recovery",
        summary="gone",
        outage_start=OUTAGE_START,
        plan="0" * 64,
    ),
    RunStarted(run=RUN, system="shop", target="recovery", mode="recovery", marker="m", runbook=""),
    StepStarted(run=RUN, step=STEP),
)
AGAIN = (
    StepEnded(run=RUN, step=STEP, outcome="failed", reason="no"),
    StepStarted(run=RUN, step=STEP),
)


def begun(*attempts: int) -> tuple[Event, ...]:
    return tuple(
        ActionStarted(run=RUN, step=STEP, action=SPEC.name, attempt=number, key=f"k{number}")
        for number in attempts
    )


def failed(attempt: int) -> tuple[Event, ...]:
    ended = ActionEnded(
        run=RUN, step=STEP, action=SPEC.name, key=f"k{attempt}", outcome="failed", summary="no"
    )
    return (*begun(attempt), ended)


def is_spent_after(*events: Event) -> bool:
    facts = chain((OUTAGE_START, "driver", event) for event in (*OPENED, *events))
    return is_spent(fold(facts).runs[RUN].step(STEP), SPEC)


def test_a_second_failure_spends_what_the_plan_allows_and_deaths_do_not() -> None:
    deaths = begun(1, 2, 3)
    assert not is_spent_after(*deaths)
    assert not is_spent_after(*deaths, *failed(4))
    assert is_spent_after(*deaths, *failed(4), *failed(5))
    assert is_spent_after(*failed(1), *failed(2))


def test_a_retry_that_a_person_orders_is_one_attempt_however_many_deaths_came_before() -> None:
    stopped = (*begun(1, 2, 3), *failed(4), *failed(5), *AGAIN)
    assert not is_spent_after(*stopped)
    assert not is_spent_after(*stopped, *begun(6, 7))
    assert is_spent_after(*stopped, *begun(6, 7), *failed(8))
