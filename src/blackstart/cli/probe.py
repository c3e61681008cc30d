# SPDX-License-Identifier: Apache-2.0
"""`blackstart probe`: answers one question where a vantage leads."""

from __future__ import annotations

import sys

import click
import msgspec

from blackstart.engine.offered import load_verbs_beside
from blackstart.engine.probe import answer_probe
from blackstart.model.errors import Refused
from blackstart.world.clock import SystemClock


@click.command()
def probe() -> None:
    """Answer one question from standard input on standard output (used by vantages)."""
    asked = sys.stdin.buffer.read()
    try:
        answer = answer_probe(asked, load_verbs_beside, SystemClock())
    except msgspec.MsgspecError as problem:
        raise Refused(
            f"What came on standard input is no question: {problem}.",
            "The vantage of a plan asks it; `blackstart check` says whether one is right.",
        ) from problem
    sys.stdout.buffer.write(answer)
