# SPDX-License-Identifier: Apache-2.0
"""Whole days by chance: deaths, freezes, two drivers, a world that lies, people who steer.

A day is one number; what fails prints the story and the number. `make sim` plays thousands.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.house.tree import ROOT
from tests.simulation.played import play_deaths, play_seed

# Days that go wrong when what was repaired is undone, each with what the engine did then.
FOUND = {
    0: "a channel that could not say what became of a message was never asked a second time",
    2: "a chased question that the staff channel refused broke the driver, again and again",
    45: "a driver that slept through its claim sent and acted beside the one that took over",
}
DAYS = 10

# What is done to a copy of the engine: file → what is replaced by what.
_LATE = (
    "    if not is_in_doubt:\n"
    "        record(journal, house, job, started(job, house.verbs))\n"
    "    ended = _ended(house, job,"
)
MUTANTS = {
    "no inspect": {"engine/acting.py": ("        if is_in_doubt:\n", "        if False:\n")},
    "record after act": {
        "engine/runner.py": ("for act, job in jobs if not act.is_begun\n", "for act, job in ()\n"),
        "engine/acting.py": ("    ended = _ended(house, job,", _LATE),
    },
    "gate ignored": {
        "engine/stepping.py": (" and gate_is_open(incident, run, step)", ""),
    },
}


@pytest.mark.parametrize("seed", FOUND, ids=str)
def test_a_day_that_once_went_wrong_goes_well(seed: int) -> None:
    played = play_seed(seed)
    assert not played.faults, played.story()


@settings(max_examples=DAYS, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 10**9))
def test_any_day_comes_to_its_end_and_keeps_the_law(seed: int) -> None:
    played = play_seed(seed)
    assert not played.faults, played.story()


@settings(max_examples=DAYS)
@given(points=st.lists(st.integers(1, 1_200), min_size=2, max_size=6, unique=True))
def test_several_deaths_lead_to_the_same_end(points: list[int]) -> None:
    played = play_deaths(0, tuple(points))
    assert not played.faults, played.story()


def engine_with(mutant: str, folder: Path) -> Path:
    """Return the folder of a copy of the source in which this was changed."""
    shutil.copytree(ROOT / "src", folder / "src")
    for name, (old, new) in MUTANTS[mutant].items():
        path = folder / "src/blackstart" / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} has no such place any more: {old}"
        path.write_text(text.replace(old, new))
    return folder / "src"


def simulate(source: Path, days: int) -> subprocess.CompletedProcess[str]:
    """Play days with the engine in that folder."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--days", str(days), "--until-wrong"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(source)},
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_defect_of_the_engine_is_caught(mutant: str, memory_path: Path) -> None:
    done = simulate(engine_with(mutant, memory_path), 60)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "WRONG SEED=" in done.stdout
