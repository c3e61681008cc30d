# SPDX-License-Identifier: Apache-2.0
"""The table of injections says of each what it breaks and the end that it must lead to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blackstart.model.errors import Refused
from blackstart.planfile.problems import Problems
from blackstart.planfile.profiles import load_profile
from blackstart.planfile.tree import Block
from blackstart.sandbox import injections
from blackstart.sandbox.injection import HEALTHY, TOLD, Injection
from blackstart.sandbox.injections import INJECTIONS, injection_named

FOLDER = Path(str(injections.__file__)).parent


def test_each_file_of_the_folder_is_one_injection_of_that_name() -> None:
    files = {path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_")}
    assert files == {name.replace("-", "_") for name in INJECTIONS}
    assert all(injection.what for injection in INJECTIONS.values())


@pytest.mark.parametrize("injection", INJECTIONS.values(), ids=list(INJECTIONS))
def test_each_expects_an_end_that_is_not_healthy(injection: Injection) -> None:
    assert injection.expected != HEALTHY
    pattern = r"(stops at [a-z_]+\.[a-z_]+|recovers degraded: [a-z_, ]+|refused .* code \d)"
    assert injection.expected == TOLD or re.fullmatch(pattern, injection.expected)


def test_each_place_where_one_stops_is_in_the_profile() -> None:
    steps = load_profile("flowfuse/local@1", Problems()).entry.steps
    places = {
        f"{step.name}.{entry.key}"
        for step in steps
        for action in step.do or []
        if isinstance(action, Block)
        for entry in action.entries
    }
    stops = [one.expected.removeprefix("stops at ") for one in INJECTIONS.values()]
    assert {stop for stop in stops if "." in stop} <= places


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    assert injection_named("stale-path").name == "stale-path"
    with pytest.raises(Refused, match="open-listener"):
        injection_named("no-such-thing")
