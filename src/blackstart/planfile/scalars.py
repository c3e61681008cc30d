# SPDX-License-Identifier: Apache-2.0
"""What a plain scalar means: the core schema of YAML 1.2, chapter 10.3, within 64 bits.

`yes`, `off`, `2023-07-01` and `12:30` are text here, unlike in YAML 1.1.
"""

from __future__ import annotations

import re

from blackstart.planfile.tree import Plain

_UNUSABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUE = ("true", "True", "TRUE")
_FALSE = ("false", "False", "FALSE")
_WORDS: dict[str, Plain] = {
    **dict.fromkeys(_NULLS),
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
}


def is_usable(text: str) -> bool:
    """Say whether messages, file names and JSON can hold the text."""
    return _UNUSABLE.search(text) is None


def drops_digits(text: str) -> bool:
    """Say whether the text is a number that would not look the same again, like version 2.10."""
    return re.fullmatch(r"[-+]?[0-9]+\.([0-9]*0)?", text) is not None


def resolve(text: str) -> Plain:
    """Return the value of a plain scalar.

    Raises OverflowError for a number that JSON and 64 bits cannot hold.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return _within_64_bits(_int_of(text))
    if _FLOAT.fullmatch(text):
        return _within_64_bits(float(text))
    if _NOT_FINITE.fullmatch(text):
        raise OverflowError(text)
    return text


def _int_of(text: str) -> int:
    if len(text) > 64:  # far more than fits; int() itself refuses thousands of digits
        raise OverflowError(text)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _within_64_bits(number: float) -> int | float:
    if not -(2**63) < number < 2**63:
        raise OverflowError(number)
    return number
