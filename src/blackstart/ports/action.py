# SPDX-License-Identifier: Apache-2.0
"""What the engine asks of an action or a check, and what they may answer.

An action is a frozen dataclass; its fields are the parameters that the plan gives. Fields typed
`SecretRef` are never shown; the action reads them with `context.reveal`. The class declares
`outputs`: the names that later actions may refer to, each with the sentence that explains it.

    @dataclass(frozen=True, slots=True, kw_only=True)
    class TouchFile:
        '''Create an empty file.'''
        outputs: ClassVar[Mapping[str, str]] = {"path": "the file that was made"}
        path: str

        def preview(self, context: Context) -> str: ...
        def perform(self, context: Context) -> Outcome: ...
        def inspect(self, context: Context) -> Finding: ...
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol, TypeAlias, runtime_checkable

from blackstart.model.events import Sighting
from blackstart.model.plan import Target
from blackstart.model.runbook import Param
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """It is as it should be. `summary` is one sentence for people, with the figures.

    `degraded` is for what was done and is less than it should be: one sentence that users may read.
    The step ends degraded with it, what comes after goes on, and nobody is told that all is whole.
    """

    summary: str = ""
    degraded: str = ""
    outputs: Mapping[str, Param] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It is not, and nothing more will happen by itself: what was seen, and what to do.

    `subject` names what was judged and found bad (a restore point, say), when something was.
    `is_held`: it may not be tried again before a person orders it, whatever the plan allows.
    """

    summary: str
    hint: str
    subject: str = ""
    is_held: bool = False
    evidence: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The work goes on in the world without us; look again."""

    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """The work was begun and left; `perform` with a new attempt cleans it up first."""

    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """The world shows no trace of this key; performing is safe."""

    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """The world does not answer; nothing may be concluded and nothing performed.

    `for_good`: waiting will not show more, so a person is asked at once.
    """

    note: str
    for_good: bool = False


Outcome: TypeAlias = Done | Failed
Finding: TypeAlias = Done | Running | Partial | NotDone | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What an action is given besides its parameters. Nothing else of the engine is visible.

    `key` names this attempt (incident/run/step/action/attempt) and is left in the world;
    `marker` names the run and is on everything that it makes. `left_s()` says within how many
    seconds a check must have returned; no clock that is set moves it. An action that changes the
    world has no such end: past its limit a person is asked, and `cancelled()` says when to end.
    `progress(done, total, unit)` may be called often. `keep(name, content)` stores evidence and
    returns its digest. `seal(name, value)` stores a secret before its first use; `reveal(ref)`
    returns one; `redact(text)` puts references in place of those known. `remember` puts people and
    addresses into the contact store.
    """

    key: str
    marker: str
    target: Target
    left_s: Callable[[], float]
    now: Callable[[], datetime]
    cancelled: Callable[[], bool]
    progress: Callable[[float, float, str], None]
    keep: Callable[[str, bytes], str]
    seal: Callable[[str, str], SecretRef]
    reveal: Callable[[SecretRef], str]
    remember: Callable[[str, tuple[AffectedPerson, ...]], int]
    verified_points: Callable[[str], tuple[str, ...]]
    redact: Callable[[str], str] = str


@runtime_checkable
class Action(Protocol):
    """A verb that changes the world.

    `perform` returns when the work is done, or failed. It is called again with the same key only
    after `inspect` said NotDone; after Partial it gets a new key and must clean up what an
    earlier attempt of the same run left. Exceptions are bugs, except BlackstartError.
    """

    outputs: ClassVar[Mapping[str, str]]

    def preview(self, context: Context) -> str:
        """Say in one sentence what would change; change nothing."""
        ...

    def perform(self, context: Context) -> Outcome:
        """Do it."""
        ...

    def inspect(self, context: Context) -> Finding:
        """Look at the world for what `perform` with this key left there; change nothing."""
        ...


@runtime_checkable
class Undoable(Protocol):
    """The power to take back. An action has it by having the method; most need none, because what
    they made lies inside a site that goes as a whole.
    """

    def undo(self, context: Context) -> Outcome:
        """Take back what `perform` did for this run (by marker, not by key); may be repeated.

        Done also when there is nothing left to take back, or never was.
        """
        ...


@runtime_checkable
class Cancellable(Protocol):
    """The power to end work that goes on in the world without us, after whoever began it died.

    Work in hand needs none: it ends when `context.cancelled()` says so, its programs with it.
    """

    def cancel(self, context: Context) -> Outcome:
        """End what `perform` with this key left running; Done also when there is nothing left."""
        ...


@runtime_checkable
class Check(Protocol):
    """A read-only question to the world with an expected answer. May be asked again at any time."""

    outputs: ClassVar[Mapping[str, str]]

    def check(self, context: Context) -> Outcome:
        """Ask; Done when the answer is the expected one, Failed with what was seen when not."""
        ...


def without_secrets(redact: Callable[[str], str], value: Param) -> Param:
    """Return an output with the secrets in its texts replaced by their references."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(name): without_secrets(redact, part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_secrets(redact, part) for part in value]
    return value
