# SPDX-License-Identifier: Apache-2.0
"""From the entries of the file to a System: its profile, settings, state, targets and watch."""

from __future__ import annotations

from collections.abc import Mapping

from blackstart.model.errors import Refused
from blackstart.model.plan import Objectives, StateItem, System, Tier, Watch
from blackstart.model.references import substitute
from blackstart.model.runbook import Param, StepSpec
from blackstart.planfile import shape
from blackstart.planfile.durations import seconds_of
from blackstart.planfile.fit import Reading
from blackstart.planfile.params import join_params
from blackstart.planfile.problems import Flaw, unknown
from blackstart.planfile.procedure import read_procedure
from blackstart.planfile.profiles import Profile, load_profile, profile_names
from blackstart.planfile.settings import flaws_of_settings, settle
from blackstart.planfile.targets import build_targets, flaws_of_targets
from blackstart.planfile.tree import Path


def read_system(
    name: str,
    entry: shape.SystemEntry,
    objectives: Objectives,
    reading: Reading,
    steps: tuple[StepSpec, ...] | None = None,
) -> System:
    """Return the system with everything that its profile adds to it.

    `steps` are those that it shares with others of the same entry; None: it has its own.
    """
    path = ("systems", name)
    reading.take(flaws_of_targets(entry.targets, (*path, "targets")))
    profile = _find_profile(entry, path, reading)
    settings: dict[str, Param] = {}
    if profile is not None:
        declared = profile.entry.settings
        reading.take(flaws_of_settings(declared, entry.settings, (*path, "settings")))
        settings = settle(declared, entry.settings)
    return System(
        name=name,
        profile=entry.profile,
        settings=settings,
        state=tuple(_read_item(item, objectives) for item in entry.state),
        targets=build_targets(entry.targets, str(settings.get("public_name", ""))),
        tiers=tuple(Tier(name=tier.name, teams=tuple(tier.teams)) for tier in entry.tiers),
        steps=read_steps(entry, path, reading) if steps is None else steps,
        watch=_read_watch(entry.watch, settings, (*path, "watch"), reading),
    )


def read_steps(entry: shape.SystemEntry, path: Path, reading: Reading) -> tuple[StepSpec, ...]:
    """Return the steps of the entry at `path`; none when there is no such profile."""
    profile = _find_profile(entry, path, reading)
    return read_procedure(profile, entry.steps, path, reading) if profile else ()


def _find_profile(entry: shape.SystemEntry, path: Path, reading: Reading) -> Profile | None:
    try:
        return load_profile(entry.profile, reading.problems)
    except KeyError:
        names = profile_names()
        reading.take([unknown((*path, "profile"), "profile", entry.profile, names)])
        return None


def _read_item(entry: shape.StateEntry, objectives: Objectives) -> StateItem:
    return StateItem(
        name=entry.name,
        backup=entry.backup or "",
        restore=entry.restore or "",
        check=entry.check or "",
        rpo_s=seconds_of(entry.rpo) if entry.rpo else objectives.rpo_s,
        not_protected=entry.not_protected or "",
    )


def _read_watch(
    entry: shape.WatchEntry | None, settings: Mapping[str, Param], path: Path, reading: Reading
) -> Watch | None:
    if entry is None:
        return None
    params = join_params(entry.params, entry.rest, path, reading)
    known = {f"settings.{name}": value for name, value in settings.items()}
    try:
        params = {name: substitute(value, known) for name, value in params.items()}
    except Refused as error:
        reading.take([Flaw(path=path, what=error.what, instead=error.hint)])
    return Watch(
        use=entry.use,
        params=params,
        every_s=seconds_of(entry.every),
        confirm_after=entry.confirm_after,
    )
