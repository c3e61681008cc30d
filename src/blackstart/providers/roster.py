# SPDX-License-Identifier: Apache-2.0
"""The roster of affected users, kept away from production and sealed, opened when it is needed.

A sealed roster is a Fernet token (AES-128-CBC with HMAC-SHA256 and the time of sealing,
github.com/fernet/spec) around a JSON list:

    [{"person": "u-1", "name": "…", "email": "…", "teams": ["…"], "instances": ["…"]}, …]

`person` is an opaque id that stays the same from one roster to the next. Other kinds of address
stand in `addresses` (kind → address).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import msgspec
from cryptography.fernet import Fernet, InvalidToken

from blackstart.model.codec import digest_of
from blackstart.model.errors import WorldFailed
from blackstart.model.events import Sighting
from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.ports.roster import AffectedPerson
from blackstart.ports.secrets import SecretRef
from blackstart.providers.traces import returns_failures

_DAY_S = 86_400


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One person of a sealed roster."""

    person: str
    name: str
    email: str = ""
    addresses: dict[str, str] = {}
    teams: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Open the sealed roster and put its people into the contact store under an audience.

    May be repeated: who is known already stays. What makes the list doubtful is said and does not
    stop the step, because users must hear in any case: a roster older than `max_age_days`, one that
    is not the known one (`known_digest`, when given), people without an address of the kind
    `reached_by`.

    `earlier` is a roster that was sealed some days before. When more than `changed_at_most_percent`
    of the addresses differ from it, they may have been altered by whoever attacked the platform:
    people are then told at the earlier addresses, and the action ends as failed, so that the step
    is not whole.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "people": "how many people are affected",
        "without_address": "how many of them cannot be reached by mail",
        "sealed_at": "the moment (ISO 8601) when the roster was sealed",
        "digest": "SHA-256 of the sealed file",
    }

    roster: str
    key: SecretRef
    audience: str
    max_age_days: int = 8
    known_digest: str = ""
    reached_by: str = "email"
    earlier: str = ""
    changed_at_most_percent: int = 20

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Open, remember, and say what is doubtful."""
        opened = _open(self.roster, context.reveal(self.key))
        known = _addresses_in(self.earlier, context.reveal(self.key), self.reached_by)
        changed = changed_addresses(opened.people, known, self.reached_by)
        if len(changed) * 100 <= len(known) * self.changed_at_most_percent:
            return self._remember(opened.people, opened.sealed_at, opened.digest, context)
        people = tuple(_told_at(one, self.reached_by, changed) for one in opened.people)
        context.remember(self.audience, people)
        return Failed(
            summary=f"{len(changed)} of {len(known)} addresses differ from the earlier roster, as "
            "after an attack: users are told at the earlier addresses.",
            hint="compare the two rosters; do not let the platform send anything to the new "
            "addresses, such as links to set a new password, before each was confirmed",
        )

    def _remember(
        self,
        people: tuple[AffectedPerson, ...],
        sealed_at: datetime,
        digest: str,
        context: Context,
    ) -> Done:
        count = context.remember(self.audience, people)
        unreached = sum(not person.addresses.get(self.reached_by) for person in people)
        age_s = max(0.0, (context.now() - sealed_at).total_seconds())
        doubts = self._doubts(age_s, digest, unreached)
        seen = f"{count} people, sealed {age_s / 3600:.1f} h ago"
        return Done(
            summary=f"The roster names {count} affected people, sealed {age_s / 3600:.1f} h ago.",
            degraded=f"the list of users who are told is doubtful: {', '.join(doubts)}"
            if doubts
            else "",
            outputs={
                "people": count,
                "without_address": unreached,
                "sealed_at": sealed_at.isoformat(),
                "digest": digest,
            },
            sightings=(
                Sighting(
                    subject="roster of users",
                    condition="degraded" if doubts else "intact",
                    seen=", ".join((seen, *doubts)),
                ),
            ),
        )

    def _doubts(self, age_s: float, digest: str, unreached: int) -> tuple[str, ...]:
        doubts: list[str] = []
        if age_s > self.max_age_days * _DAY_S:
            doubts.append(f"older than {self.max_age_days} days")
        if self.known_digest and digest != self.known_digest:
            doubts.append("it changed since it was last seen")
        if unreached:
            doubts.append(f"{unreached} without an address for {self.reached_by}")
        return tuple(doubts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """The people of a roster, when it was sealed, and the SHA-256 of the sealed file."""

    people: tuple[AffectedPerson, ...]
    sealed_at: datetime
    digest: str


def _open(path: str, key: str) -> _Opened:
    """Open a sealed roster. Raises WorldFailed when it cannot be used; OSError."""
    sealed = Path(path).read_bytes()
    try:
        fernet = Fernet(key.strip())
        opened = fernet.decrypt(sealed.strip())
        sealed_at = datetime.fromtimestamp(fernet.extract_timestamp(sealed.strip()), UTC)
    except (InvalidToken, ValueError) as wrong:
        raise WorldFailed(
            f"The roster {path} cannot be opened: wrong key, or it was altered.",
            "take another copy of the roster, or its key from the kit",
        ) from wrong
    try:
        rows = msgspec.json.decode(opened, type=tuple[Row, ...])
    except msgspec.MsgspecError as wrong:
        raise WorldFailed(
            f"The roster {path} opens and is no list of people: {wrong}.",
            "seal it again from the platform's list of users",
        ) from wrong
    if not rows:
        raise WorldFailed(
            f"The roster {path} is empty: nobody would be told.",
            "take an earlier copy, or write the list of users by hand",
        )
    people = tuple(_person_of(row) for row in rows)
    return _Opened(people=people, sealed_at=sealed_at, digest=digest_of(sealed))


def _addresses_in(path: str, key: str, kind: str) -> Mapping[str, str]:
    """Return person → address of an earlier roster; one that is not there proves nothing."""
    if not path or not Path(path).exists():
        return {}
    return {one.id: one.addresses[kind] for one in _open(path, key).people if kind in one.addresses}


def changed_addresses(
    people: tuple[AffectedPerson, ...], known: Mapping[str, str], kind: str
) -> Mapping[str, str]:
    """Return person → earlier address of everyone whose address is another one now."""
    now = {one.id: one.addresses.get(kind, "") for one in people}
    return {one: earlier for one, earlier in known.items() if one in now and now[one] != earlier}


def _told_at(person: AffectedPerson, kind: str, earlier: Mapping[str, str]) -> AffectedPerson:
    if person.id not in earlier:
        return person
    return replace(person, addresses={**person.addresses, kind: earlier[person.id]})


def _person_of(row: Row) -> AffectedPerson:
    addresses = {**({"email": row.email} if row.email else {}), **row.addresses}
    return AffectedPerson(
        id=row.person,
        name=row.name,
        addresses=addresses,
        teams=row.teams,
        instances=row.instances,
    )


PROVIDES: Mapping[str, type] = {"open": Open}
