# SPDX-License-Identifier: Apache-2.0
"""Brings an installation back from a mirror, on another machine, and takes over from the old one.

The order matters. First everything is read, rebuilt and verified aside: a mirror that is no good
must not stop an installation that may still live. Then the generation is raised, which does stop
it, within seconds: they are waited for unless it is long dead. Then what it shipped until that
moment is read once more. The folder gets its name last.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from blackstart.bootstrap.home import Home, open_home
from blackstart.bootstrap.mirrors import PLACES_FILE, depot_of
from blackstart.model.errors import BlackstartError, MirrorFailed, Refused
from blackstart.model.events import INSTALLATION, Fact, IncidentReported, RecordRestored
from blackstart.model.heads import Head, head_of
from blackstart.model.incident import fold
from blackstart.model.states import IncidentState
from blackstart.ports.clock import Clock
from blackstart.ports.crew import Signal
from blackstart.ports.depot import Depot
from blackstart.ports.journal import Entry
from blackstart.store.mirror_files import KEY_FILE, key_fingerprint
from blackstart.store.mirror_form import Claim, generation_key, written
from blackstart.store.mirror_reading import (
    Held,
    alive_of,
    newest_generation,
    owner_of,
    read_mirror,
)
from blackstart.store.mirror_restoring import FilesBack, rebuild_files, rebuild_record
from blackstart.store.schema import from_ms, to_ms
from blackstart.store.secretbox import SealedBox, open_secret_box
from blackstart.store.tenure import STOPPED_WITHIN_S
from blackstart.world.clock import clock_of
from blackstart.world.files import sync_folder, write_durably
from blackstart.world.random import nonce

_READ_AGAIN = 5  # times, while the old installation still ships
_LONG_DEAD = timedelta(days=1)  # its clock and ours may lie hours apart, and waiting is cheap

Tell = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back, and what may be missing: facts recorded between `whole_at` and the death.

    `took_over_at`: none of them is younger, the old installation having been stopped there.
    """

    home: str
    generation: int
    whole_at: datetime
    took_over_at: datetime
    heads: tuple[Head, ...]
    facts: int
    files: FilesBack
    passed_over: tuple[str, ...]
    lacks_key: bool
    reached: tuple[str, ...] = ()
    unreached: tuple[str, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, kw_only=True)
class _TakenOver:
    """What the mirror held at last, our claim as of then, and what went wrong elsewhere, or ""."""

    held: Held
    claim: Claim
    others: dict[str, str]


def restore(
    source: str, home: Path, *, key: Path | None, accept_loss: bool, tell: Tell, pause: Signal
) -> Restored:
    """Bring the installation that is mirrored at `source` back in the folder `home`.

    `tell` is given one sentence when the old host has to be waited for, by a wait on `pause`.
    Raises Refused for a folder in use or a wrong key, MirrorFailed for a mirror that is no good.
    """
    draft = _draft_of(home)
    depot = depot_of(source, open_secret_box(draft).reveal)
    held = _readable(depot, accept_loss=accept_loss)
    _take_key(held, key, draft)
    taken = _taken_over(source, depot, held, draft, lambda: _wait_out(tell, pause))
    held, claim, others = taken.held, taken.claim, taken.others
    files = rebuild_files(depot, held, draft)
    _write_places(draft, source, others)
    heads = tuple(_record_it(draft, depot, held, claim.generation, files))
    if home.exists():
        home.rmdir()
    draft.rename(home)
    sync_folder(home.parent)
    return Restored(
        home=str(home),
        generation=claim.generation,
        whole_at=_whole_at(held),
        took_over_at=from_ms(claim.at_ms),
        heads=heads,
        facts=held.newest.count,
        files=files,
        passed_over=held.passed_over,
        lacks_key=bool(held.newest.key) and not (home / KEY_FILE).exists(),
        reached=tuple(place for place, fault in others.items() if not fault),
        unreached=tuple(f"{place} ({fault})" for place, fault in others.items() if fault),
    )


def _draft_of(home: Path) -> Path:
    """Make the folder beside the new home; what an attempt before left there is removed."""
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Refused(f"{home} is in use.", "Name a folder that is not there yet.")
    draft = home.parent / f".{home.name}.restoring"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    return draft


def _taken_over(
    source: str, depot: Depot, held: Held, draft: Path, wait_out: Callable[[], None]
) -> _TakenOver:
    """Rebuild the record, raise the generation everywhere, wait until the old host has stopped,
    and rebuild the record with what came until then."""
    clock = clock_of(os.environ)
    claim = Claim(
        generation=held.generation + 1,
        claimant=nonce(),
        host=socket.gethostname(),
        at_ms=to_ms(clock.now()),
    )

    def rebuild(from_held: Held) -> None:
        for beside in ("", "-wal", "-shm"):
            (draft / f"journal.db{beside}").unlink(missing_ok=True)
        rebuild_record(
            depot,
            from_held,
            draft / "journal.db",
            clock,
            generation=claim.generation,
            claimant=claim.claimant,
        )

    rebuild(held)
    if not depot.put_new(generation_key(claim.generation), written(claim)):
        raise Refused(
            f"Somebody else brings this installation back from {depot.name} at this moment.",
            "Find out who, before two of you drive one recovery; then repeat if it is to be you.",
        )
    secrets = open_secret_box(draft)
    others = dict(_take_over_elsewhere(source, held, claim, secrets))
    if not _is_long_dead(source, held, secrets, clock):
        wait_out()
    held = _read_to_its_end(depot, held, rebuild)
    return _TakenOver(
        held=held, claim=msgspec.structs.replace(claim, at_ms=to_ms(clock.now())), others=others
    )


def _read_to_its_end(depot: Depot, held: Held, rebuild: Callable[[Held], None]) -> Held:
    """Rebuild the record with what came since it was read; return what the mirror holds now."""
    for _ in range(_READ_AGAIN):
        newer = read_mirror(depot)
        if newer.newest == held.newest:
            break
        held = newer
        rebuild(held)
    return held


def _wait_out(tell: Tell, pause: Signal) -> None:
    """Wait until the old host has certainly looked at a mirror, and so was stopped."""
    tell(f"Waiting {STOPPED_WITHIN_S:.0f} s until the old host has certainly stopped.")
    pause.wait(STOPPED_WITHIN_S)


def _is_long_dead(source: str, held: Held, secrets: SealedBox, clock: Clock) -> bool:
    """Say whether its last sign of life is old at every mirror; what cannot be told is not old."""
    last_ms = max(held.newest.taken_ms, held.claims[-1].at_ms)
    for place in {source, *held.newest.mirrors}:
        try:
            sign = alive_of(depot_of(place, secrets.reveal), held.newest.generation)
        except BlackstartError:
            return False
        if sign is None:
            return False
        last_ms = max(last_ms, sign.at_ms)
    return clock.now() - from_ms(last_ms) > _LONG_DEAD


def _readable(depot: Depot, *, accept_loss: bool) -> Held:
    held = read_mirror(depot)
    if held.passed_over and not accept_loss:
        raise MirrorFailed(
            f"{depot.name} opens only at {from_ms(held.newest.taken_ms):%Y-%m-%d %H:%M:%S} UTC: "
            + " ".join(held.passed_over),
            "Use another mirror of the installation; where there is none, --accept-loss brings "
            "back what is whole.",
        )
    return held


def _take_key(held: Held, key: Path | None, draft: Path) -> None:
    """Copy the key of the sealed secrets, when it is given and the right one."""
    if key is None:
        return
    if held.newest.key and key_fingerprint(key) != held.newest.key:
        raise Refused(
            f"The key in {key} is not the one that sealed the secrets ({held.newest.key}).",
            "Look for the right one, or leave --key out: everything but the secrets comes back.",
        )
    write_durably(draft / KEY_FILE, key.read_bytes())


def _take_over_elsewhere(
    source: str, held: Held, claim: Claim, secrets: SealedBox
) -> Iterator[tuple[str, str]]:
    """Raise the generation at the other mirrors too; yield each with what went wrong, or ""."""
    for place in held.newest.mirrors:
        if place != source:
            try:
                depot = depot_of(place, secrets.reveal)
                owner = owner_of(depot)
                is_ours = owner is not None and owner.identity == held.owner.identity
                if is_ours and newest_generation(depot) < claim.generation:
                    depot.put_new(generation_key(claim.generation), written(claim))
                yield place, "" if is_ours else "it holds no mirror of this installation"
            except BlackstartError as error:
                yield place, error.what


def _write_places(draft: Path, source: str, others: dict[str, str]) -> None:
    """Keep the places that can be used from here; a folder of the lost host is only remembered."""
    places = [source, *others]
    lines = [
        f"# {place}" if others.get(place) and place.startswith("dir:") else place
        for place in places
    ]
    write_durably(draft / PLACES_FILE, "".join(f"{line}\n" for line in lines).encode())


def _record_it(
    draft: Path, depot: Depot, held: Held, generation: int, files: FilesBack
) -> Iterator[Head]:
    """Record in each open chain that it came back, and yield the heads as they came."""
    opened: Home = open_home(draft)
    try:
        for chain in dict.fromkeys((*opened.journal.chains(), INSTALLATION)):
            facts = opened.journal.read(chain)
            if facts:
                yield head_of(chain, facts[-1].seq, facts[-1].digest)
            if chain == INSTALLATION or _is_open(facts):
                told = RecordRestored(
                    generation=generation,
                    mirror=depot.name,
                    whole_at=_whole_at(held),
                    facts=len(facts),
                    missing=files.missing,
                )
                opened.journal.append(chain, "blackstart", [Entry(event=told)])
    finally:
        opened.journal.close()


def _is_open(facts: tuple[Fact, ...]) -> bool:
    is_incident = isinstance(facts[0].event, IncidentReported)
    return is_incident and fold(facts).state is not IncidentState.CLOSED


def _whole_at(held: Held) -> datetime:
    """Return when the mirror is last known to have held everything."""
    newest = held.newest
    alive = held.alive
    if alive is not None and alive.count == newest.count:
        return from_ms(max(alive.at_ms, newest.taken_ms))
    return from_ms(newest.taken_ms)


def verified_mirrors(home: Home) -> dict[str, str]:
    """Read each mirror whole; return by its name what is wrong with it, "" when it is sound.

    It is rebuilt aside as it would be brought back, verified, and compared with the record here.
    """
    found: dict[str, str] = {}
    for depot in home.mirrors.depots():
        with tempfile.TemporaryDirectory(prefix="blackstart-") as folder:
            try:
                held = _readable(depot, accept_loss=False)
                rebuild_record(
                    depot, held, Path(folder) / "j.db", home.clock, generation=1, claimant=""
                )
                found[depot.name] = _differs(home, held)
            except BlackstartError as error:
                found[depot.name] = error.what
    return found


def _differs(home: Home, held: Held) -> str:
    for chain, end in held.newest.ends.items():
        facts = home.journal.read(chain, end.seq - 1)
        if not facts or facts[0].digest != end.digest:
            return f"fact {end.seq} of '{chain}' there is not the one that is here"
    return ""
