# SPDX-License-Identifier: Apache-2.0
"""Profiles: the ten steps for one kind of platform, shipped as YAML files beside this module.

`flowfuse/local@1` is `profiles/flowfuse-local-1.yaml`. A version, once released, does not change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from blackstart.planfile import shape
from blackstart.planfile.fit import Reading, fit
from blackstart.planfile.parse import parse_tree
from blackstart.planfile.problems import Places, Problems
from blackstart.planfile.tree import Block, Location, Node

_FOLDER = files("blackstart.planfile").joinpath("profiles")


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as its file says it, and where in that file each part stands."""

    entry: shape.ProfileFile
    places: Places


def profile_names() -> tuple[str, ...]:
    """Return the names of all profiles."""
    return tuple(sorted(_files_by_name()))


def load_profile(name: str, problems: Problems) -> Profile:
    """Return the profile; problems of its own file are added to `problems`.

    Raises KeyError when there is no profile of that name.
    """
    file = _files_by_name()[name]
    return read_profile(file, _FOLDER.joinpath(file).read_bytes(), problems)


def read_profile(file: str, content: bytes, problems: Problems) -> Profile:
    """Return the profile in these bytes; problems of the file are added to `problems`."""
    tree, found = _parse(file, content)
    places = Places()
    places.note((), tree.at)
    own = Problems(found=dict(found))
    entry = fit(tree, shape.ProfileFile, (), Reading(own, places))
    problems.found.update(own.found)
    return Profile(entry, places)


@cache  # several systems often share a profile
def _parse(file: str, content: bytes) -> tuple[Node, dict[tuple[str, int, int, str], None]]:
    problems = Problems()
    tree = parse_tree(content, file, problems)
    return tree or Block(entries=(), at=Location(file=file, line=1, column=1)), problems.found


@cache
def _files_by_name() -> dict[str, str]:
    return {
        name: file.name
        for file in _FOLDER.iterdir()
        for name in re.findall(r"^profile: (\S+)$", file.read_text("utf-8"), re.MULTILINE)
    }
