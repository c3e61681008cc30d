# SPDX-License-Identifier: Apache-2.0
"""Checks of a verb in use: is it there, are the parameters its own, do references lead anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blackstart.model.errors import Refused
from blackstart.model.plan import System
from blackstart.model.references import malformed_in, names_in, substitute
from blackstart.model.runbook import ActionSpec, Param, StepSpec
from blackstart.planfile.problems import Flaw, nearest, shown, unknown
from blackstart.planfile.targets import values_of
from blackstart.planfile.tree import Path
from blackstart.planfile.verb_shape import VerbShape, outputs_declared, outputs_of

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
    for name in params:
        if name not in shape.parameters:
            what = f"'{use}' has no parameter {shown(name)}"
            instead = nearest(name, shape.parameters)
            yield Flaw(path=(*path, "params", name), what=what, instead=instead)
    for name in sorted(set(shape.required) - set(params)):
        yield Flaw(path=path, what=f"'{use}' needs the parameter '{name}'", instead=f"add '{name}'")


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


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the parameters of an action can refer to."""

    system: System
    steps: Mapping[str, StepSpec]
    verbs: Verbs
    path: Path  # of the system

    def flaws_of_references(self, action: ActionSpec, here: Path) -> Iterator[Flaw]:
        """Yield every reference of the action that leads nowhere."""
        for key, value in action.params.items():
            path = (*here, "params", key)
            for text in malformed_in(value):
                what = f"{shown(text)} opens a reference and does not close it"
                yield Flaw(path=path, what=what, instead="write it like ${settings.name}")
            for name in names_in(value):
                yield from self._flaws_of(name, path)
            yield from self._flaws_of_text(value, path)

    def _flaws_of(self, name: str, path: Path) -> Iterator[Flaw]:
        source, _, key = name.partition(".")
        if name == "tiers":
            return
        if source == "settings":
            if key not in self.system.settings:
                yield unknown(path, "setting", key, self.system.settings)
        elif source == "target":
            yield from self._flaws_of_target_value(key)
        elif source in self.steps:
            yield from self._flaws_of_output(self.steps[source], key, path)
        elif name.startswith("secret:"):
            what = "a secret is referred to without braces"
            yield Flaw(path=path, what=what, instead=f"write {shown(name)}, in a setting")
        else:
            what = f"the reference {shown('${' + name + '}')} leads nowhere"
            sources = ("settings", "target", "tiers", *self.steps)
            yield Flaw(path=path, what=what, instead=nearest(source, sources))

    def _flaws_of_target_value(self, key: str) -> Iterator[Flaw]:
        for target in self.system.targets.values():
            if key not in values_of(target):
                what = f"the target '{target.name}' has no {shown(key)}, which the steps refer to"
                path = (*self.path, "targets", target.name)
                instead = nearest(key, values_of(target), f"add '{key}' to the target")
                yield Flaw(path=path, what=what, instead=instead)

    def _flaws_of_output(self, step: StepSpec, output: str, path: Path) -> Iterator[Flaw]:
        if self.verbs is None or any(action.use not in self.verbs for action in step.do):
            return
        by_verb = outputs_declared(self.verbs)
        declared = {name for action in step.do for name in outputs_of(action, by_verb)}
        if output not in declared:
            yield unknown(path, f"output of '{step.name}' named", output, declared)

    def _flaws_of_text(self, value: Param, path: Path) -> Iterator[Flaw]:
        for target in self.system.targets.values():
            try:
                substitute(value, known_values(self.system, target.name))
            except Refused as error:
                yield Flaw(path=path, what=error.what, instead=error.hint)


def known_values(system: System, target: str) -> dict[str, Param]:
    """Return every value that is known when the plan is compiled, by the name of its reference."""
    tiers: list[Param] = [
        {"name": tier.name, "teams": list[Param](tier.teams)} for tier in system.tiers
    ]
    settings = {f"settings.{name}": value for name, value in system.settings.items()}
    values = values_of(system.targets[target])
    return settings | {f"target.{name}": value for name, value in values.items()} | {"tiers": tiers}
