# SPDX-License-Identifier: Apache-2.0
"""The guide's example is real: cut out of the guide, imported, and put through the contract."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from blackstart.ports.action import Action, Check, Done, Failed, NotDone, Unknown
from tests.provider_stage import KEY, Stage

GUIDE = Path(__file__).parents[2] / "docs" / "PROVIDER_GUIDE.md"


@pytest.fixture(scope="module")
def flag(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    path = tmp_path_factory.mktemp("guide") / "flag.py"
    path.write_text(code)
    spec = importlib.util.spec_from_file_location("guide_flag", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["guide_flag"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["guide_flag"]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def raising(flag: ModuleType, folder: Path) -> Any:
    return flag.PROVIDES["raise"](path=str(folder / "recovery.flag"))


def test_it_offers_an_action_and_a_check(flag: ModuleType, tmp_path: Path) -> None:
    assert isinstance(raising(flag, tmp_path), Action)
    assert isinstance(flag.PROVIDES["expect"](path="x", text="y"), Check)


def test_preview_changes_nothing(flag: ModuleType, stage: Stage, tmp_path: Path) -> None:
    assert "recovery under way" in raising(flag, tmp_path).preview(stage.context())
    assert list(tmp_path.iterdir()) == []


def test_what_is_done_is_found_by_its_key(flag: ModuleType, stage: Stage, tmp_path: Path) -> None:
    action = raising(flag, tmp_path)
    assert isinstance(action.inspect(stage.context()), NotDone)
    done = action.perform(stage.context())
    assert isinstance(done, Done)
    assert set(done.outputs) == set(action.outputs)
    assert action.inspect(stage.context()) == done
    assert isinstance(action.inspect(stage.context(key=KEY + "2")), NotDone)
    assert isinstance(action.perform(stage.context(key=KEY + "2")), Done)


def test_the_flag_of_another_run_is_not_touched(
    flag: ModuleType, stage: Stage, tmp_path: Path
) -> None:
    action = raising(flag, tmp_path)
    action.perform(stage.context(marker="another run"))
    before = Path(action.path).read_bytes()
    refused = action.perform(stage.context())
    assert isinstance(refused, Failed)
    assert refused.hint
    assert Path(action.path).read_bytes() == before


def test_what_cannot_be_read_is_unknown(flag: ModuleType, stage: Stage, tmp_path: Path) -> None:
    action = raising(flag, tmp_path)
    Path(action.path).write_text("not a flag")
    assert isinstance(action.inspect(stage.context()), Unknown)
    assert isinstance(replace(action, path="/no/such/folder/x").perform(stage.context()), Failed)


def test_the_check_passes_on_the_good_and_fails_on_the_bad(
    flag: ModuleType, stage: Stage, tmp_path: Path
) -> None:
    action = raising(flag, tmp_path)
    check = flag.PROVIDES["expect"](path=action.path, text="recovery under way")
    assert isinstance(check.check(stage.context()), Failed)
    action.perform(stage.context())
    assert isinstance(check.check(stage.context()), Done)
    assert isinstance(replace(check, text="all is well").check(stage.context()), Failed)
