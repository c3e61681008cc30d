# SPDX-License-Identifier: Apache-2.0
"""What is taken from a drill before its stage is removed: the count of its loss, its logs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blackstart.cli.stage import Stage, end_blackstart
from blackstart.model.errors import WorldFailed
from blackstart.model.incident import Incident
from blackstart.sandbox.disaster import Destroyed
from blackstart.sandbox.loss import Loss, count_lost

_TRACES = ("agent.log", "watch.log", "home/journal.db", "home/journal.db-wal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The loss; None when there was nothing to count, or with the `problem` that prevented it."""

    loss: Loss | None = None
    problem: str = ""


def count_loss(
    incident: Incident | None,
    writer: Path,
    destroyed: Destroyed,
    read: Callable[[], frozenset[int]],
) -> Counted:
    """Count, once every run has an outcome, what `read` does not give back of what was written.

    `writer` is the folder of the writer's records. A platform that cannot be read is a problem to
    be told, never a reason to lose the report.
    """
    if incident is None or not incident.runs:
        return Counted()
    if not all(run.outcome for run in incident.runs.values()):
        return Counted()
    try:
        present = read()
    except WorldFailed as failure:
        return Counted(problem=f"The loss could not be counted: {failure.what}.")
    return Counted(loss=count_lost(writer, present, before=destroyed.gone_at))


def keep_traces(stage: Stage, folder: Path) -> None:
    """End Blackstart's processes, then copy their logs and the record itself into `folder`."""
    end_blackstart(stage)
    copy_traces(stage.layout.root, folder)


def copy_traces(root: Path, folder: Path) -> None:
    """Copy what there is of logs and record from the folder of a run; readable by us only."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _TRACES:
        source = root / name
        if source.exists():
            copied = folder / source.name
            shutil.copyfile(source, copied)
            copied.chmod(0o600)
