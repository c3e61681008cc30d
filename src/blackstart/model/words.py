# SPDX-License-Identifier: Apache-2.0
"""Times, sizes and options in words that can be read at three in the morning."""

from __future__ import annotations

from datetime import UTC, datetime

from blackstart.model.events import Option

NOTHING = "\N{EN DASH}"  # stands where there is no figure


def say_duration(duration_s: float | None) -> str:
    """Return a duration: `0.4 s`, `48.3 s`, `3 min 05 s`, `1 h 05 min`, `24 h`, `3 d 4 h`.

    Tenths only below a minute, nothing that is nought behind the larger unit, hours up to two days
    (goals are agreed in hours), and a dash where there is no figure.
    """
    if duration_s is None:
        return NOTHING
    if duration_s < 0:
        return f"-{say_duration(-duration_s)}"
    if 0 < duration_s < 0.05:
        return "< 0.1 s"
    if duration_s < 59.95:
        return f"{duration_s:.1f}".removesuffix(".0") + " s"
    if (seconds := round(duration_s)) < 3_600:
        return _two(seconds, 60, "min", "s")
    if (minutes := round(duration_s / 60)) < 2 * 24 * 60:
        return _two(minutes, 60, "h", "min")
    return _two(round(duration_s / 3_600), 24, "d", "h")


def _two(amount: int, per_unit: int, large: str, small: str) -> str:
    first, rest = divmod(amount, per_unit)
    if not rest:
        return f"{first} {large}"
    shown = f"{rest}" if small == "h" else f"{rest:02d}"
    return f"{first} {large} {shown} {small}"


def say_moment(at: datetime) -> str:
    """Return a moment with its zone: `2026-11-23 03:14:15 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def read_moment(text: str) -> datetime | None:
    """Return the moment in UTC that an ISO 8601 text names; None without a zone, or if it is none.

    The zone has to be said: between people of several countries it cannot be guessed.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def say_bytes(size_bytes: float) -> str:
    """Return a size in binary units: `12.3 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size_bytes) < 1024 or unit == "GiB":
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1024
    raise AssertionError("unreachable")


def say_count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 user`, `4 users`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def say_option(option: Option) -> str:
    """Return one line that sets an option beside the others."""
    known = (
        f"expected {say_duration(option.expected_s)}" if option.expected_s is not None else "",
        f"data lost: {option.data_lost}" if option.data_lost else "",
        f"reversible {option.reversible}" if option.reversible else "",
    )
    told = "; ".join(part for part in known if part)
    return f"{option.name}: {option.meaning}" + (f" ({told})" if told else "")
