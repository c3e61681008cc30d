# SPDX-License-Identifier: Apache-2.0
"""References: `${…}` in a parameter stands for a value that is known later.

`${settings.NAME}`, `${target.NAME}` and `${tiers}` are replaced when the plan is compiled;
`${STEP.OUTPUT}` when that step has run. A parameter that is exactly one reference takes the value
with its type; a reference inside longer text, or in a key, becomes text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from blackstart.model.errors import Refused
from blackstart.model.runbook import Param

_REFERENCE = re.compile(r"\$\{([^{}]*)\}")


def names_in(value: Param) -> tuple[str, ...]:
    """Return the name of every reference in the value, keys included, in order, without braces."""
    return tuple(name for text in _texts_of(value) for name in _REFERENCE.findall(text))


def malformed_in(value: Param) -> tuple[str, ...]:
    """Return every text in the value that opens a reference and does not close it."""
    return tuple(text for text in _texts_of(value) if "${" in _REFERENCE.sub("", text))


def substitute(value: Param, values: Mapping[str, Param]) -> Param:
    """Return the value with each reference replaced that `values` knows; the others stay.

    What is put in is not searched for references again.

    Raises Refused when a list or a mapping would have to become part of a text.
    """
    if isinstance(value, str):
        return _substitute_text(value, values)
    if isinstance(value, list):
        return [substitute(item, values) for item in value]
    if isinstance(value, dict):
        return {_as_text(key, values): substitute(item, values) for key, item in value.items()}
    return value


def fill(
    params: Mapping[str, Param], outputs: Mapping[str, Mapping[str, Param]]
) -> dict[str, Param]:
    """Return the parameters with each `${STEP.OUTPUT}` replaced; `outputs` is step → name → value.

    Raises Refused when an output is not there, or is a list or mapping inside a text.
    """
    known = {
        f"{step}.{name}": value for step, given in outputs.items() for name, value in given.items()
    }
    wanted = (name for value in params.values() for name in names_in(value))
    missing = sorted({name for name in wanted if name not in known})
    if missing:
        step, _, name = missing[0].partition(".")
        raise Refused(
            f"These outputs have no value yet: {', '.join(missing)}.",
            f"Give what is missing by hand: `blackstart step done {step} --output {name}=VALUE`.",
        )
    return {key: substitute(value, known) for key, value in params.items()}


def _texts_of(value: Param) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(text for item in value for text in _texts_of(item))
    if isinstance(value, dict):
        return tuple(text for key, item in value.items() for text in (key, *_texts_of(item)))
    return ()


def _substitute_text(text: str, values: Mapping[str, Param]) -> Param:
    whole = _REFERENCE.fullmatch(text)
    if whole is not None:
        return values.get(whole[1], text)
    return _as_text(text, values)


def _as_text(text: str, values: Mapping[str, Param]) -> str:
    return _REFERENCE.sub(
        lambda found: _word_of(found[1], values[found[1]]) if found[1] in values else found[0],
        text,
    )


def _word_of(name: str, value: Param) -> str:
    if isinstance(value, list | dict):
        raise Refused(
            f"'${{{name}}}' is a list or a mapping and stands inside a text.",
            f"Make '${{{name}}}' the whole parameter, or refer to one of its values.",
        )
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
