# SPDX-License-Identifier: Apache-2.0
"""The parameters of a channel or a watch, which stand beside its own keys or under `params`."""

from __future__ import annotations

from collections.abc import Mapping

from blackstart.model.runbook import Param
from blackstart.planfile.fit import Reading
from blackstart.planfile.tree import Path


def join_params(
    params: Mapping[str, Param], rest: Mapping[str, Param], path: Path, reading: Reading
) -> dict[str, Param]:
    """Return both together; each is found later under `params`, wherever it was written."""
    for name in rest:
        reading.places.note((*path, "params", name), reading.places.find((*path, name)))
    return {**params, **rest}
