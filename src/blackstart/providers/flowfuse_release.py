# SPDX-License-Identifier: Apache-2.0
"""Do the data fit the installed release? FlowFuse itself starts on data of a later one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.providers.places import look_into
from blackstart.providers.traces import returns_failures

# Of FlowFuse 2.4: a row of MetaVersions holds the name of a migration's file once it was applied.
_MIGRATIONS = "app/node_modules/@flowfuse/flowfuse/forge/db/migrations"
_MIGRATION = re.compile(r"\d{8}-\d\d-.*\.js")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectRelease:
    """Expect that the restored data have exactly the migrations of the installed release.

    Data of a later release would be misread without a word; data of an earlier one would be changed
    by the first start, and there would be no way back.
    """

    outputs: ClassVar[Mapping[str, str]] = {"migrations": "how many migrations the data have"}
    place: str
    site: str

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Compare the table with the files of the installed program."""
        work = look_into(self.place, self.site, context)
        applied = work.sql('SELECT version FROM "MetaVersions"').splitlines()
        known = names_in(work.directory / "flowfuse" / _MIGRATIONS)
        problem = mismatch(applied, known)
        if problem:
            return Failed(
                summary=problem,
                hint="install the release that wrote the data (`version` in the plan), and upgrade "
                "when everything runs again",
            )
        return Done(
            summary=f"the data have the {len(known)} migrations of the installed release",
            outputs={"migrations": len(known)},
        )


def names_in(folder: Path) -> tuple[str, ...]:
    """Return the migrations that a release brings; none when it is not installed."""
    return tuple(sorted(path.name for path in folder.glob("*.js") if _MIGRATION.match(path.name)))


def mismatch(applied: Iterable[str], known: Iterable[str]) -> str:
    """Return how data and release differ, or an empty text."""
    in_data, in_release = set(applied), set(known)
    if not in_release:
        return "no installed release was found to compare the data with"
    if later := sorted(in_data - in_release):
        return f"the data come from a later release: they have {later[-1]}, the release does not"
    if missing := sorted(in_release - in_data):
        return f"the data come from an earlier release: they lack {missing[0]}"
    return ""
