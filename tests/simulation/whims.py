# SPDX-License-Identifier: Apache-2.0
"""What people order of their own accord, at any moment and sometimes without the right to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random

from blackstart.model import commands, steering
from blackstart.model import events as ev
from blackstart.model.answering import ANSWERS
from blackstart.model.asks import Answer, Known, answer
from blackstart.model.errors import Refused
from blackstart.model.incident import Incident
from blackstart.model.runbook import Runbook
from blackstart.model.views import RunView
from tests.simulation.people import PROOF, Crowd
from tests.simulation.procedure import FIRST_PLAN, SECOND_PLAN

Events = tuple[ev.Event, ...]
Whim = Callable[[Crowd, Random, Known, Incident], Events]


def follow(crowd: Crowd, dice: Random) -> None:
    """Let somebody order something."""
    name = dice.choices(list(_WHIMS), [weight for weight, _ in _WHIMS.values()])[0]
    crowd.stage.tell(f"     somebody wants: {name}")
    _, whim = _WHIMS[name]
    crowd.order(lambda known, state: whim(crowd, dice, known, state))


def _pause(_crowd: Crowd, _dice: Random, known: Known, state: Incident) -> Events:
    return commands.pause(known.plan, state, by="p1", why="wait")


def _hand_over(_crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    taker = dice.choice(("p1", "p2", "p3", "p4"))
    return commands.hand_over(
        known.plan, state, "incident_commander", taker, by=dice.choice(("p1", "p2", "p4")), card="c"
    )


def _waive(_crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    return steering.waive(
        known.plan,
        state,
        dice.choice(list(steering.WAIVABLE)),
        by=dice.choice(("p1", "p2", "p4")),
        second="p3",
        why="the vendor saw to it",
        until=known.now + timedelta(hours=3),
        now=known.now,
    )


def _amend(crowd: Crowd, _dice: Random, known: Known, state: Incident) -> Events:
    digest = SECOND_PLAN if state.plan == FIRST_PLAN else FIRST_PLAN
    new: Mapping[str, Runbook] = crowd.plans[digest][1]
    return commands.amend(
        known.plan, (known.runbooks, new), state, digest, by="p1", why="say thanks"
    )


def _estimate(_crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    made = commands.Estimate(
        option=dice.choice(("rebuild", "repair", "wait")),
        expected_s=dice.uniform(60, 9_000),
        system=state.reported.systems[0],
    )
    return commands.estimate(known.plan, state, made, by="p4")


def _tell(_crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    channel, audience = dice.choice((("incident", "everyone"), ("users", "affected")))
    return commands.tell(
        known.plan, state, "We work on it.", by="p1", channel=channel, audience=audience
    )


def _question(_crowd: Crowd, _dice: Random, known: Known, state: Incident) -> Events:
    return commands.question(
        known.plan, state, known.now, "devops", "How long?", by="p1", within_s=900
    )


def _assess(_crowd: Crowd, _dice: Random, known: Known, state: Incident) -> Events:
    seen = (ev.Sighting(subject="disk", condition="lost", seen="smoke"),)
    return commands.assess(known.plan, state, "The disk burnt.", seen, by="p4")


def _correct(_crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    start = state.reported_at - timedelta(seconds=dice.uniform(0, 7_200))
    return commands.correct_outage(
        known.plan, state, start, by="p1", why="a log says so", now=known.now
    )


def _some_run(dice: Random, state: Incident) -> RunView:
    if not state.runs:
        raise Refused("Nothing runs yet.", "Wait.")
    return dice.choice(list(state.runs.values()))


def _undo(_crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    run = _some_run(dice, state)
    step = dice.choice(known.runbooks[run.started.system].steps).name
    return steering.undo(known.plan, known.runbooks, state, run, step, by="p1", why="wrong place")


def _retry(_crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    run = _some_run(dice, state)
    step = dice.choice(known.runbooks[run.started.system].steps).name
    return steering.retry(known.plan, known.runbooks, state, run, step, by="p1")


def _finish(crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    run = _some_run(dice, state)
    step = dice.choice(known.runbooks[run.started.system].steps).name
    done = steering.finish(
        known.plan,
        known.runbooks,
        state,
        run,
        step,
        by="p1",
        why="typed it in",
        now=known.now,
        outputs={"value": "x"},
        evidence=PROOF,
    )
    crowd.world.by_hand.add(f"{run.started.run}/{step}")
    return done


def _skip(crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    run = _some_run(dice, state)
    step = dice.choice(known.runbooks[run.started.system].steps).name
    skipped = steering.skip(
        known.plan, known.runbooks, state, run, step, by="p1", why="not needed", now=known.now
    )
    crowd.world.by_hand.add(f"{run.started.run}/{step}")
    return skipped


def _stand_down(_crowd: Crowd, _dice: Random, known: Known, state: Incident) -> Events:
    return commands.stand_down(known, state, Answer(text="stand-down", by="p1", why="it is back"))


def _activate(_crowd: Crowd, _dice: Random, known: Known, state: Incident) -> Events:
    return commands.activate(known, state, Answer(text="rebuild", by="p2", why="it will last"))


def _answer_anything(crowd: Crowd, dice: Random, known: Known, state: Incident) -> Events:
    open_asks = state.open_asks()
    if not open_asks:
        raise Refused("Nobody is asked.", "Wait.")
    ask = dice.choice(open_asks).opened
    text = dice.choice((*ANSWERS[ask.kind], "nonsense", "go"))
    if text == "leave":
        crowd.left.add(f"{ask.run}/{ask.step}")
    if text == "skip":
        raise Refused("That is said in its own way.", "Skip the step.")
    said = Answer(
        text=text,
        by=dice.choice(tuple(known.plan.people)),
        why="so it is",
        outputs={"seen": "yes"},
        evidence=PROOF,
    )
    return answer(known, state, ask.ask, said)


_WHIMS: Mapping[str, tuple[float, Whim]] = {
    "pause": (3, _pause),
    "hand over": (3, _hand_over),
    "waive": (1, _waive),
    "amend": (3, _amend),
    "estimate": (1, _estimate),
    "tell": (2, _tell),
    "question": (1, _question),
    "assess": (1, _assess),
    "correct": (1, _correct),
    "undo": (5, _undo),
    "retry": (2, _retry),
    "finish": (3, _finish),
    "skip": (2, _skip),
    "stand down": (0.5, _stand_down),
    "activate": (1, _activate),
    "answer anything": (4, _answer_anything),
}
