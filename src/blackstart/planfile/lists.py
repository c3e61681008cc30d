# SPDX-License-Identifier: Apache-2.0
"""The lists of systems that a plan names: fetched from beside the plan, and put into what is kept.

An incident keeps the plan as it was, and must not depend on a file that changes beside it: in the
bytes that are kept, the name of each list is replaced by the list itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from errno import EACCES, EINVAL, ENOENT
from pathlib import Path

from blackstart.planfile.parse import SIZE_BYTES_AT_MOST
from blackstart.planfile.problems import Problems, shown
from blackstart.planfile.table import Table, read_table
from blackstart.planfile.tree import Location

Fetch = Callable[[str], tuple[str, bytes]]  # name → what problems call it, content; raises OSError


def fetch_nothing(name: str) -> tuple[str, bytes]:
    """Refuse: the plan came as bytes, from no folder. Raises FileNotFoundError."""
    raise FileNotFoundError(ENOENT, "the plan is in no folder", name)


def fetch_beside(plan: Path) -> Fetch:
    """Return what reads lists in the folder of the plan, and nowhere else."""

    def fetch(name: str) -> tuple[str, bytes]:
        path = plan.parent / name
        if not path.resolve().is_relative_to(plan.parent.resolve()):
            raise PermissionError(EACCES, "it is outside the folder of the plan", name)
        if path.exists() and not path.is_file():
            raise OSError(EINVAL, "it is no file", name)
        with path.open("rb") as file:
            return str(path), file.read(SIZE_BYTES_AT_MOST + 1)

    return fetch


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of one plan, and the places where they are named."""

    fetch: Fetch = fetch_nothing
    named: dict[Location, tuple[str, str]] = field(default_factory=dict)  # place → name, content

    def table_of(self, name: str, at: Location, problems: Problems) -> Table | None:
        """Return the list of this name, or the list itself when the plan holds it already.

        None when it cannot be read; `problems` say why.
        """
        if "\n" in name:
            start = Location(file=at.file, line=at.line + 1, column=1)
            return read_table(name.encode(), start, problems)
        try:
            file, content = self.fetch(name)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            what = f"the list {shown(name)} cannot be read: {reason}"
            problems.add(at, what, "name a CSV file in the folder of the plan")
            return None
        table = read_table(content, Location(file=file, line=1, column=1), problems)
        if table is not None:
            self.named[at] = (name, content.decode("utf-8-sig"))
        return table


def put_in(content: bytes, lists: Lists, problems: Problems) -> bytes:
    """Return the plan's bytes with each list in the place of its name."""
    if not lists.named:
        return content
    lines = content.decode("utf-8-sig").splitlines(keepends=True)
    for at, (name, text) in sorted(lists.named.items(), key=lambda item: -item[0].column):
        before, after = lines[at.line - 1][: at.column - 1], lines[at.line - 1][at.column - 1 :]
        written = re.match(rf"""(each_of:\s+)(["']?){re.escape(name)}\2(?=[\s,}}]|$)""", after)
        if written is None:
            what = f"the name of the list {shown(name)} is not written where it belongs"
            problems.add(at, what, "write it behind 'each_of:', plainly or in quotes")
            continue
        table = json.dumps(text, ensure_ascii=False)
        lines[at.line - 1] = f"{before}{written[1]}{table}{after[written.end() :]}"
    whole = "".join(lines).encode()
    if len(whole) > SIZE_BYTES_AT_MOST:
        at = next(iter(lists.named))
        what = f"the plan and its lists together are larger than {SIZE_BYTES_AT_MOST} bytes"
        problems.add(at, what, "make two plans of it")
    return whole
