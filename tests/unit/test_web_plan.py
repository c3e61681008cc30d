# SPDX-License-Identifier: Apache-2.0
"""The example for any web application is a plan that passes, and names nothing of FlowFuse."""

from __future__ import annotations

from pathlib import Path

from blackstart.bootstrap import compile_for, read_plan
from blackstart.sandbox.systems import SYSTEMS
from blackstart.sandbox.webapp.names import APPLICATION

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "webapp"


def test_the_example_compiles_for_recovery_and_drill_with_generic_verbs_only() -> None:
    plan = read_plan(EXAMPLE / "blackstart.yaml")
    verbs: set[str] = set()
    for target, mode in (("recovery", "recovery"), ("drill", "drill")):
        runbook = compile_for(plan, "records", target, mode)
        verbs |= {action.use for step in runbook.steps for action in step.do}
        assert len(runbook.steps) == 11
        assert all(step.do for step in runbook.steps)
        assert not any(verb.startswith("flowfuse.") for verb in verbs)
    assert {"template.write", "program.start", "postgres.expect_rows"} <= verbs


def test_the_example_shows_the_very_files_that_are_drilled() -> None:
    for name in ("application.ini", "build.sh", "install.sh", "manifest.sql", "requirements.txt"):
        assert (EXAMPLE / name).samefile(APPLICATION / name)


def test_every_package_of_the_application_is_pinned_by_hash() -> None:
    text = (APPLICATION / "requirements.txt").read_text()
    packages = [line for line in text.splitlines() if "==" in line and not line.startswith(" ")]
    assert len(packages) > 30
    assert all(line.endswith("\\") for line in packages)
    assert "://" not in text


def test_each_system_has_defects_and_each_says_where_a_drill_stops() -> None:
    assert set(SYSTEMS) == {"flowfuse", "webapp"}
    stops = {
        name: one.expected.removeprefix("stops at ")
        for name, one in SYSTEMS["webapp"].injections.items()
    }
    assert stops == {
        "emptied-table": "restore_data.rows",
        "altered-record": "verify_platform.pages",
        "other-passwords": "verify_platform.login",
        "damaged-package": "deploy_platform.install",
        "alert-route-missing": "verify_observability.alert",
        "dns-update-refused": "update_dns.records",
    }
