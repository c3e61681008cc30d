# SPDX-License-Identifier: Apache-2.0
"""The folder of one installation, opened."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from blackstart.ports.journal import EvidenceStore, Journal
from blackstart.store.evidence import open_evidence
from blackstart.store.secretbox import SealedBox, open_secret_box
from blackstart.store.sqlite import open_journal
from blackstart.world.clock import SystemClock, clock_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of one installation, opened: its record, its evidence, its secrets."""

    folder: Path
    journal: Journal
    evidence: EvidenceStore
    secrets: SealedBox
    clock: SystemClock


def open_home(folder: Path) -> Home:
    """Open the installation's folder; it is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    clock = clock_of(os.environ)
    return Home(
        folder=folder,
        journal=open_journal(folder / "journal.db", clock),
        evidence=open_evidence(folder / "evidence"),
        secrets=open_secret_box(folder),
        clock=clock,
    )
