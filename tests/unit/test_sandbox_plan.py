# SPDX-License-Identifier: Apache-2.0
"""The plan of the sandbox's company can be read, whatever stands in a command line of its sites."""

from __future__ import annotations

from pathlib import Path

from blackstart.planfile.load import load_plan
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.plan import write_plan
from blackstart.world.sites import Site, inside


def test_the_vantage_is_the_command_line_word_for_word(tmp_path: Path) -> None:
    site = Site(
        name="outside",
        directory=tmp_path,
        init_pid=1,
        started_ticks=1,
        boot_id="b",
        address="10.0.0.1",
        marker="m",
        purpose="sandbox",
        cgroup="",
    )
    plan = load_plan(write_plan(Layout(tmp_path), site))
    words = inside(site, [])
    assert plan.vantages["outside"].run == tuple(words)
    assert any('"' in word for word in words)  # what YAML would take for the end of a word
