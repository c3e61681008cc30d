# SPDX-License-Identifier: Apache-2.0
"""Mirrors as people read of them: how far behind, what is wrong, what came back from one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from blackstart.model.words import say_count, say_duration, say_moment
from blackstart.ports.journal import MirrorView

if TYPE_CHECKING:
    from blackstart.bootstrap.restoring import Restored  # `status` must not load it

_LATE_S, _LOST_S = 5.0, 30.0  # the second: nobody ships there


def mirror_lines(views: Sequence[MirrorView], now: datetime) -> Iterator[str]:
    """Yield one line for each mirror."""
    for view in views:
        if view.failing_since:
            for_s = (now - view.failing_since).total_seconds()
            whole = f"whole until {say_moment(view.whole_at)}" if view.whole_at else "never whole"
            yield click.style(
                f"MIRROR {view.name} FAILS for {say_duration(for_s)}, {_behind(view)}, {whole}: "
                f"{view.error}",
                fg="red",
            )
        elif view.behind_s > _LATE_S:
            colour = "red" if view.behind_s > _LOST_S else "yellow"
            yield click.style(f"mirror {view.name}: {_behind(view)}", fg=colour)
        else:
            yield f"mirror {view.name}: {_behind(view)}"


def _behind(view: MirrorView) -> str:
    if not (view.behind_facts or view.behind_s):
        return "up to date"
    return f"{say_count(view.behind_facts, 'fact')} and {say_duration(view.behind_s)} behind"


def restored_lines(came: Restored) -> Iterator[str]:
    """Yield what came back, what may be missing, and what to do next."""
    yield f"{came.home} is back as generation {came.generation}: {say_count(came.facts, 'fact')}."
    gap_s = (came.took_over_at - came.whole_at).total_seconds()
    yield (
        f"The mirror held everything until {say_moment(came.whole_at)}. What the old host recorded "
        f"after that, until it died, is missing: at most {say_duration(gap_s)}, if it lived until "
        "it was stopped just now."
    )
    for head in came.heads:
        yield f"  Record: {head}   (compare with the newest message of the incident)"
    files = came.files
    artefacts, secrets = say_count(files.evidence, "artefact"), say_count(files.secrets, "secret")
    yield f"{artefacts} and {secrets}, still sealed."
    if files.missing:
        yield click.style(
            f"{say_count(len(files.missing), 'artefact')} did not come back: "
            + ", ".join(digest[:12] for digest in files.missing[:10]),
            fg="yellow",
        )
    for fault in came.passed_over:
        yield click.style(f"Left out: {fault}", fg="yellow")
    if came.lacks_key:
        yield click.style(
            f"The sealed secrets stay closed until {came.home}/secrets.key is put there.",
            fg="yellow",
        )
    yield from _elsewhere_lines(came)
    yield (
        "What was under way is looked at before anything is repeated. Channels that can be asked "
        "are asked before a message is sent; a mail that went out in the missing seconds may go "
        "out twice, under the same Message-ID."
    )
    yield f"Next: blackstart agent --home {came.home}"


def _elsewhere_lines(came: Restored) -> Iterator[str]:
    for place in came.reached:
        yield f"Taken over at {place} as well."
    for place in came.unreached:
        yield click.style(
            f"NOT taken over at {place}: while the old host reaches that place and no other, it "
            "cannot know that it was replaced. End it there.",
            fg="red",
        )
