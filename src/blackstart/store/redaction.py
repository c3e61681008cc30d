# SPDX-License-Identifier: Apache-2.0
"""Secrets that got into a text are replaced by their references. Pure."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus

_LINE_AT_LEAST = 16  # shorter lines of a secret of many lines say too little to be told apart
_ENCODED_AT_LEAST = 6  # the encoded form of a shorter one may be there by chance
_BROKEN_AT_LEAST = 8  # the same, for one that a line end runs through
_BREAK = r"(?:\\n|\\?\s+)*"  # a line end, as it is or as JSON writes it, with what indents the next
_ARMOUR = "-----"  # the first and last line of a key in PEM are no secret


def redact(text: str, values: Mapping[str, str]) -> str:
    """Return the text with every value replaced by its reference (`values`: reference → value).

    Also found: a value as it stands in a URL, in JSON, in HTML, in a shell's or Python's quotes, in
    base64 or hexadecimal, one that line ends run through, and single lines of a long one (keys).
    """
    reference_of = {
        form: reference for reference, value in values.items() for form in forms_of(value)
    }
    whole = [form for form in reference_of if form in text]
    if whole:
        found = re.compile("|".join(map(re.escape, _longest_first(whole))))
        text = found.sub(lambda match: reference_of[match.group()], text)
    if "\n" not in text and "\\n" not in text:
        return text
    joined = _joined(text) + "\n" + _joined(text.replace("\\\n", ""))
    long = [form for form in reference_of if len(form) >= _BROKEN_AT_LEAST]
    for form in _longest_first([form for form in long if _joined(form) in joined]):
        text = _without_broken(text, form, reference_of[form])
    return text


def _joined(text: str) -> str:
    return "".join(text.replace("\\n", "").split())


def _longest_first(forms: list[str]) -> list[str]:
    return sorted(forms, key=len, reverse=True)


def _without_broken(text: str, form: str, reference: str) -> str:
    """Replace a form that line ends run through; what is whole was looked at before."""
    pattern = _BREAK.join(re.escape(letter) for letter in form if not letter.isspace())

    def shown(found: re.Match[str]) -> str:
        is_broken = "\n" in found.group() or "\\n" in found.group()
        return reference if is_broken else found.group()

    return re.sub(pattern, shown, text)


@lru_cache(maxsize=1024)
def forms_of(value: str) -> tuple[str, ...]:
    """Return the forms in which the value may stand in a text, itself among them."""
    forms = [value, value.strip(), quote(value, safe=""), json.dumps(value)[1:-1]]
    lines = value.splitlines()
    if len(lines) > 1:
        forms += (one for one in lines if len(one) >= _LINE_AT_LEAST and _ARMOUR not in one)
    if len(value) >= _ENCODED_AT_LEAST:
        forms += _encoded(value)
    return tuple(dict.fromkeys(form for form in forms if form))


def _encoded(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "surrogateescape")
    yield from (quote(value, safe="/"), quote_plus(value), quote(value).lower())
    yield from (json.dumps(value, ensure_ascii=False)[1:-1], html.escape(value))
    yield from (repr(value)[1:-1], repr(raw)[2:-1], value.replace("'", "'\"'\"'"))
    yield from (raw.hex(), raw.hex().upper())
    for before in range(3):  # in base64 a text looks different with each number of bytes before it
        encoded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[before] : None if (before + len(raw)) % 3 == 0 else -1]
        yield from (inner, inner.translate(_URL_SAFE))


_URL_SAFE = str.maketrans("+/", "-_")
