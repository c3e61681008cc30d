# SPDX-License-Identifier: Apache-2.0
"""What may not happen in the world, whatever the engine thinks: the policy's hard rules."""

from __future__ import annotations

from tests.simulation.world import World

# effect → (what must stand or have been seen well before, and the rule)
_BEFORE: dict[str, tuple[tuple[str, ...], str]] = {
    "restore_data/database": (
        ("secure_environment/lock",),
        "data enters an environment that is not secured",
    ),
    "update_dns/record": (
        ("verify_platform/serves", "verify_observability/alerts", "create_environment/fence"),
        "traffic moves before platform, alerts and fence were seen to be well",
    ),
}


def forbids(world: World, run: str, what: str) -> str:
    """Return which rule forbids the effect now, "" when none does."""
    wanted, rule = _BEFORE.get(what, ((), ""))
    if what.startswith("recovered "):
        wanted, rule = ("update_dns/outside",), "it was not seen from outside"
        run = run_named(world, what)
    missing = [one for one in wanted if not _is_well(world, run, one)]
    return f"{rule} ({', '.join(missing)})" if missing else ""


def run_named(world: World, what: str) -> str:
    """Return the run of the system that a text begins with."""
    system = what.split()[1]
    return world.runs.get(system, "")


def _is_well(world: World, run: str, place: str) -> bool:
    """Say whether it stands, was seen well at its newest look, or people answer for the step."""
    whole = f"{run}/{place}"
    step = whole.rpartition("/")[0]
    return whole in world.live or world.passed.get(whole, False) or step in world.by_hand
