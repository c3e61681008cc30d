# SPDX-License-Identifier: Apache-2.0
"""The sandbox's passwords, tokens and what its flows must answer, kept for the drill's own use.

They stand for what people and flows know in real life: an old password still logs in, a flow still
says what it said. They stay with the sandbox; the recovery reads only what lives elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from blackstart.world.files import write_durably


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the platform, with the password that must work again."""

    username: str
    name: str
    email: str
    password: str
    is_admin: bool
    team: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A Node-RED instance and the answers of its flows, path by path."""

    id: str
    name: str
    team: str
    url: str
    answers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSecrets:
    """Everything generated when the production was made."""

    database_password: str
    replication_password: str
    cipher: str
    roster_key: str
    people: tuple[Person, ...]
    instances: tuple[Instance, ...] = ()
    writer_token: str = ""
    writer_team: str = ""

    @property
    def admin(self) -> Person:
        """The platform's administrator."""
        return next(person for person in self.people if person.is_admin)


def save_secrets(path: Path, kept: SandboxSecrets) -> None:
    """Write them for their owner only."""
    write_durably(path, msgspec.json.format(msgspec.json.encode(kept)), mode=0o600)


def load_secrets(path: Path) -> SandboxSecrets:
    """Read them back."""
    return msgspec.json.decode(path.read_bytes(), type=SandboxSecrets)
