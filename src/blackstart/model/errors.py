# SPDX-License-Identifier: Apache-2.0
"""Every expected error, sorted by what the reader should do next.

BlackstartError
├── RecoveredDegraded   3   users are served, and not all is whole; the report says what is not
├── Refused             4   the request is not allowed now; the hint says what is
│   ├── IllegalMove     4   a state cannot follow another (the table in `states` says which can)
│   └── NotAuthorised   4   another person or role has to do this
├── Superseded          4   this installation was replaced by one that was brought back elsewhere
├── Stopped             5   the recovery stopped and waits for a person
├── WorldFailed         6   something outside did not do its part; repair it, then resume
│   ├── JournalFailed   7   the record cannot be read or written: nothing was done
│   │   ├── JournalUnavailable 7   not now: it passes, or somebody repairs it; wait and repeat
│   │   └── JournalLost     7   gone, replaced or damaged: this program must not go on with it
│   └── MirrorFailed    6   a mirror cannot be read or written; the record itself is unharmed
├── Unready             8   this machine lacks something; the hint names it
└── PlanRejected        9   correct the plan file, then run the command again

The number is the exit code of the command line. It is frozen (adr/0024): scripts depend on it.
0 is success, 1 is a bug (a traceback is shown), 2 is a wrong command line, 130 is Ctrl-C.
"""

from __future__ import annotations

from typing import ClassVar


class BlackstartError(Exception):
    """Root of all expected errors: what happened, and what to do (`hint`)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, hint: str) -> None:
        """Keep the sentence that says what happened and the one that says what to do."""
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """Return both sentences, the remedy on a line of its own."""
        return f"{self.what}\n  → {self.hint}"


class RecoveredDegraded(BlackstartError):
    """The recovery came to its end, and something is not as it was promised."""

    exit_code = 3


class Refused(BlackstartError):
    """The request is understood and not allowed now."""

    exit_code = 4


class IllegalMove(Refused):
    """A state was asked to follow another that it cannot follow."""


class NotAuthorised(Refused):
    """The person does not hold the role that this needs."""


class Superseded(BlackstartError):
    """This installation was replaced; its successor alone may record and act.

    No kind of Refused: that may pass when it is tried on newer facts, this never does.
    """

    exit_code = 4


class Stopped(BlackstartError):
    """The recovery stopped before its end and waits for a person."""

    exit_code = 5


class WorldFailed(BlackstartError):
    """Something outside Blackstart did not do its part."""

    exit_code = 6


class JournalFailed(WorldFailed):
    """The record cannot be read or written; whatever was to be recorded was not done."""

    exit_code = 7


class JournalUnavailable(JournalFailed):
    """The record cannot be read or written now: locked, no room, no right, out of reach."""


class JournalLost(JournalFailed):
    """The record is gone, was replaced or is damaged: what was read of it holds no longer."""


class MirrorFailed(WorldFailed):
    """A mirror of the record cannot be read or written; the record itself is unharmed."""


class Unready(BlackstartError):
    """This machine, or this installation, lacks something that the command needs."""

    exit_code = 8


class PlanRejected(BlackstartError):
    """The plan file has problems; `problems` holds all of them, one line each."""

    exit_code = 9

    def __init__(self, what: str, hint: str, problems: tuple[str, ...] = ()) -> None:
        """Keep every problem, so that one reading of the file is enough."""
        super().__init__(what, hint)
        self.problems = problems
