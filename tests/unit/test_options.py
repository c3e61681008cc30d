# SPDX-License-Identifier: Apache-2.0
"""The options stand side by side, and what nobody said is said to be unknown."""

from __future__ import annotations

from blackstart.model.events import Option as Asked
from blackstart.reports.options import UNKNOWN, Option, options_of, options_table

REPAIR = Option(
    name="repair in place",
    meaning="replace the broken disk",
    expected_s=7_200,
    data_lost="none",
    reversible="until the old disk is wiped",
    said_by="Lena Hartwig",
)


def row_of(table: str, name: str) -> str:
    return next(line for line in table.splitlines() if line.startswith(name))


def test_an_option_with_figures_shows_them_all() -> None:
    row = row_of(options_table([REPAIR], elapsed_s=600, goal_s=86_400), "repair in place")
    for part in ("2 h", "met", "none", "until the old disk is", "Lena Hartwig"):
        assert part in row
    assert UNKNOWN not in row


def test_what_takes_longer_than_what_is_left_misses_the_goal() -> None:
    table = options_table([REPAIR], elapsed_s=80_000, goal_s=86_400)
    assert "missed" in row_of(table, "repair in place")
    assert "1 h 47 min are left" in table


def test_a_goal_that_has_passed_is_said() -> None:
    table = options_table([REPAIR], elapsed_s=90_000, goal_s=86_400)
    assert "it is past by 1 h" in table
    assert "missed" in table


ASKED = (
    Asked(
        name="rebuild",
        meaning="activate the Recovery phase",
        expected_s=79.0,
        data_lost="the last 0.6 s",
        reversible="until the first write of a user in the new environment",
    ),
    Asked(name="repair", meaning="repair production in place"),
    Asked(name="restore-part", meaning="restore what was lost, keep the rest"),
    Asked(name="wait", meaning="wait for the vendor", reversible="at any time"),
)


def test_the_options_of_a_question_stand_beside_each_other_in_their_order() -> None:
    table = options_table(options_of(ASKED, {"rebuild": "Ada"}), elapsed_s=60, goal_s=86_400)
    names = tuple(each.name for each in ASKED)
    assert [line for line in table.splitlines() if line.startswith(names)] == [
        row_of(table, name) for name in names
    ]
    assert row_of(table, "wait").count(UNKNOWN) == 3
    assert row_of(table, "repair").count(UNKNOWN) == 4
    assert "nobody yet" in row_of(table, "restore-part")
    for part in ("1 min 19 s", "the last 0.6 s", "Ada"):
        assert part in row_of(table, "rebuild")


def test_long_cells_are_wrapped_in_their_column_and_nothing_is_lost() -> None:
    table = options_table(options_of(ASKED, {}), elapsed_s=60, goal_s=86_400)
    assert all(len(line) <= 120 for line in table.splitlines())
    assert "until the first write of a" in table
    assert "user in the new" in table
    assert "environment" in table


def test_text_from_outside_cannot_break_a_line() -> None:
    odd = Option(name="re\x1b[31mbuild\nnow", meaning="a\tb")
    table = options_table([odd], elapsed_s=0, goal_s=60)
    assert "\x1b" not in table
    assert "a b" in table


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    asked = options_of(ASKED, {"rebuild": "Ada"})
    wide = options_table(asked, elapsed_s=60, goal_s=86_400)
    narrow = options_table(asked, elapsed_s=60, goal_s=86_400, columns=76)
    assert max(len(line) for line in wide.splitlines()) > 76
    assert max(len(line) for line in narrow.splitlines()) <= 76
    assert set(wide.replace("-", "").split()) == set(narrow.replace("-", "").split())
