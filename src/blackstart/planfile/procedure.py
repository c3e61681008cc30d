# SPDX-License-Identifier: Apache-2.0
"""The procedure of a system: the steps of its profile, with what the plan puts in their place.

A plan names a step of the profile and gives some of its keys; each key given replaces the
profile's whole. Nothing is merged more deeply, so that a step can be read without its history.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import msgspec

from blackstart.model.runbook import MANUAL, POLICY_STEPS, ActionSpec, NoticeSpec, Phase, StepSpec
from blackstart.planfile import shape
from blackstart.planfile.durations import seconds_of
from blackstart.planfile.fit import Reading, fit
from blackstart.planfile.problems import Loan, shown, unknown
from blackstart.planfile.profiles import Profile
from blackstart.planfile.tree import Block, Entry, Node, Path

_BY_MACHINE = ("5s", "10m")  # expected, limit
_BY_HAND = ("30m", "1d")


def read_procedure(
    profile: Profile, overrides: Mapping[str, shape.StepEntry], system: Path, reading: Reading
) -> tuple[StepSpec, ...]:
    """Return the steps in the order of the profile; problems go to `reading`.

    Systems that replace nothing share one value.
    """
    usual = usual_steps(profile)
    reading.problems.found.update(profile.problems.found)
    names = tuple(step.name for step in usual)
    for name in overrides:
        if name not in names:
            reading.take([unknown((*system, "steps", name), "step of the profile", name, names)])
    replaced = frozenset(
        ("steps", name, key)
        for name, override in overrides.items()
        for key in _given_in(override)
        if name in names
    )
    reading.places.borrow(system, Loan(lender=profile.places, own=replaced))
    if not replaced:
        return usual
    return tuple(
        _override(base, step, overrides[step.name], (*system, "steps", step.name), reading)
        if step.name in overrides
        else step
        for base, step in zip(profile.entry.steps, usual, strict=True)
    )


@lru_cache(maxsize=64)
def usual_steps(profile: Profile) -> tuple[StepSpec, ...]:
    """Return the steps of the profile as a system has them that replaces nothing."""
    reading = Reading(profile.problems, profile.places)
    return tuple(
        _build_step(
            entry,
            _read_actions(entry.do or [], ("steps", entry.name, "do"), entry.name, reading),
            ("steps", entry.name),
            reading,
        )
        for entry in profile.entry.steps
    )


def _given_in(override: shape.StepEntry) -> dict[str, object]:
    return {
        key: value for key, value in msgspec.structs.asdict(override).items() if value is not None
    }


def _override(
    base: shape.ProfileStep,
    usual: StepSpec,
    override: shape.StepEntry,
    path: Path,
    reading: Reading,
) -> StepSpec:
    entry = msgspec.structs.replace(base, **_given_in(override))
    actions = usual.do
    if override.do is not None:
        actions = _read_actions(override.do, (*path, "do"), base.name, reading)
    return _build_step(entry, actions, path, reading)


def _build_step(
    entry: shape.ProfileStep, actions: tuple[ActionSpec, ...], path: Path, reading: Reading
) -> StepSpec:
    return StepSpec(
        name=entry.name,
        title=entry.title or POLICY_STEPS.get(entry.name, entry.name),
        phase=entry.phase or Phase.RECOVERY,
        after=tuple(entry.after or ()),
        do=_time_only_action(entry, actions, path, reading),
        notices=tuple(
            NoticeSpec(kind=notice.kind, channel=notice.channel, audience=notice.audience)
            for notice in entry.notices or ()
        ),
        gate=entry.gate or "",
        blocking=entry.blocking is not False,
        owner=entry.owner or "",
        manual=entry.manual or "",
    )


def _time_only_action(
    entry: shape.ProfileStep, actions: tuple[ActionSpec, ...], path: Path, reading: Reading
) -> tuple[ActionSpec, ...]:
    """Apply the step's own times, which are short for those of its one action."""
    if entry.expected is None and entry.limit is None:
        return actions
    if len(actions) != 1:
        key = "limit" if entry.expected is None else "expected"
        place = reading.places.find((*path, key))
        what = f"'{key}' of a step with {len(actions)} actions says too little"
        reading.problems.add(place, what, f"give each action its own '{key}'")
        return actions
    only = actions[0]
    expected_s = seconds_of(entry.expected) if entry.expected else only.expected_s
    limit_s = seconds_of(entry.limit) if entry.limit else only.limit_s
    return (replace(only, expected_s=expected_s, limit_s=limit_s),)


def _read_actions(
    nodes: list[Node], path: Path, step: str, reading: Reading
) -> tuple[ActionSpec, ...]:
    named: dict[str, shape.ActionEntry] = {}
    for node in nodes:
        if not isinstance(node, Block) or len(node.entries) != 1:
            what = "an action is one name with its verb"
            reading.problems.add(node.at, what, "write '- name: { use: verb, params: {…} }'")
            continue
        only = node.entries[0]
        name = only.key.rpartition(".")[2]
        if name in named:
            what = f"the step has two actions named {shown(name)}"
            reading.problems.add(only.at, what, "give each a name of its own")
            continue
        reading.places.note((*path, name), only.at)
        named[name] = _read_action(only, (*path, name), reading)
    return _build_actions(named, step)


def _read_action(only: Entry, path: Path, reading: Reading) -> shape.ActionEntry:
    """Read `name: {use: verb, params: …}`, or the short `verb: params`."""
    if "." not in only.key:
        if not re.fullmatch(shape.NAME, only.key):
            what = f"{shown(only.key)} cannot be the name of an action"
            reading.problems.add(only.at, what, "use letters, digits, '-' and '_'", path)
        return fit(only.node, shape.ActionEntry, path, reading)
    if not re.fullmatch(shape.VERB, only.key):
        instead = "write the verb like pgbackrest.restore, in lower case"
        reading.problems.add(only.at, f"{shown(only.key)} is not a verb", instead, path)
    short = fit(only.node, shape.ShortAction, (*path, "params"), reading)
    return shape.ActionEntry(use=only.key, params=short.rest)


def _build_actions(named: Mapping[str, shape.ActionEntry], step: str) -> tuple[ActionSpec, ...]:
    actions: list[ActionSpec] = []
    for name, entry in named.items():
        previous = [actions[-1].name] if actions else []
        after = previous if entry.after is None else entry.after
        expected, limit = _BY_HAND if entry.use == MANUAL else _BY_MACHINE
        actions.append(
            ActionSpec(
                name=name,
                use=entry.use,
                params=entry.params,
                after=tuple(f"{step}.{ref}" if ref in named else ref for ref in after),
                vantage=entry.vantage or "",
                expected_s=seconds_of(entry.expected or expected),
                limit_s=seconds_of(entry.limit or limit),
                attempts=entry.attempts,
            )
        )
    return tuple(actions)
