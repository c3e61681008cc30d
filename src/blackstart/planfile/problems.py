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
SYSTEM_DEPTH = 2  # ("systems", NAME) is what borrows


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Loan:
    """What a part of the plan has from elsewhere: a profile, or the entry that many systems share.

    The parts under `own` are not lent; their place is `instead`, when there is one. All paths are
    relative to the part that borrows.
    """

    lender: Places
    source: Path = ()
    own: frozenset[Path] = frozenset()
    instead: Location | None = None

    def locate(self, path: Path) -> Location | None:
        """Return the place of a part that was lent, or None."""
        if any(path[:length] in self.own for length in range(1, len(path) + 1)):
            return self.instead
        return self.lender.locate((*self.source, *path))


@dataclass(frozen=True, slots=True)
class Places:
    """Where in which file each part of the plan was written."""

    known: dict[Path, Location] = field(default_factory=dict)
    loans: dict[Path, tuple[Loan, ...]] = field(default_factory=dict)

    def note(self, path: Path, at: Location) -> None:
        """Remember where a part was written."""
        self.known[path] = at

    def borrow(self, path: Path, loan: Loan) -> None:
        """Let the part at `path`, a system, have places from elsewhere; its own go first."""
        self.loans[path] = (*self.loans.get(path, ()), loan)

    def locate(self, path: Path) -> Location | None:
        """Return the place of exactly this part, or None."""
        found = self.known.get(path)
        if found is None and len(path) > SYSTEM_DEPTH:
            lent = (
                loan.locate(path[SYSTEM_DEPTH:]) for loan in self.loans.get(path[:SYSTEM_DEPTH], ())
            )
            found = next((place for place in lent if place), None)
        return found

    def find(self, path: Path) -> Location:
        """Return the place of the part, or else of the nearest part around it.

        Raises KeyError when not even the place of the whole, `()`, was noted.
        """
        while path and (found := self.locate(path)) is None:
            path = path[:-1]
        return found if path and found else self.known[()]

    def written(self, path: Path) -> Path:
        """Return the path under which the part stands in the plan file itself."""
        loans = self.loans.get(path[:SYSTEM_DEPTH], ())
        source = next((loan.source for loan in loans if loan.lender is self), None)
        return path if source is None else (*source, *path[SYSTEM_DEPTH:])


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
            paths = (flaw.path, places.written(flaw.path))
            if not any(map(self._is_spoiled, paths)) and flaw.among not in self.spoiled:
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
