# SPDX-License-Identifier: Apache-2.0
"""The settings of a system: what its profile asks for, what the plan gives, what is the default."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from blackstart.model.references import names_in
from blackstart.model.runbook import Param
from blackstart.planfile.problems import Flaw, nearest, shown
from blackstart.planfile.tree import Path

_DEFAULT = " = "
_MARK = "secret:"
_REFERENCE = re.compile(r"secret:(file|env|run)/\S.*")


def is_secret(meaning: str) -> bool:
    """Say whether the setting of this meaning is a secret, named by a reference."""
    return meaning.startswith(_MARK)


def is_secret_reference(value: Param) -> bool:
    """Say whether the value names a secret instead of being one."""
    return _REFERENCE.fullmatch(str(value)) is not None


def default_of(meaning: str) -> str | None:
    """Return the default of a setting, or None when it has to be given."""
    _, has_default, default = meaning.partition(_DEFAULT)
    return default.strip() if has_default else None


def settle(declared: Mapping[str, str], given: Mapping[str, Param]) -> dict[str, Param]:
    """Return every declared setting: the value given, or else its default, or else None."""
    settled: dict[str, Param] = {}
    for name, meaning in declared.items():
        settled[name] = given[name] if given.get(name) is not None else default_of(meaning)
    return settled


def flaws_of_settings(
    declared: Mapping[str, str], given: Mapping[str, Param], path: Path
) -> Iterator[Flaw]:
    """Yield what is wrong with the settings given: unknown, missing, or not of a secret's form."""
    for name in given:
        if name not in declared:
            what = f"the profile has no setting {shown(name)}"
            yield Flaw(path=(*path, name), what=what, instead=nearest(name, declared))
    settled = settle(declared, given)
    for name, meaning in declared.items():
        if settled[name] is None:
            what = f"the setting '{name}' is missing"
            yield Flaw(path=path, what=what, instead=f"add '{name}': {meaning}")
        elif name in given:
            yield from _flaws_of_value(name, meaning, given[name], (*path, name))


def _flaws_of_value(name: str, meaning: str, value: Param, path: Path) -> Iterator[Flaw]:
    if names_in(value):
        what = f"the setting '{name}' holds a reference, and none is followed here"
        yield Flaw(path=path, what=what, instead="write the value itself, without '${' and '}'")
    elif is_secret(meaning) and not is_secret_reference(value):
        what = f"the setting '{name}' is a secret and must not stand in the plan"
        yield Flaw(path=path, what=what, instead="write secret:file/PATH or secret:env/NAME")
