# SPDX-License-Identifier: Apache-2.0
"""The tiers of the plan decide who comes back first, from the plan file to the record."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from blackstart.bootstrap import compile_for, read_plan
from blackstart.engine.offered import build
from blackstart.providers.flowfuse_database import HeldInstance
from blackstart.providers.flowfuse_run import StartInstances
from blackstart.providers.flowfuse_waves import RanWave, say_waves, waves_of
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.plan import SYSTEM, TARGET, write_plan
from blackstart.sandbox.provision import GROWERS, PACKERS
from blackstart.world.sites import Site

OUTSIDE = Site(
    name="outside",
    directory=Path("/nowhere/outside"),
    init_pid=1,
    started_ticks=1,
    boot_id="",
    address="10.70.0.5",
    marker="test",
    purpose="sandbox",
    cgroup="",
)


def held(name: str, team: str) -> HeldInstance:
    return HeldInstance(id=name, name=name, team=team, state="suspended", port=12080)


def test_the_tiers_of_the_drill_reach_the_instances_as_two_waves(tmp_path: Path) -> None:
    plan = read_plan(write_plan(Layout(tmp_path), OUTSIDE))
    runbook = compile_for(plan, SYSTEM, TARGET, "drill")
    spec = next(one for one in runbook.step("restore_data").do if one.name == "instances")
    action = build({"flowfuse.start_instances": StartInstances}, spec.use, spec.params)
    growers, packers = held("greenhouse", GROWERS), held("packing-line", PACKERS)
    waves = waves_of((packers, growers), action.waves)
    assert [(wave.name, wave.instances) for wave in waves] == [
        ("growers", (growers,)),
        ("everyone-else", (packers,)),
    ]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    ran = tuple(
        RanWave(name=wave.name, instances=wave.instances, started_at=at, ran_at=at)
        for wave in waves
    )
    assert say_waves(ran) == (
        "2 instances run, started in 2 waves: growers (greenhouse), "
        "then everyone-else (packing-line)"
    )
