# SPDX-License-Identifier: Apache-2.0
"""Checks of a verb in use: is it there, and are the parameters given to it its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blackstart.model.references import names_in
from blackstart.model.runbook import Param
from blackstart.planfile.problems import Flaw, nearest, shown, unknown
from blackstart.planfile.tree import Path
from blackstart.planfile.verb_shape import VerbShape

Verbs = Mapping[str, VerbShape] | None  # None: the providers are not known here


def flaws_of_use(
    use: str, params: Mapping[str, Param], kinds: tuple[str, ...], verbs: Verbs, path: Path
) -> Iterator[Flaw]:
    """Yield what is wrong with a verb of one of these kinds and the parameters given to it."""
    if verbs is None or not use:
        return
    if use not in verbs:
        yield _unknown_verb(use, kinds, verbs, (*path, "use"))
        return
    shape = verbs[use]
    if shape.kind not in kinds:
        what = f"'{use}' is of kind {shape.kind} and cannot be used here"
        yield Flaw(path=(*path, "use"), what=what, instead=f"use a verb of kind {kinds[0]}")
        return
    for name, value in params.items():
        if name not in shape.parameters:
            what = f"'{use}' has no parameter {shown(name)}"
            instead = nearest(name, shape.parameters)
            yield Flaw(path=(*path, "params", name), what=what, instead=instead)
        elif name in shape.judges and not names_in(value):
            yield from flaws_of_fit(use, name, shape.judges[name](value), (*path, "params", name))
    for name in sorted(set(shape.required) - set(params)):
        yield Flaw(path=path, what=f"'{use}' needs the parameter '{name}'", instead=f"add '{name}'")


def flaws_of_fit(use: str, name: str, wrong: str, path: Path) -> Iterator[Flaw]:
    """Yield the flaw of a value that does not fit its parameter; none when nothing is wrong."""
    if wrong:
        what = f"the value of '{name}' does not fit '{use}': {wrong}"
        instead = f"docs/reference/verbs.md says what '{name}' takes"
        yield Flaw(path=path, what=what, instead=instead)


def _unknown_verb(
    use: str, kinds: tuple[str, ...], verbs: Mapping[str, VerbShape], path: Path
) -> Flaw:
    """Return the flaw of a verb that is not there; the remedy stays with the same provider."""
    fitting = [name for name, shape in verbs.items() if shape.kind in kinds]
    provider = use.partition(".")[0]
    same = [name for name in fitting if name.startswith(provider + ".")]
    if same:
        return unknown(path, "verb", use, same)
    providers = {name.partition(".")[0] for name in fitting}
    return unknown(path, f"verb {shown(use)}, as there is no provider", provider, providers)
