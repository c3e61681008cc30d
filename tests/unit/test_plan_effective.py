# SPDX-License-Identifier: Apache-2.0
"""The expanded plan shows every value in force, and where it comes from."""

from blackstart.planfile.effective import show_effective
from blackstart.planfile.load import read_located
from tests.sample_plan import GOOD, SYSTEM, edited


def shown(text: str = GOOD) -> dict[str, tuple[str, str]]:
    """Path → value and origin."""
    found = {}
    for line in show_effective(read_located(text.encode(), "plan.yaml")):
        path, _, rest = line.partition(" = ")
        value, _, origin = rest.rpartition("  # ")
        found[path] = (value, origin)
    return found


def place_of(text: str) -> str:
    line, column = next(
        (n, line.index(text) + 1) for n, line in enumerate(GOOD.splitlines(), 1) if text in line
    )
    return f"plan.yaml:{line}:{column}"


def test_values_of_the_plan_have_their_own_place() -> None:
    lines = shown()
    assert lines["organisation"] == ('"FlowFuse"', place_of("organisation:"))
    assert lines["policy.objectives.rto_s"] == ("86400.0", place_of("rto:"))
    assert lines["people.p2.addresses.email"][1] == place_of("email: p2@")
    assert lines[f"systems.{SYSTEM}.settings.zone"] == ('"example.com"', place_of("zone:"))
    assert lines[f"systems.{SYSTEM}.targets.recovery.values.hub"][1] == place_of("hub: hub")
    assert lines[f"systems.{SYSTEM}.state.database.rpo_s"] == ("300.0", place_of("rpo: 5m"))


def test_values_of_the_profile_have_the_place_in_the_profile() -> None:
    lines = shown()
    for path in (f"systems.{SYSTEM}.settings.stack", f"systems.{SYSTEM}.steps.update_dns.gate"):
        assert lines[path][1].startswith("flowfuse-local-1.yaml:"), path
    record = f"systems.{SYSTEM}.steps.update_dns.do.record.params.ttl_s"
    assert lines[record][0] == '"${settings.record_ttl_s}"'
    assert lines[record][1].startswith("flowfuse-local-1.yaml:")


def test_what_the_plan_replaces_has_the_place_in_the_plan() -> None:
    path = f"systems.{SYSTEM}.steps.announce_recovery.owner"
    assert shown()[path] == ('"customer_liaison"', place_of("owner: customer_liaison"))
    actions = "do: [outside: { use: http.expect, params: { url: x } }]"
    lines = shown(edited(("manual: docs/verify-by-hand.md", actions)))
    action = f"systems.{SYSTEM}.steps.verify_platform.do.outside"
    assert lines[f"{action}.params.url"][1].startswith("plan.yaml:")
    assert lines[f"{action}.limit_s"][1].startswith("plan.yaml:")
