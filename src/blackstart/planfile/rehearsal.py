# SPDX-License-Identifier: Apache-2.0
"""Work by hand in a drill: the same questions, in words that send nobody to production.

A person reads what he is asked and does it. So an action may say under `drill_text` what is to be
done in a drill; one that does not is asked with a warning before its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from blackstart.model.plan import Mode
from blackstart.model.runbook import MANUAL, ActionSpec, Param

DRILL_TEXT = "drill_text"
PUBLIC_NAME = "public_name"
_WARNING = (
    "In a drill: do not touch production and tell no user; where the words below would have you "
    "do so, say how you would do it and who could."
)


def by_hand_in(mode: Mode, action: ActionSpec) -> ActionSpec:
    """Return the action with the words of this mode; what is not done by hand stays as it is."""
    if action.use != MANUAL:
        return action
    params = {name: value for name, value in action.params.items() if name != DRILL_TEXT}
    if mode is Mode.DRILL:
        text = action.params.get("text", "")
        params["text"] = action.params.get(DRILL_TEXT) or f"{_WARNING} {text}"
    return replace(action, params=params)


def names_in_drill(values: Mapping[str, Param]) -> Mapping[str, Param]:
    """Return the values as a person is to read them in a drill: its public name is the target's."""
    own = values.get(f"target.{PUBLIC_NAME}")
    return {**values, f"settings.{PUBLIC_NAME}": own} if own else values
