# SPDX-License-Identifier: Apache-2.0
"""command.run: outputs from JSON, secrets in the environment, and its work taken back."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Outcome, Undoable
from blackstart.ports.secrets import SecretRef
from blackstart.providers.command import Run
from tests.conformance.test_actions import picture
from tests.provider_stage import KEY, Stage

AGAIN = KEY.replace("/1", "/2")
TOKEN = SecretRef("secret:test/token")
MADE = '{"site": {"address": "10.70.0.20"}, "instances": [{"id": 7}]}'


def python(code: str, folder: Path, **changed: Any) -> Run:
    run = Run(argv=(sys.executable, "-c", code), traces=str(folder / "traces"))
    return replace(run, **changed)


def done_of(outcome: object) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


@pytest.mark.parametrize(
    ("at", "value"),
    [("site.address", "10.70.0.20"), ("instances.0.id", 7), ("instances.0", {"id": 7}), ("", None)],
)
def test_what_it_prints_becomes_outputs(tmp_path: Path, at: str, value: object) -> None:
    run, stage = python(f"print({MADE!r})", tmp_path, prints_json=True, value_at=at), Stage()
    done = done_of(run.perform(stage.context()))
    assert done.outputs.get("value") == value
    document = done.outputs["json"]
    assert isinstance(document, dict)
    assert document["site"] == {"address": "10.70.0.20"}
    assert done_of(run.inspect(stage.context())).outputs == done.outputs


@pytest.mark.parametrize(
    ("code", "at", "said"),
    [
        ("print('done')", "", "printed no JSON"),
        ("", "", "printed no JSON"),
        (f"print('first'); print({MADE!r})", "", "printed no JSON"),
        (f"print({MADE!r})", "site.adress", "has nothing at 'adress'"),
        (f"print({MADE!r})", "instances.1", "has nothing at '1'"),
        (f"print({MADE!r})", "site.address.x", "has nothing at 'x'"),
    ],
)
def test_what_is_no_json_is_a_failure(tmp_path: Path, code: str, at: str, said: str) -> None:
    run, stage = python(code, tmp_path, prints_json=True, value_at=at), Stage()
    assert said in failure_of(run.perform(stage.context()))
    assert len(stage.evidence) == 1


def test_a_secret_goes_by_the_environment_only(tmp_path: Path) -> None:
    stage = Stage(secrets={TOKEN.name: "geheim\n"})
    code = "import os; print(len(os.environ['TOKEN']), 'PATH' in os.environ)"
    run = python(code, tmp_path, secret_env={"TOKEN": TOKEN})
    done = done_of(run.perform(stage.context()))
    assert done.outputs["text"] == "6 True"
    assert "geheim" not in repr(done)
    assert not any(b"geheim" in path.read_bytes() for path in tmp_path.rglob("*.key"))
    own = replace(run, env={"PATH": "/bin"})
    assert done_of(own.perform(stage.context(key=AGAIN))).outputs["text"] == "6 True"
    in_site = replace(run, site="recovery", place=str(tmp_path))
    assert "Secrets cannot be put" in failure_of(in_site.perform(stage.context()))


def touching(folder: Path, name: str = "made") -> Run:
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).touch()"
    remove = "import pathlib, sys; pathlib.Path(sys.argv[1]).unlink(missing_ok=True)"
    path = str(folder / name)
    run = python("", folder, undo_argv=(sys.executable, "-c", remove, path))
    return replace(run, argv=(sys.executable, "-c", code, path))


def test_its_work_is_taken_back_once(tmp_path: Path) -> None:
    run, other, stage = touching(tmp_path), touching(tmp_path, "other"), Stage()
    assert isinstance(run, Undoable)
    (tmp_path / "made").touch()
    done_of(run.undo(stage.context()))
    assert (tmp_path / "made").exists()
    for key in (KEY, AGAIN):
        done_of(run.perform(stage.context(key=key)))
    done_of(other.perform(stage.context(key=KEY.replace("/act/", "/other/"))))
    before = picture(tmp_path)
    done_of(run.undo(stage.context(marker="another run")))
    assert picture(tmp_path) == before
    done_of(run.undo(stage.context(key="inc-1/run-1/stand-down")))
    assert not (tmp_path / "made").exists()
    assert (tmp_path / "other").exists()
    assert isinstance(run.inspect(stage.context()), NotDone)
    assert isinstance(run.inspect(stage.context(key=AGAIN)), NotDone)
    (tmp_path / "made").touch()
    done_of(run.undo(stage.context()))
    assert (tmp_path / "made").exists()


def test_a_failed_run_and_a_failed_undo_are_known(tmp_path: Path) -> None:
    stage = Stage()
    run = replace(touching(tmp_path), expected_code=5)
    failure_of(run.perform(stage.context()))
    done_of(run.undo(stage.context()))
    assert not (tmp_path / "made").exists()
    done_of(touching(tmp_path).perform(stage.context()))
    silent = replace(touching(tmp_path), undo_argv=())
    assert "Nothing says how" in failure_of(silent.undo(stage.context()))
    broken = replace(touching(tmp_path), undo_argv=(sys.executable, "-c", "raise SystemExit('no')"))
    assert "ended with 1, expected 0: no" in failure_of(broken.undo(stage.context()))
    assert isinstance(broken.inspect(stage.context()), Done)
    in_site = Run(argv=("x",), place="/nowhere", site="recovery")
    assert "goes with it" in done_of(in_site.undo(stage.context())).summary
