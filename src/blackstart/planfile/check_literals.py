# SPDX-License-Identifier: Apache-2.0
"""Secrets written into the plan itself: it is pinned, kept as evidence and mirrored, as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from blackstart.model.plan import Plan
from blackstart.model.runbook import Param
from blackstart.planfile.problems import Flaw
from blackstart.planfile.tree import Path

# user:password@ in a URL, and password= in a connection string, where no reference stands for it.
_IN_URL = re.compile(r"\w+://[^/\s@:]*:(?!\$\{)[^/\s@]+@")
_IN_WORDS = re.compile(r"\bpass(?:word|wd)?\s*=\s*(?!\$\{|secret:)[^\s;]+", re.IGNORECASE)


def flaws_of_literals(plan: Plan) -> Iterator[Flaw]:
    """Yield each place of the plan at which a secret itself seems to stand."""
    for channel in plan.channels.values():
        yield from _flaws_in(channel.params, ("channels", channel.name, "params"))
    for system in plan.systems.values():
        here = ("systems", system.name)
        yield from _flaws_in(system.settings, (*here, "settings"))
        for target in system.targets.values():
            yield from _flaws_in(target.values, (*here, "targets", target.name))
        for step in system.steps:
            for action in step.do:
                path = (*here, "steps", step.name, "do", action.name, "params")
                yield from _flaws_in(action.params, path)


def _flaws_in(value: Param | Mapping[str, Param], path: Path) -> Iterator[Flaw]:
    if isinstance(value, str) and (_IN_URL.search(value) or _IN_WORDS.search(value)):
        yield Flaw(
            path=path,
            what="a password stands in the plan, which is kept as evidence as it is",
            instead="take it out, and name it by a reference such as secret:file/PATH",
        )
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flaws_in(part, (*path, name))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _flaws_in(part, (*path, str(number)))
