# SPDX-License-Identifier: Apache-2.0
"""Secrets that got into a text are replaced by their references. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

_LINE_AT_LEAST = 16  # shorter lines of a secret of many lines say too little to be told apart


def redact(text: str, values: Mapping[str, str]) -> str:
    """Return the text with every value replaced by its reference (`values`: reference → value).

    Also found: a value as it stands in a URL or in JSON, and single lines of a long one (keys).
    """
    reference_of = {
        form: reference for reference, value in values.items() for form in _forms_of(value)
    }
    if not reference_of:
        return text
    longest_first = sorted(reference_of, key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(form) for form in longest_first))
    return pattern.sub(lambda found: reference_of[found.group()], text)


def _forms_of(value: str) -> Iterator[str]:
    for form in (value, value.strip(), quote(value, safe=""), json.dumps(value)[1:-1]):
        if form:
            yield form
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _LINE_AT_LEAST)
