# SPDX-License-Identifier: Apache-2.0
"""Whatever the bytes are: a plan, or problems with their places. Never anything else."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from blackstart.model.errors import PlanRejected
from blackstart.model.plan import Mode, Plan
from blackstart.planfile.compile import compile_runbook
from blackstart.planfile.effective import show_effective
from blackstart.planfile.load import read_located
from blackstart.planfile.problems import PROBLEMS_AT_MOST
from tests.sample_plan import GOOD, OUTPUTS_OF, plan_of, verbs_of

VERBS = verbs_of(plan_of())
LINES = GOOD.splitlines(keepends=True)
PROBLEM = re.compile(r"[^\n]+\.yaml:[1-9][0-9]*:[1-9][0-9]*: [^\n]+ → [^\n]+")
PIECES = st.sampled_from(
    [
        ": ",
        "- ",
        "? ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "&a ",
        "*a",
        "!!str ",
        "|\n ",
        ">\n ",
        "\n",
        "  ",
        "\t",
        "'",
        '"',
        "#",
        "---\n",
        "...\n",
        "%YAML 1.1\n",
        "<<: ",
        "~",
        "null",
        "1e999",
        "0x1F",
        "${",
        "}",
        "${settings.x}",
        "a",
        "blackstart: 1\n",
        "systems:\n",
        "people:\n",
        "\\ud800",
        "\r",
        "\x85",
        "\ufeff",
        "\u2028",
        "é",
        "\U0001f525",
    ]
)


def explains(rejected: PlanRejected) -> None:
    assert 0 < len(rejected.problems) <= PROBLEMS_AT_MOST
    for problem in rejected.problems:
        assert PROBLEM.fullmatch(problem), problem
    assert str(rejected).encode()


def loads_or_explains(content: bytes) -> Plan | None:
    """Load the bytes; when they are rejected, every problem must be one line with its place."""
    try:
        located = read_located(content, "plan.yaml", VERBS)
    except PlanRejected as rejected:
        explains(rejected)
        return None
    assert all(" = " in line and "  # " in line for line in show_effective(located))
    return located.plan


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_any_bytes(content: bytes) -> None:
    assert loads_or_explains(content) is None


@given(st.lists(PIECES, max_size=60).map("".join))
@settings(max_examples=200)
def test_any_pieces_of_yaml(text: str) -> None:
    assert loads_or_explains(text.encode()) is None


@given(st.data())
@settings(max_examples=60)
def test_a_good_plan_with_its_lines_shuffled_about(data: st.DataObject) -> None:
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "indent", "insert"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                lines[at], lines[at - 1] = lines[at - 1], lines[at]
            case "indent":
                lines[at] = "  " + lines[at]
            case _:
                lines.insert(at, data.draw(st.text(max_size=20)) + "\n")
    plan = loads_or_explains("".join(lines).encode("utf-8", "surrogatepass"))
    assert plan is None or plan.systems


@given(st.data())
@settings(max_examples=60)
def test_a_good_plan_with_pieces_put_in(data: st.DataObject) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(PIECES) + text[at + cut :]
    plan = loads_or_explains(text.encode())
    if plan is not None:
        compiles_or_explains(plan)


def compiles_or_explains(plan: Plan) -> None:
    """What loads also compiles, for every target."""
    for name, system in plan.systems.items():
        for target in system.targets:
            mode = Mode.DRILL if target == "drill" else Mode.RECOVERY
            runbook = compile_runbook(plan, name, target, mode, OUTPUTS_OF)
            assert len(runbook.steps) == 11


def test_the_sample_itself_is_sound() -> None:
    plan = loads_or_explains(GOOD.encode())
    assert plan is not None
    compiles_or_explains(plan)
