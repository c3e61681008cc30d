# SPDX-License-Identifier: Apache-2.0
"""The commands that look at a plan: check, show, preview, schema. None of them changes anything."""

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from blackstart.bootstrap import load_verbs, read_located_plan
from blackstart.cli.plan import check, schema, show, verbs
from blackstart.cli.preview import in_order, preview
from blackstart.model.errors import PlanRejected, Refused
from blackstart.model.plan import Mode
from blackstart.model.runbook import Runbook, StepSpec
from blackstart.planfile.automation import automation_of
from blackstart.planfile.compile import compile_runbook
from blackstart.planfile.flowchart import flowchart
from tests.sample_manual import HEAD
from tests.sample_plan import EXAMPLE, GOOD, OUTPUTS_OF, SYSTEM, edited, plan_of


def run(command: click.Command, path: Path, *more: str) -> Result:
    return CliRunner().invoke(command, ["--plan", str(path), *more])


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text)
    return path


def runbook_of(text: str, system: str = SYSTEM) -> Runbook:
    return compile_runbook(plan_of(text), system, "recovery", Mode.RECOVERY, OUTPUTS_OF)


def test_many_faults_are_reported_at_once_with_place_and_remedy(tmp_path: Path) -> None:
    faults = {
        "owner: p1": "owner: p9",
        "rto: 24h": "rto: soon",
        "holders: [p3]": "holders: []",
        "use: slack.post": "use: slak.post",
        "zone: example.com": "zone: 5",
        "tsig_key: secret:file/srv/dns/tsig.key": "tsig_key: hunter2",
        "like: recovery": "like: recovry",
        "name: everyone-else": "name: enterprise",
        "confirm_after: 3": "confirm_after: 0",
        "manual: docs/verify-by-hand.md": "gate: nobody",
    }
    path = written(tmp_path, edited(*faults.items()))
    with pytest.raises(PlanRejected) as rejected:
        read_located_plan(path)
    lines = rejected.value.problems
    for wrong in faults.values():
        numbers = [n for n, line in enumerate(path.read_text().splitlines(), 1) if wrong in line]
        places = tuple(f"{path}:{number}:" for number in numbers)
        assert any(line.startswith(places) for line in lines), (wrong, lines)
    assert all(" → " in line for line in lines)
    result = run(check, path, "--json")
    assert (result.exit_code, json.loads(result.output)["problems"]) == (9, list(lines))
    assert isinstance(run(check, path).exception, PlanRejected)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "token: secret:file/etc/blackstart/slack.token",
            "token: xoxb-1",
            "a secret is named by a",
        ),
        ("timeout_s: 2", "timeout_s: soon", "'timeout_s' does not fit 'http.expect': Expected `f"),
        ("host: smtp.example.net, from: status", "host: [x], from: status", "Expected `str`, got"),
        (
            "zone: example.com",
            "zone: 5",
            "'zone' does not fit 'records.update': Expected `str`, got",
        ),
        (
            "        hub: hub\n",
            "        hub: [hub]\n",
            "'hub' does not fit 'site.create': Expected",
        ),
        (
            "      zone: ",
            "      record_ttl_s: long\n      zone: ",
            "'ttl_s' does not fit 'records.update'",
        ),
    ],
)
def test_a_value_of_the_wrong_type_is_found_before_it_runs(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    result = run(check, written(tmp_path, edited((old, new))))
    assert isinstance(result.exception, PlanRejected)
    assert any(problem in line for line in result.exception.problems), result.exception.problems
    assert "xoxb" not in "".join(result.exception.problems)


def test_secrets_that_are_not_there_are_warned_of_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    text = GOOD.replace("secret:file/etc/blackstart/slack.token", f"secret:file{token}")
    text = text.replace("192.0.2.53", "127.0.0.1")
    path = written(tmp_path, text.replace("secret:file/srv/dns/tsig.key", "secret:env/BS_TSIG"))
    said = run(check, path)
    assert said.exit_code == 0
    assert f"the file {token} cannot be read here → put the secret there" in said.output
    assert "the variable BS_TSIG is not set here → set BS_TSIG where it runs" in said.output
    token.write_text("hunter2")
    monkeypatch.setenv("BS_TSIG", "hunter3")
    said = run(check, path)
    assert "slack.token" not in said.output
    assert "BS_TSIG" not in said.output
    for output in (run(preview, path, SYSTEM), run(preview, path, SYSTEM, "--json"), said):
        assert "hunter" not in output.output
    warnings = json.loads(run(check, path, "--json").output)["warnings"]
    assert all(line.startswith(f"{path}:") for line in warnings)


def test_show_says_how_much_is_automated(tmp_path: Path) -> None:
    manual = run(show, written(tmp_path, HEAD))
    assert "0 % automated: all ten steps are done by hand" in manual.output
    assert "Fence the old site first" in manual.output
    assert "100 % automated: none of the " in run(show, EXAMPLE).output


def test_the_share_is_by_actions_and_by_expected_time() -> None:
    steps = {step.name: step for step in runbook_of(GOOD).steps}
    manual = {step.name: step for step in runbook_of(HEAD, "shop").steps}
    mixed: list[StepSpec] = [steps["deploy_platform"], manual["update_dns"]]
    share = automation_of(mixed)
    assert (share.actions, share.by_hand, share.actions_percent) == (3, 1, 66)
    assert (share.expected_s, share.time_percent, share.steps_by_hand) == (1_816.0, 0, 1)
    said = "66 % automated: 2 of 3 actions, 0 % of the expected time; 1 of 2 steps are done by hand"
    assert str(share) == said
    assert automation_of(()).actions_percent == 0


def test_show_effective_says_where_each_value_comes_from(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD)
    lines = run(show, path, "--effective").output.splitlines()
    assert f'organisation = "Small"  # {path}:2:1' in lines
    assert any("update_dns.gate" in line and "# manual-any-1.yaml:" in line for line in lines)
    rows = json.loads(run(show, path, "shop", "--effective", "--json").output)
    assert {row["path"].split(".")[0] for row in rows} == {"systems"}
    assert {"path", "value", "origin"} == set(rows[0])


def test_show_as_json_holds_the_whole_procedure() -> None:
    (found,) = json.loads(run(show, EXAMPLE, SYSTEM, "--target", "drill", "--json").output)
    assert (found["system"], found["target"]) == (SYSTEM, "drill")
    assert len(found["steps"]) == 11
    assert found["automation"]["actions_percent"] == 100
    assert "restore_data.database" in [
        f"{step['name']}.{one['name']}" for step in found["steps"] for one in step["do"]
    ]


@pytest.mark.parametrize("command", [show, preview])
def test_what_is_not_in_the_plan_is_named(command: click.Command) -> None:
    wrong = run(command, EXAMPLE, "nothing").exception
    assert isinstance(wrong, Refused)
    assert "It has: flowfuse-cloud." in wrong.hint
    wrong = run(command, EXAMPLE, SYSTEM, "--target", "moon").exception
    assert isinstance(wrong, Refused)
    assert "There is: drill, recovery." in wrong.hint


def test_the_flowchart_has_steps_gates_and_the_critical_path() -> None:
    chart = flowchart(runbook_of(GOOD))
    assert chart == run(show, EXAMPLE, "--target", "recovery", "--mermaid").output
    assert 'g_update_dns{"incident_commander: go?"}' in chart
    assert "s_secure_environment ==> s_deploy_platform" in chart
    assert "s_deploy_platform -.-> s_restore_data" in chart
    assert "s_restore_data --> s_verify_platform" in chart
    by_hand = flowchart(runbook_of(HEAD, "shop"))
    assert "by hand" in by_hand
    hostile = 'x"]; click s href \\"javascript:alert(1)\\" <b> & `#`'
    text = HEAD + f"    steps: {{ deploy_platform: {{ title: {json.dumps(hostile)} }} }}\n"
    line = next(one for one in flowchart(runbook_of(text, "shop")).splitlines() if "alert" in one)
    assert line.count('"') == 2
    assert "<b>" not in line


def snapshot(folder: Path) -> list[tuple[str, int, bytes]]:
    return sorted(
        (str(path), path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    )


def test_a_preview_changes_nothing_and_names_what_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = tmp_path / "world"
    for name in ("srv/sites", "srv/pki", "srv/backup", "srv/prometheus/targets", "home"):
        (world / name).mkdir(parents=True)
    (world / "srv/pki/ca.key").write_text("hunter2")
    monkeypatch.setenv("HOME", str(world / "home"))
    monkeypatch.chdir(world)
    text = GOOD.replace("/srv/", f"{world}/srv/").replace("192.0.2.53", "127.0.0.1")
    path = written(world, text)
    before = snapshot(world)
    result = run(preview, path, SYSTEM)
    assert result.exit_code == 0, result.exception
    assert snapshot(world) == before
    said = result.output
    assert "site recovery would be made in" in said
    assert "known after create_environment.database_password" in said
    assert "backup (known after assess_damage.point) would be restored" in said
    assert "cannot be previewed" not in said
    assert "(Update DNS and other records), after incident_commander said go" in said
    assert "hunter2" not in said


def test_a_preview_of_what_people_do_shows_their_text(tmp_path: Path) -> None:
    result = run(preview, written(tmp_path, HEAD), "shop", "--json")
    rows = {row["step"]: row for row in json.loads(result.output)}
    assert len(rows) == 10
    assert rows["update_dns"]["known_after"] == ["create_environment.address"]
    assert "(known after create_environment.address)" in rows["update_dns"]["would"]
    assert {row["kind"] for row in rows.values()} == {"by hand"}


def test_actions_are_previewed_in_an_order_in_which_they_could_run() -> None:
    names = [f"{step.name}.{action.name}" for step, action in in_order(runbook_of(GOOD))]
    assert len(names) == len(set(names)) == sum(len(step.do) for step in runbook_of(GOOD).steps)
    assert names.index("deploy_platform.configure") < names.index("restore_data.start")
    assert names.index("verify_platform.counts") < names.index("update_dns.admit")


def said_by(command: Callable[[], None] | click.Command, *more: str) -> str:
    assert isinstance(command, click.Command)
    return CliRunner().invoke(command, list(more)).output


def test_the_schema_and_the_verbs_are_printed() -> None:
    found = json.loads(said_by(schema))
    assert "http.expect" in found["$defs"]["ActionEntry"]["properties"]["use"]["enum"]
    assert set(json.loads(said_by(verbs, "--json"))) == set(load_verbs())
    assert "http.expect" in said_by(verbs)
