# SPDX-License-Identifier: Apache-2.0
"""Profiles: the ten steps for one kind of platform, shipped as YAML files beside this module.

`flowfuse/local@1` is `profiles/flowfuse-local-1.yaml`. A version, once released, does not change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from blackstart.planfile import shape
from blackstart.planfile.fit import Reading, fit
from blackstart.planfile.parse import parse_tree
from blackstart.planfile.problems import Places, Problems
from blackstart.planfile.tree import Block, Location

_FOLDER = files("blackstart.planfile").joinpath("profiles")


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A profile as its file says it, where in that file each part stands, and what is wrong."""

    entry: shape.ProfileFile
    places: Places
    problems: Problems


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles."""
    return tuple(sorted(_files_by_name()))


def load_profile(name: str, problems: Problems) -> Profile:
    """Return the profile; problems of its own file are added to `problems`.

    Raises KeyError when there is no profile of that name.
    """
    profile = _load(_files_by_name()[name])
    problems.found.update(profile.problems.found)
    return profile


def declared_settings(name: str) -> Mapping[str, str]:
    """Return what each setting of the profile is; nothing when there is no such profile."""
    file = _files_by_name().get(name)
    return {} if file is None else _load(file).entry.settings


@cache  # several systems often share a profile
def _load(file: str) -> Profile:
    return read_profile(file, _FOLDER.joinpath(file).read_bytes())


def read_profile(file: str, content: bytes) -> Profile:
    """Return the profile in these bytes, with the problems of the file."""
    problems, places = Problems(), Places()
    tree = parse_tree(content, file, problems) or Block(
        entries=(), at=Location(file=file, line=1, column=1)
    )
    places.note((), tree.at)
    entry = fit(tree, shape.ProfileFile, (), Reading(problems, places))
    return Profile(entry, places, problems)


@cache
def _files_by_name() -> dict[str, str]:
    return {
        name: file.name
        for file in _FOLDER.iterdir()
        for name in re.findall(r"^profile: (\S+)$", file.read_text("utf-8"), re.MULTILINE)
    }
