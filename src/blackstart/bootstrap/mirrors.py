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
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from blackstart.model.codec import digest_of
from blackstart.model.errors import BlackstartError, MirrorFailed, Refused, Superseded
from blackstart.ports.clock import Clock
from blackstart.ports.depot import Depot
from blackstart.ports.journal import Journal, MirrorView
from blackstart.ports.secrets import SecretRef
from blackstart.store.mirror_progress import forget_others
from blackstart.store.mirror_shipping import Shipper
from blackstart.store.sqlite import SqliteJournal
from blackstart.store.tenure import Tenure
from blackstart.world.depot_folder import FolderDepot
from blackstart.world.depot_s3 import S3Depot
from blackstart.world.files import locked, write_durably

PLACES_FILE = "mirrors"
SHIP_EVERY_S = 0.5
_REST_MOST_S = 5.0  # after failures
_COMMAND_WAITS_S = 5.0
_END_WAITS_S = 5.0
_SETTINGS = ("endpoint", "region", "access_key", "secret_key")
_FORMS = (
    "Write dir:/folder, or s3://bucket/prefix?endpoint=…&region=…&access_key=secret:env/NAME"
    "&secret_key=secret:file/PATH (what is left out comes from the environment)."
)

Reveal = Callable[[SecretRef], str]
Tell = Callable[[str], None]


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
        try:
            text = (self._home / PLACES_FILE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        lines = (line.strip() for line in text.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))

    def add(self, place: str) -> Depot:
        """Try a place by a first copy, then add it to the file. Raises what shipping raises."""
        depot = depot_of(place, self._reveal)
        others = {view.name for view in self.views()} - {depot.name}
        self._database.write_lightly(lambda connection: forget_others(connection, others))
        Shipper(self._database, self._home, depot, self._clock, (*self.places(), place)).ship()
        lines = [*self.places(), place] if place not in self.places() else self.places()
        write_durably(self._home / PLACES_FILE, "".join(f"{line}\n" for line in lines).encode())
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
            if self._tenure is None:
                self._tenure = Tenure(self._database, self.depots(), self._clock, alone=self._alone)
        self._tenure.confirm()

    @contextmanager
    def shipping(self, tell: Tell) -> Iterator[None]:
        """Ship to every mirror, each from a thread of its own, while the caller works.

        `tell` is given a sentence when a mirror begins to fail, and when it is well again.
        """
        stop = threading.Event()
        threads = [
            threading.Thread(
                target=_keep_shipping,
                args=(shipper, self._lock_of(shipper), stop, tell),
                daemon=True,
            )
            for shipper in self._shippers()
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            self._wait_for(threads, _END_WAITS_S)

    def ship_once(self, tell: Tell) -> None:
        """Ship what a command recorded, where no other program ships all the time.

        Waits a few seconds at most; what fails, or is not done by then, is told.
        """
        threads = [
            threading.Thread(
                target=_ship_or_tell, args=(shipper, self._lock_of(shipper), tell), daemon=True
            )
            for shipper in self._shippers()
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

    def _shippers(self) -> tuple[Shipper, ...]:
        places, depots = self.places(), self.depots()
        names = {depot.name for depot in depots}
        if any(view.name not in names for view in self.views()):
            self._database.write_lightly(lambda connection: forget_others(connection, names))
        return tuple(
            Shipper(self._database, self._home, depot, self._clock, places) for depot in depots
        )

    def _lock_of(self, shipper: Shipper) -> Path:
        """Return the file that whoever ships to the place holds locked."""
        name = digest_of(shipper.depot.name.encode())[:12]
        return self._home / f".mirror-{name}.lock"


def _keep_shipping(shipper: Shipper, lock: Path, stop: threading.Event, tell: Tell) -> None:
    """Ship again and again, as soon as nobody else does."""
    while not stop.is_set():
        with locked(lock, wait=False) as is_ours:
            if is_ours:
                _ship_until(shipper, stop, tell)
                return
        stop.wait(_REST_MOST_S)


def _ship_until(shipper: Shipper, stop: threading.Event, tell: Tell) -> None:
    """Ship until stopped, and once more then; what fails is tried again, and said once."""
    fault = ""
    rest_s = SHIP_EVERY_S
    while True:
        is_last = stop.is_set()
        try:
            shipper.ship()
            if fault:
                tell(f"The mirror {shipper.depot.name} is up to date again.")
            fault, rest_s = "", SHIP_EVERY_S
        except Superseded as error:
            tell(str(error))
            return
        except BlackstartError as error:
            if error.what != fault:
                tell(str(error))
            fault, rest_s = error.what, min(_REST_MOST_S, rest_s * 2)
        if is_last:
            return
        stop.wait(rest_s)


def _ship_or_tell(shipper: Shipper, lock: Path, tell: Tell) -> None:
    try:
        with locked(lock, wait=False) as is_ours:
            if is_ours:
                shipper.ship()
    except BlackstartError as error:
        tell(str(error))
