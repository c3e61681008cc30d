# SPDX-License-Identifier: Apache-2.0
"""The folder of one installation, opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from blackstart.bootstrap.mirrors import Mirrors
from blackstart.model.errors import JournalLost, JournalUnavailable
from blackstart.ports.clock import Clock
from blackstart.ports.journal import EvidenceStore, Journal
from blackstart.store.evidence import open_evidence
from blackstart.store.secretbox import SealedBox, open_secret_box
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SteadyClock, clock_of

_RECORD = "journal.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of one installation, opened: its record, evidence, secrets and mirrors."""

    folder: Path
    journal: Journal
    evidence: EvidenceStore
    secrets: SealedBox
    clock: Clock
    mirrors: Mirrors


def open_home(folder: Path, *, patience_s: float = 10.0, alone: bool = False) -> Home:
    """Open the installation's folder; it is made when it is not there.

    `patience_s` is how long to wait for another program that is writing. `alone`: a person knows
    that the installation was brought back nowhere else, which no mirror can say. Raises
    JournalFailed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise JournalUnavailable(
            f"The home {folder} cannot be made ({error.strerror}).",
            "Let this user write there, or name another home with --home.",
        ) from error
    _refuse_without_record(folder)
    clock = SteadyClock(clock_of(os.environ))
    journal = open_journal(folder / _RECORD, clock, patience_s=patience_s)
    secrets = open_secret_box(folder)
    return Home(
        folder=folder,
        journal=journal,
        evidence=open_evidence(folder / "evidence"),
        secrets=secrets,
        clock=clock,
        mirrors=Mirrors(folder, journal, clock, secrets.reveal, alone=alone),
    )


def _refuse_without_record(folder: Path) -> None:
    """A record that vanished is never replaced by an empty one: open incidents would be forgotten.

    The first run of an incident leaves evidence beside the record, so the two go together.
    """
    if not (folder / _RECORD).exists() and any((folder / "evidence").glob("??/*")):
        raise JournalLost(
            f"The record {folder / _RECORD} is gone, while its evidence is still there.",
            "Bring it back from a mirror (`blackstart journal restore`), put back its newest copy, "
            "or name another home to begin a new record.",
        )
