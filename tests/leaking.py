# SPDX-License-Identifier: Apache-2.0
"""A provider that lets its secret out wherever it can, and the install record that offers it.

It comes in by the door of third parties, an entry point; `install_leaking` makes a folder for
PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from blackstart.model.events import Sighting
from blackstart.ports.action import Context, Done, Failed, Finding, NotDone, Outcome
from blackstart.ports.secrets import SecretRef
from tests.canaries import written


def said(secret: str) -> str:
    """Return the secret in every form, and cut by line ends."""
    half = len(secret) // 2
    return "\n".join([*written(secret), f"{secret[:half]}\n    {secret[half:]}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Fail with the secret in the summary, break with it, then end well with it in all results."""

    outputs: ClassVar[Mapping[str, str]] = {"text": "the secret", "nested": "the secret, deeper"}
    secret: SecretRef
    folder: str

    def preview(self, context: Context) -> str:
        """Say it."""
        return "would leak"

    def perform(self, context: Context) -> Outcome:
        """Leak it, each time in another way."""
        secret = context.reveal(self.secret)
        count = Path(self.folder) / "attempts"
        attempt = len(count.read_text()) if count.exists() else 0
        count.write_text("x" * (attempt + 1))
        kept = context.keep("said.txt", said(secret).encode() + b"\xff\x00")
        sighting = Sighting(subject="it", condition="lost", seen=said(secret))
        context.progress(1.0, 2.0, "parts")
        if attempt == 0:
            return Failed(
                summary=said(secret), hint=said(secret), evidence=(kept,), sightings=(sighting,)
            )
        if attempt == 1:
            raise ValueError(said(secret))
        return Done(
            summary=said(secret),
            outputs={"text": said(secret), "nested": {"list": [secret, {secret: secret}]}},
            evidence=(kept,),
            sightings=(sighting,),
        )

    def inspect(self, context: Context) -> Finding:
        """Say it in a note."""
        return NotDone(note=said(context.reveal(self.secret)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Break with the secret, as a check does that was badly made."""

    outputs: ClassVar[Mapping[str, str]] = {}
    secret: SecretRef

    def check(self, context: Context) -> Outcome:
        """Break, with the secret as the last thing said."""
        raise ValueError(context.reveal(self.secret))


PROVIDES: Mapping[str, type] = {"act": Act, "look": Look}


def install_leaking(folder: Path) -> Path:
    """Return a folder that offers this provider as `leaking` when it is on PYTHONPATH."""
    record = folder / "leaking-0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: leaking\nVersion: 0\n")
    points = "[blackstart.providers.v1]\nleaking = tests.leaking\n"
    (record / "entry_points.txt").write_text(points)
    return folder
