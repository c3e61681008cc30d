# SPDX-License-Identifier: Apache-2.0
"""The card that goes with a hand-over."""

from __future__ import annotations

from blackstart.bootstrap import Home, incident_named
from blackstart.model.words import say_duration, say_moment


def handover_card(home: Home, incident: str) -> str:
    """Return how the incident stands, for whoever takes it over."""
    state = incident_named(home, incident)
    out_s = (home.clock.now() - state.outage_start).total_seconds()
    lines = [
        f"Hand-over of {incident}",
        f"State: {state.state}; out since {say_moment(state.outage_start)} ({say_duration(out_s)})",
    ]
    lines += [f"Open: {ask.opened.text} ({', '.join(ask.persons)})" for ask in state.open_asks()]
    return "\n".join(lines)
