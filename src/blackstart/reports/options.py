# SPDX-License-Identifier: Apache-2.0
"""The ways to go on, side by side, as the commander sees them before activating the recovery.

What an option costs comes from whoever knows it: the vendor, the engineers, the plan. What nobody
said is shown as unknown, never left out: an option without figures must not look like the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap

from blackstart.model.events import Option as Asked
from blackstart.model.words import say_duration
from blackstart.reports.phrases import plain

UNKNOWN = "not known"
_HEADS = ("Option", "Expected", "Goal", "Data lost", "Reversible", "Said by")
_GAP = "  "
_WIDE = (28, 12, 10, 18, 26, 16)
_NARROW = (13, 11, 9, 12, 12, 9)  # for a terminal of 80 columns
_Widths = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One way to go on. None and "" stand for what nobody has said yet.

    `expected_s` is the time to full service from now; `data_lost` and `reversible` say in words
    what would be missing afterwards and until when there is a way back.
    """

    name: str
    meaning: str = ""
    expected_s: float | None = None
    data_lost: str = ""
    reversible: str = ""
    said_by: str = ""


def options_of(asked: Iterable[Asked], said_by: Mapping[str, str]) -> tuple[Option, ...]:
    """Return the options of a question as rows; `said_by` names who estimated which."""
    return tuple(
        Option(
            name=each.name,
            meaning=each.meaning,
            expected_s=each.expected_s,
            data_lost=each.data_lost,
            reversible=each.reversible,
            said_by=said_by.get(each.name, ""),
        )
        for each in asked
    )


def options_table(
    options: Iterable[Option], *, elapsed_s: float, goal_s: float, columns: int = 120
) -> str:
    """Return the options as a table of plain text, in the order given.

    `elapsed_s` is how long the outage has lasted, `goal_s` the time within which it is to be over,
    `columns` how wide the place is.
    """
    widths = _WIDE if columns >= sum(_WIDE) + len(_GAP) * (len(_WIDE) - 1) else _NARROW
    rows = [_HEADS, tuple("-" * width for width in widths)]
    lines = [_line(row, widths) for row in rows]
    for option in options:
        lines += _lines(_cells(option, goal_s - elapsed_s), widths)
        lines += [f"{_GAP}{line}" for line in wrap(plain(option.meaning), sum(widths))]
    left_s = goal_s - elapsed_s
    past = f"it is past by {say_duration(-left_s)}"
    said = f"{say_duration(left_s)} are left" if left_s >= 0 else past
    lines.append(f"The goal is {say_duration(goal_s)} after the outage began; {said}.")
    return "\n".join(lines)


def _cells(option: Option, left_s: float) -> tuple[str, ...]:
    return (
        plain(option.name),
        UNKNOWN if option.expected_s is None else say_duration(option.expected_s),
        _against(option.expected_s, left_s),
        plain(option.data_lost) or UNKNOWN,
        plain(option.reversible) or UNKNOWN,
        plain(option.said_by) or "nobody yet",
    )


def _against(expected_s: float | None, left_s: float) -> str:
    if expected_s is None:
        return UNKNOWN
    return "met" if expected_s <= left_s else "missed"


def _lines(cells: tuple[str, ...], widths: _Widths) -> list[str]:
    """Return the cells as one or more lines, each cell wrapped in its column."""
    columns = [wrap(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    height = max(len(column) for column in columns)
    return [
        _line(tuple(column[number] if number < len(column) else "" for column in columns), widths)
        for number in range(height)
    ]


def _line(cells: tuple[str, ...], widths: _Widths) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return _GAP.join(padded).rstrip()
