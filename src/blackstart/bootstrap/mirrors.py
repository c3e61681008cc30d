# SPDX-License-Identifier: Apache-2.0
"""The mirrors of an installation: where they are, shipping to them, asking them who is in force.

They are named in the file `mirrors` of the home, one place on a line. They belong to the
installation, not to a plan: a plan is under review by many and lies in the evidence of each
incident, and whoever brings the installation back needs the places before he has any plan.

    dir:/mnt/nas/blackstart
    s3://bucket/prefix?endpoint=https://s3.example.com&region=eu-1&access_key=secret:env/A&…
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from blackstart.bootstrap.shipping import Keeper, Tell, ship_or_tell
from blackstart.model.codec import digest_of
from blackstart.model.errors import BlackstartError, MirrorFailed, Refused, Unready
from blackstart.ports.clock import Clock
from blackstart.ports.depot import BY_ITSELF, Depot
from blackstart.ports.journal import Journal, MirrorView
from blackstart.ports.secrets import SecretRef
from blackstart.store.generation import note_superseded, standing_of
from blackstart.store.mirror_looking import newest_claim, replaced
from blackstart.store.mirror_progress import forget_others, last_heard
from blackstart.store.mirror_shipping import Shipper
from blackstart.store.sqlite import SqliteJournal
from blackstart.store.tenure import FRESH_S, Tenure
from blackstart.world.depot_folder import FolderDepot
from blackstart.world.depot_s3 import S3Depot
from blackstart.world.files import locked, write_durably

PLACES_FILE = "mirrors"
_FRESH = timedelta(seconds=FRESH_S)
_LOOK_WAITS_S = 2.0
_COMMAND_WAITS_S = 5.0
_END_WAITS_S = 5.0
_SETTINGS = ("endpoint", "region", "access_key", "secret_key")
_FORMS = (
    "Write dir:/folder, or s3://bucket/prefix?endpoint=…&region=…&access_key=secret:env/NAME"
    "&secret_key=secret:file/PATH (what is left out comes from the environment)."
)

Reveal = Callable[[SecretRef], str]


def depot_of(place: str, reveal: Reveal) -> Depot:
    """Return the depot at a place. Raises Refused for what is no place, Unready for a secret."""
    if place.startswith("dir:/"):
        return FolderDepot(Path(place.removeprefix("dir:")))
    parts = urlsplit(place)
    settings = dict(parse_qsl(parts.query))
    if parts.scheme != "s3" or not parts.netloc or settings.keys() - set(_SETTINGS):
        raise Refused(f"'{place}' is no place for a mirror.", _FORMS)
    return S3Depot(
        parts.netloc,
        parts.path.strip("/"),
        endpoint=settings.get("endpoint", ""),
        region=settings.get("region", ""),
        access_key=_revealed(settings.get("access_key", ""), reveal),
        secret_key=_revealed(settings.get("secret_key", ""), reveal),
    )


def _revealed(text: str, reveal: Reveal) -> str:
    try:
        return reveal(SecretRef(text)) if text else ""
    except ValueError as error:
        raise Refused(
            f"A key in the place of a mirror is no reference: {error}.", _FORMS
        ) from error


class UnusableDepot:
    """A place that cannot be used, as a depot: every use raises MirrorFailed."""

    def __init__(self, name: str, error: BlackstartError) -> None:
        self.name = name
        self._error = error

    def put_new(self, key: str, content: bytes) -> bool:
        """Raise MirrorFailed."""
        raise self._failure()

    def put(self, key: str, content: bytes) -> None:
        """Raise MirrorFailed."""
        raise self._failure()

    def fetch(self, key: str) -> bytes | None:
        """Raise MirrorFailed."""
        raise self._failure()

    def keys(self, folder: str) -> tuple[str, ...]:
        """Raise MirrorFailed."""
        raise self._failure()

    def remove(self, key: str) -> None:
        """Raise MirrorFailed."""
        raise self._failure()

    def _failure(self) -> MirrorFailed:
        return MirrorFailed(
            f"The mirror {self.name} cannot be used: {self._error.what}", self._error.hint
        )


class Mirrors:
    """The mirrors of one home."""

    def __init__(
        self,
        home: Path,
        journal: SqliteJournal,
        clock: Clock,
        reveal: Reveal,
        *,
        alone: bool = False,
    ) -> None:
        self._home = home
        self._journal = journal
        self._database = journal.database
        self._clock = clock
        self._reveal = reveal
        self._alone = alone
        self._tenure: Tenure | None = None
        self._followed: tuple[str, ...] = ()
        self._guard = threading.Lock()

    @property
    def guarded_journal(self) -> Journal:
        """The record for a driver: it claims and writes only while we are in force."""
        return self._journal.confirmed_by(self.confirm)

    def views(self) -> tuple[MirrorView, ...]:
        """Return how far each mirror has come."""
        return self._journal.mirrors()

    def places(self) -> tuple[str, ...]:
        """Return the places, as they stand in the home's file."""
        lines = (line.strip() for line in self._lines())
        return tuple(line for line in lines if line and not line.startswith("#"))

    def _lines(self) -> tuple[str, ...]:
        path = self._home / PLACES_FILE
        try:
            return tuple(path.read_text(encoding="utf-8").splitlines())
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise Unready(
                f"The list of the mirrors {path} cannot be read ({error}).",
                "Let this user read it: one place on a line, in UTF-8.",
            ) from error

    def add(self, place: str) -> Depot:
        """Try a place by a first copy, then add it to the file. Raises what shipping raises.

        A place that is refused leaves no trace; whoever ships goes on to the others.
        """
        depot = depot_of(place, self._reveal)
        others = {view.name for view in self.views()} - {depot.name}
        known = self.places()
        places = known if place in known else (*known, place)
        self._database.write_lightly(lambda connection: forget_others(connection, others))
        try:
            Shipper(self._database, self._home, depot, self._clock, lambda: places).ship()
        except BlackstartError as error:
            if place not in known:
                self._database.write_lightly(lambda connection: forget_others(connection, others))
            if not isinstance(error, MirrorFailed):
                raise
            remedy = error.hint.replace(BY_ITSELF, "then give the command again.")
            raise MirrorFailed(error.what, remedy) from error
        with locked(self._home / f".{PLACES_FILE}.lock"):
            now = self.places()
            if place not in now:
                lines = "".join(f"{line}\n" for line in (*self._lines(), place))
                write_durably(self._home / PLACES_FILE, lines.encode())
        return depot

    def depots(self) -> tuple[Depot, ...]:
        """Return the depot of each place; of one that cannot be used, one that says so at each use.

        A word that is wrong in the file, or a key that is not set, is loud and holds nothing up.
        """
        return tuple(self._depot_at(place) for place in self.places())

    def _depot_at(self, place: str) -> Depot:
        try:
            return depot_of(place, self._reveal)
        except BlackstartError as error:
            return UnusableDepot(place.partition("?")[0], error)

    def say_faults(self) -> str:
        """Return one line about mirrors that fail, "" when none does."""
        views = self.views()
        failing = [view.name for view in views if view.failing_since]
        return f"{len(failing)} of {len(views)} mirrors of the record fail." if failing else ""

    def confirm(self) -> None:
        """Make sure that this installation is in force; see `store.tenure`."""
        with self._guard:
            places = self.places()
            if self._tenure is None:
                self._tenure = Tenure(self._database, self.depots(), self._clock, alone=self._alone)
            elif places != self._followed:
                self._tenure.follow(self.depots())
            self._followed = places
        self._tenure.confirm()

    def look(self) -> None:
        """Make sure, before what a person says is recorded, that nobody has taken over.

        Asks unless another program ships and has just asked. Waits two seconds at most; where no
        mirror answers, what is said is recorded. Raises Superseded, which says that it was not.
        """
        depots = self.depots()
        with self._database.reading() as connection:
            standing, heard = standing_of(connection), last_heard(connection)
        is_fresh = heard is not None and abs(self._clock.now() - heard) < _FRESH
        if is_fresh and not standing.superseded_by and self._is_shipped_by_others(depots):
            return
        claim = newest_claim(depots, self._clock, _LOOK_WAITS_S)
        newest = max(standing.superseded_by, claim.generation if claim else 0)
        if newest > standing.generation:
            self._database.write(lambda connection: note_superseded(connection, newest))
            raise replaced(standing.generation, newest, claim)

    def _is_shipped_by_others(self, depots: tuple[Depot, ...]) -> bool:
        for depot in depots:
            with locked(self._lock_of(depot), wait=False) as is_free:
                if not is_free:
                    return True
        return False

    @contextmanager
    def shipping(self, tell: Tell) -> Iterator[None]:
        """Ship to every mirror, each from a thread of its own, while the caller works.

        `tell` is given a sentence when a mirror begins to fail, and when it is well again.
        """
        stop = threading.Event()
        keeper = Keeper(find=self._shippers_but, clock=self._clock, tell=tell)
        thread = threading.Thread(target=keeper.run, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            self._wait_for([thread], _END_WAITS_S)

    def ship_once(self, tell: Tell) -> None:
        """Ship what a command recorded, where no other program ships all the time.

        Waits a few seconds at most; what fails, or is not done by then, is told once.
        """
        told: set[str] = set()

        def tell_once(text: str) -> None:
            if text not in told:
                told.add(text)
                tell(text)

        threads = [
            threading.Thread(target=ship_or_tell, args=(*found, tell_once), daemon=True)
            for found in self._shippers_but(frozenset()).values()
            if found is not None
        ]
        for thread in threads:
            thread.start()
        self._wait_for(threads, _COMMAND_WAITS_S)
        if any(thread.is_alive() for thread in threads):
            tell("A mirror does not keep up: `blackstart journal mirrors` shows which.")

    def _wait_for(self, threads: list[threading.Thread], wait_s: float) -> None:
        deadline_s = self._clock.monotonic_s() + wait_s
        for thread in threads:
            thread.join(max(0.0, deadline_s - self._clock.monotonic_s()))

    def _shippers_but(self, known: frozenset[str]) -> dict[str, tuple[Shipper, Path] | None]:
        """Return by its place how each mirror is shipped to, None for those that are known."""
        places = self.places()
        if known != frozenset(places):
            names = {depot.name for depot in self.depots()}
            if any(view.name not in names for view in self.views()):
                self._database.write_lightly(lambda connection: forget_others(connection, names))
        return {place: None if place in known else self._shipper_at(place) for place in places}

    def _shipper_at(self, place: str) -> tuple[Shipper, Path]:
        depot = self._depot_at(place)
        shipper = Shipper(self._database, self._home, depot, self._clock, self.places)
        return shipper, self._lock_of(depot)

    def _lock_of(self, depot: Depot) -> Path:
        """Return the file that whoever ships to the place holds locked."""
        name = digest_of(depot.name.encode())[:12]
        return self._home / f".mirror-{name}.lock"
