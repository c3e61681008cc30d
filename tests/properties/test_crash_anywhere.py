# SPDX-License-Identifier: Apache-2.0
"""The driver dies before and after each write and each call outside, and the end is the same.

The days are played by the real engine on the real journal; what they do outside is counted by a
simulated world (`tests/simulation`). Both stories have two systems, a step that fails and is
finished by hand, work by hand, gates, notices, and one death that belongs to them, so that the
points of a recovery from a death are died at as well.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.simulation.day import Day, Script
from tests.simulation.invariants import faults_of
from tests.simulation.stories import STOOD_DOWN, WHOLE, end_of, play_dying_at, problems_of
from tests.simulation.world import Fate

STRIDE = int(os.environ.get("BLACKSTART_STRIDE", "61"))  # 1 dies at every single point
STORIES = pytest.mark.parametrize("story", [WHOLE, STOOD_DOWN], ids=lambda story: str(story.seed))
OUTSIDE = "perform inspect check undo send lookup keep put remember".split()
WRITES = "append move_delivery claim release progress".split()


def undisturbed(story: Script, folder: Path) -> Day:
    day = play_dying_at(story, folder / "undisturbed")
    assert faults_of(day) == []
    return day


@STORIES
def test_dying_at_any_point_leads_to_the_same_end(memory_path: Path, story: Script) -> None:
    day = undisturbed(story, memory_path)
    end = end_of(day)
    for point in range(1, day.stage.points + 1, STRIDE):
        again = play_dying_at(story, memory_path / str(point), point)
        found = problems_of(again, end)
        assert not found, "\n".join([*again.stage.told, f"died at point {point}", *found])


@STORIES
def test_dying_again_while_recovering_from_a_death_leads_to_the_same_end(
    memory_path: Path, story: Script
) -> None:
    day = undisturbed(story, memory_path)
    end = end_of(day)
    for point in range(STRIDE, day.stage.points + 1, 3 * STRIDE):
        points = (point, point + 1, point + 3, point + 7, point + 20)
        again = play_dying_at(story, memory_path / str(point), *points)
        found = problems_of(again, end)
        assert not found, "\n".join([*again.stage.told, f"died at points {points}", *found])


def test_the_stories_come_to_every_write_and_every_call_outside(memory_path: Path) -> None:
    seen = undisturbed(WHOLE, memory_path / "whole").stage.seen
    seen += undisturbed(STOOD_DOWN, memory_path / "down").stage.seen
    wanted = {f"{what} {when}" for what in (*OUTSIDE, *WRITES) for when in ("before", "after")}
    assert wanted <= seen.keys()


def test_standing_down_leaves_nothing_in_the_world(memory_path: Path) -> None:
    day = undisturbed(STOOD_DOWN, memory_path)
    assert day.world.effects
    assert day.world.live == {}


def test_an_action_that_lies_about_its_work_is_found_out(memory_path: Path) -> None:
    lying = replace(WHOLE, fate=lambda _: Fate(lies=True))
    day = play_dying_at(lying, memory_path / "lying")
    assert any("was made twice" in fault for fault in faults_of(day))
