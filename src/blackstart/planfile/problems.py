# SPDX-License-Identifier: Apache-2.0
"""Problems of a plan: gathered all together, each with its place, what is wrong, and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from blackstart.model.errors import PlanRejected
from blackstart.planfile.tree import Location, Path

PROBLEMS_AT_MOST = 200  # more help nobody, and the time to find them is bounded
_SHOWN_AT_MOST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Something wrong in the meaning of a plan, found where file and line are no longer known.

    `among` is the part of the plan that a name was looked for in, if it was.
    """

    path: Path
    what: str
    instead: str
    among: Path = ()


class TooManyProblems(Exception):
    """There are so many problems that looking for more is of no use."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where in which file each part of the plan was written."""

    known: dict[Path, Location] = field(default_factory=dict)

    def note(self, path: Path, at: Location) -> None:
        """Remember where a part was written."""
        self.known[path] = at

    def find(self, path: Path) -> Location:
        """Return the place of the part, or else of the nearest part around it.

        Raises KeyError when not even the place of the whole, `()`, was noted.
        """
        while path and path not in self.known:
            path = path[:-1]
        return self.known[path]

    def adopt(self, others: Places, prefix: Path, but_under: Iterable[Path]) -> None:
        """Take over the places of a profile, but for those parts that the plan replaced."""
        replaced = tuple(but_under)
        for path, at in others.known.items():
            here = (*prefix, *path)
            if path and not any(here[: len(part)] == part for part in replaced):
                self.known.setdefault(here, at)


@dataclass(slots=True)
class Problems:
    """Every problem of one file, in the order of the file."""

    found: dict[tuple[str, int, int, str], None] = field(default_factory=dict)
    spoiled: set[Path] = field(default_factory=set)

    def add(self, at: Location, what: str, instead: str, path: Path | None = None) -> None:
        """Keep a problem; what depends on the part at `path` is then not judged any further.

        Raises TooManyProblems when there are enough.
        """
        line = f"{at}: {what} → {instead}"
        self.found[at.file, at.line, at.column, line] = None
        if path is not None:
            self.spoiled.add(path)
        if len(self.found) >= PROBLEMS_AT_MOST:
            raise TooManyProblems

    def take(self, flaws: Iterable[Flaw], places: Places) -> None:
        """Keep flaws as problems, but for those inside parts that could not be read at all."""
        for flaw in flaws:
            if not self._is_spoiled(flaw.path) and flaw.among not in self.spoiled:
                self.add(places.find(flaw.path), flaw.what, flaw.instead)

    def _is_spoiled(self, path: Path) -> bool:
        return any(path[:length] in self.spoiled for length in range(len(path) + 1))

    def lines(self) -> tuple[str, ...]:
        """Return the problems as lines, by file, line and column."""
        return tuple(line for *_, line in sorted(self.found))


def reject(file: str, lines: tuple[str, ...]) -> None:
    """Raise PlanRejected with these problems; return when there are none."""
    if not lines:
        return
    more = " or more" if len(lines) >= PROBLEMS_AT_MOST else ""
    count = "one problem" if len(lines) == 1 else f"{len(lines)}{more} problems"
    raise PlanRejected(f"{file} has {count}.", "Correct the plan and run the command again.", lines)


def lines_of(flaws: Iterable[Flaw], places: Places | None = None) -> tuple[str, ...]:
    """Return flaws as lines, with their place in the file when the places are known."""
    found: dict[str, None] = {}
    for flaw in flaws:
        where = places.find(flaw.path) if places else ".".join(flaw.path)
        found[f"{where}: {flaw.what} → {flaw.instead}"] = None
    return tuple(found)


def shown(text: object) -> str:
    """Return text from the file in quotes, short and printable."""
    short = str(text)
    if len(short) > _SHOWN_AT_MOST:
        short = short[:_SHOWN_AT_MOST] + "…"
    return "'" + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in short) + "'"


def nearest(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the remedy for a word that is not known: the likely one, or what there is."""
    names = sorted(known)
    close = get_close_matches(word[:_SHOWN_AT_MOST], names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if otherwise:
        return otherwise
    return f"use one of: {', '.join(names[:20])}" if names else "there is none to refer to yet"


def unknown(
    path: Path,
    kind: str,
    word: str,
    known: Iterable[str],
    otherwise: str = "",
    among: Path = (),
) -> Flaw:
    """Return the flaw of a name that nothing has."""
    what = f"there is no {kind} {shown(word)}"
    return Flaw(path=path, what=what, instead=nearest(word, known, otherwise), among=among)
