# SPDX-License-Identifier: Apache-2.0
"""Checks of references: does each `${…}` lead anywhere, and can its value stand where it stands.

Many systems may share their steps. What depends on the steps alone is found once (`look_up`); what
depends on the settings and targets of one system is a comparison of sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from blackstart.model.errors import Refused
from blackstart.model.plan import System
from blackstart.model.references import malformed_in, names_in, substitute
from blackstart.model.runbook import Param, StepSpec
from blackstart.planfile.check_actions import Verbs, flaws_of_fit
from blackstart.planfile.problems import Flaw, nearest, shown, unknown
from blackstart.planfile.targets import values_of
from blackstart.planfile.tree import Path
from blackstart.planfile.verb_shape import Judge, outputs_declared, outputs_of

Steps = Mapping[str, StepSpec]
SETTINGS, TARGET, EACH, TIERS = "settings", "target", "each", "tiers"
_OF_SYSTEM = (SETTINGS, TARGET, EACH)
_SOME_TEXT = "some text: no number, no reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A parameter that holds references; its place is relative to the system."""

    path: Path
    value: Param
    names: tuple[str, ...]
    use: str = ""
    judge: Judge | None = None  # None: its verb does not say what fits
    takes_text: bool = False  # any text fits
    is_whole: bool = False  # exactly one reference: it takes the value as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """Every parameter that holds references, and the names that a system has to know for them."""

    all: tuple[Use, ...]
    mixed: tuple[Use, ...]  # with a reference inside a longer text, or deeper
    judged: tuple[Use, ...]  # of those that ask the same of the same value, the first
    wanted: Mapping[str, frozenset[str]]  # settings, target, each → names


def look_up(params: Iterable[tuple[Path, str, Param]], verbs: Verbs) -> Uses:
    """Return the references in parameters, which come with their place and their verb."""
    uses = tuple(
        _use_of(path, verb, value, verbs)
        for path, verb, value in params
        if names_in(value) or malformed_in(value)
    )
    parts = [name.partition(".") for use in uses for name in use.names]
    wanted = {
        source: frozenset(key for found, _, key in parts if found == source)
        for source in _OF_SYSTEM
    }
    mixed = tuple(use for use in uses if not use.is_whole)
    return Uses(all=uses, mixed=mixed, judged=_differing(uses), wanted=wanted)


def _differing(uses: tuple[Use, ...]) -> tuple[Use, ...]:
    found: dict[tuple[Judge, str], Use] = {}
    for use in uses:
        is_text = use.takes_text and isinstance(use.value, str) and not use.is_whole
        if use.judge is not None and not is_text:
            text = use.value if isinstance(use.value, str) else ".".join(use.path)
            found.setdefault((use.judge, text), use)
    return tuple(found.values())


def _use_of(path: Path, verb: str, value: Param, verbs: Verbs) -> Use:
    judge = verbs[verb].judges.get(path[-1]) if verbs and verb in verbs else None
    names = names_in(value)
    return Use(
        path=path,
        value=value,
        names=names,
        use=verb,
        judge=judge,
        takes_text=judge is not None and not judge(_SOME_TEXT),
        is_whole=names != () and value == "${" + names[0] + "}",
    )


def params_of(steps: Steps) -> Iterator[tuple[Path, str, Param]]:
    """Yield every parameter of the steps, with its place relative to the system and its verb."""
    for step in steps.values():
        for action in step.do:
            for key, value in action.params.items():
                yield ("steps", step.name, "do", action.name, "params", key), action.use, value


def flaws_of_uses(uses: Uses, steps: Steps, verbs: Verbs) -> Iterator[Flaw]:
    """Yield what is wrong with references whatever the system; paths are relative to it."""
    for use in uses.all:
        for text in malformed_in(use.value):
            what = f"{shown(text)} opens a reference and does not close it"
            yield Flaw(path=use.path, what=what, instead="write it like ${settings.name}")
        for name in use.names:
            source, _, key = name.partition(".")
            if source in steps:
                yield from _flaws_of_output(steps[source], key, verbs, use.path)
            elif name.startswith("secret:"):
                what = "a secret is referred to without braces"
                instead = f"write {shown(name)}, in a setting"
                yield Flaw(path=use.path, what=what, instead=instead)
            elif source not in _OF_SYSTEM and name != TIERS:
                what = f"the reference {shown('${' + name + '}')} leads nowhere"
                sources = (SETTINGS, TARGET, TIERS, *steps)
                yield Flaw(path=use.path, what=what, instead=nearest(source, sources))


def _flaws_of_output(step: StepSpec, output: str, verbs: Verbs, path: Path) -> Iterator[Flaw]:
    if verbs is None or any(action.use not in verbs for action in step.do):
        return
    by_verb = outputs_declared(verbs)
    declared = {name for action in step.do for name in outputs_of(action, by_verb)}
    if output not in declared:
        yield unknown(path, f"output of '{step.name}' named", output, declared)


def flaws_of_values(uses: Uses, system: System, path: Path) -> Iterator[Flaw]:
    """Yield what is wrong with references to what this system has; `path` leads to it."""
    if not uses.wanted[SETTINGS] <= system.settings.keys() or (
        not uses.wanted[EACH] <= system.row.keys()
    ):
        yield from _flaws_of_absent(uses, system, path)
    for target in system.targets.values():
        values = values_of(target)
        for key in sorted(uses.wanted[TARGET] - values.keys()):
            what = f"the target '{target.name}' has no {shown(key)}, which the steps refer to"
            instead = nearest(key, values, f"add '{key}' to the target")
            yield Flaw(path=(*path, "targets", target.name), what=what, instead=instead)
        known = known_values(system, target.name)
        yield from _flaws_of_texts(uses, known, path)
        yield from _flaws_of_fits(uses, known, target.name, path)


def _flaws_of_absent(uses: Uses, system: System, path: Path) -> Iterator[Flaw]:
    for use in uses.all:
        for name in use.names:
            source, _, key = name.partition(".")
            if source == SETTINGS and key not in system.settings:
                yield unknown((*path, *use.path), "setting", key, system.settings)
            elif source == EACH and key not in system.row:
                instead = "" if system.row else "only a system with 'each_of' has columns"
                yield unknown((*path, *use.path), "column", key, system.row, instead)


def _flaws_of_texts(uses: Uses, known: Mapping[str, Param], path: Path) -> Iterator[Flaw]:
    """Yield a flaw where a list or a mapping would have to become part of a text."""
    wide = {name for name, value in known.items() if isinstance(value, list | dict)}
    for use in uses.mixed:
        if not wide.isdisjoint(use.names):
            try:
                substitute(use.value, known)
            except Refused as error:
                yield Flaw(path=(*path, *use.path), what=error.what, instead=error.hint)


def _flaws_of_fits(
    uses: Uses, known: Mapping[str, Param], target: str, path: Path
) -> Iterator[Flaw]:
    """Yield a flaw where a value that is known already does not fit its parameter."""
    for use in uses.judged:
        if use.judge is None or not known.keys() >= set(use.names):
            continue
        if use.takes_text and use.is_whole and isinstance(known[use.names[0]], str):
            continue
        try:
            wrong = use.judge(substitute(use.value, known))
        except Refused:
            continue  # a list within a text, said elsewhere
        if wrong:
            here = (*path, *_origin_of(use, target))
            yield from flaws_of_fit(use.use, use.path[-1], wrong, here)


def _origin_of(use: Use, target: str) -> Path:
    """Return the place of the value: a setting or a value of the target is mended there."""
    source, _, key = use.names[0].partition(".")
    if use.is_whole and source == SETTINGS:
        return (SETTINGS, key)
    return ("targets", target, key) if use.is_whole and source == TARGET else use.path


def known_values(system: System, target: str) -> dict[str, Param]:
    """Return every value that is known when the plan is compiled, by the name of its reference."""
    tiers: list[Param] = [
        {"name": tier.name, "teams": list[Param](tier.teams)} for tier in system.tiers
    ]
    known: dict[str, Param] = {TIERS: tiers}
    for source, values in (
        (SETTINGS, system.settings),
        (TARGET, values_of(system.targets[target])),
        (EACH, system.row),
    ):
        known |= {f"{source}.{name}": value for name, value in values.items()}
    return known
