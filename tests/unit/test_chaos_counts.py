# SPDX-License-Identifier: Apache-2.0
"""What `make chaos` counts by is itself proven both ways: the good passes, each defect is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.chaos.counts import End, commands_problems
from tests.chaos.day import drawn
from tests.chaos.deaths import Kind, strike
from tests.chaos.quick import Quick
from tests.conformance.authority import Authority
from tests.postgres_bench import Server

KEYS = {"run/step/parts/1", "run/step/parts/2"}
GOOD = End(
    state="closed",
    steps=(("notify_users", "verified"), ("restore_data", "verified")),
    told=(("outage", "users", "ceo", 1),),
    uncertain=frozenset(),
)


@pytest.fixture
def authority() -> Iterator[Authority]:
    with Authority() as opened:
        yield opened


def day_in(folder: Path, authority: Authority) -> Quick:
    """Return a day that went well, as far as its commands go."""
    quick = Quick(root=folder, schema="day", server=Server(folder, 0), authority=authority)
    (quick.site / "app").mkdir(parents=True)
    (folder / "once").write_text("by hand\n")
    for effect in (folder / "parts", quick.site / "app" / "inside"):
        effect.write_text("run/step/parts/1\nrun/step/parts/2\n")
    return quick


def test_effects_are_counted_once_for_each_key(tmp_path: Path, authority: Authority) -> None:
    quick = day_in(tmp_path, authority)
    assert list(commands_problems(quick, KEYS)) == []
    for name, text, told in (
        ("parts", "run/step/parts/1\nrun/step/parts/1\n", "twice under one key"),
        ("parts", "run/step/parts/9\n", "keys that the record does not know"),
        ("parts", "", "was done 0 times"),
        ("once", "by hand\nrun/step/parts/1\n", "was done 2 times"),
        ("parts.doubled", "run/step/parts/2\n", "by two at once"),
    ):
        other = day_in(tmp_path / told.replace(" ", "-"), authority)
        (other.root / name).write_text(text)
        problems = list(commands_problems(other, KEYS))
        assert len(problems) == 1, problems
        assert told in problems[0]


def test_an_end_differs_unless_an_uncertain_message_explains_it() -> None:
    assert list(GOOD.differences(GOOD)) == []
    degraded = replace(GOOD, steps=(("notify_users", "degraded"), ("restore_data", "verified")))
    assert len(list(degraded.differences(GOOD))) == 1
    explained = replace(degraded, uncertain=frozenset({"notify_users"}))
    assert list(explained.differences(GOOD)) == []
    for changed in (
        replace(GOOD, state="recovering"),
        replace(GOOD, told=()),
        replace(GOOD, steps=GOOD.steps[:1]),
        replace(GOOD, steps=(("notify_users", "verified"), ("restore_data", "failed"))),
    ):
        assert len(list(changed.differences(GOOD))) == 1


def test_a_seed_draws_the_same_deaths_again() -> None:
    assert drawn(7, 3) == drawn(7, 3)
    assert drawn(7, 3) != drawn(7, 4)
    kinds = {death.kind for number in range(30) for death in drawn(7, number)}
    assert kinds == set(Kind)


def test_nobody_to_kill_is_no_death() -> None:
    assert not strike(2**22 + 1, Kind.CHILD, Random(1), None)
