# SPDX-License-Identifier: Apache-2.0
"""files.copy: whole or not at all, never over what is not ours, and taken back exactly."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blackstart.ports.action import (
    Action,
    Context,
    Done,
    Failed,
    NotDone,
    Outcome,
    Partial,
    Undoable,
    Unknown,
)
from blackstart.providers.files import Copy
from blackstart.world.file_trees import TreeFailed, exchange, measure, put_new
from tests.conformance.test_actions import die, picture
from tests.provider_stage import KEY, Stage

AGAIN = KEY.replace("/1", "/2")
BIG = b"0123456789abcdef" * 200_000  # several pieces


def tree(folder: Path) -> Path:
    """Make a source with what trees have: depth, an empty folder, a link, modes."""
    source = folder / "source"
    (source / "deep" / "deeper").mkdir(parents=True)
    (source / "empty").mkdir(mode=0o750)
    (source / "big").write_bytes(BIG)
    (source / "deep" / "deeper" / "name with space").write_text("x")
    (source / "link").symlink_to("deep/deeper")
    (source / "big").chmod(0o640)
    return source


def single(folder: Path) -> Path:
    source = folder / "source.txt"
    source.write_bytes(BIG)
    return source


KINDS: tuple[Callable[[Path], Path], ...] = (tree, single)


def copy(folder: Path, kind: Callable[[Path], Path], **changed: Any) -> Copy:
    (folder / "from").mkdir(exist_ok=True)
    (folder / "to").mkdir(exist_ok=True)
    source = folder / "from" / ("source" if kind is tree else "source.txt")
    if not source.exists():
        kind(folder / "from")
    return replace(Copy(source=str(source), into=str(folder / "to" / "copy")), **changed)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def done_of(outcome: object) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_whole_and_found_by_its_key(kind: Any, tmp_path: Path) -> None:
    action, stage = copy(tmp_path, kind), Stage()
    assert isinstance(action, Action)
    before = picture(tmp_path)
    assert "which is free" in action.preview(stage.context())
    assert isinstance(action.inspect(stage.context()), NotDone)
    assert picture(tmp_path) == before
    done = done_of(action.perform(stage.context()))
    assert measure(Path(action.into)) == measure(Path(action.source))
    assert done.outputs["digest"] == measure(Path(action.source)).digest
    assert stage.ticks[-1] == (done.outputs["size_bytes"], done.outputs["size_bytes"], "B")
    assert len(stage.ticks) > 1
    assert done_of(action.inspect(stage.context())).outputs == done.outputs
    assert isinstance(action.inspect(stage.context(key=AGAIN)), NotDone)
    again = done_of(action.perform(stage.context(key=AGAIN)))
    assert again.outputs == done.outputs
    assert names(tmp_path / "to") == [".copy.blackstart", "copy"]


def test_a_tree_keeps_its_links_and_looks_as_told(tmp_path: Path) -> None:
    action = copy(tmp_path, tree)
    done_of(action.perform(Stage().context()))
    there = Path(action.into)
    assert (there / "link").readlink() == Path("deep/deeper")
    assert (there / "big").stat().st_mode & 0o7777 == 0o640
    assert (there / "empty").stat().st_mode & 0o7777 == 0o750
    told = replace(action, mode="0600", folder_mode="0711", owner=f"{os.getuid()}:{os.getgid()}")
    done_of(told.perform(Stage().context(key=AGAIN)))
    assert (there / "big").stat().st_mode & 0o7777 == 0o600
    assert (there / "deep").stat().st_mode & 0o7777 == 0o711
    wrongs: list[dict[str, Any]] = [{"mode": "rw"}, {"mode": "77777"}, {"owner": "no-such-user"}]
    for wrong in wrongs:
        failure_of(replace(action, **wrong).perform(Stage().context(key=AGAIN)))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_gives_way_only_for_a_reason(kind: Any, tmp_path: Path) -> None:
    action, stage = copy(tmp_path, kind), Stage()
    theirs = Path(action.into)
    theirs.write_text("precious")
    before = picture(tmp_path)
    for refused in (action, replace(action, replace=True), replace(action, reason="because")):
        assert "is there already" in failure_of(refused.perform(stage.context()))
        assert picture(tmp_path) == before
    told = replace(action, replace=True, reason="the old one is from the lost site")
    assert "in place of" in told.preview(stage.context())
    done_of(told.perform(stage.context()))
    assert measure(theirs) == measure(Path(action.source))
    done_of(told.perform(stage.context(key=AGAIN)))
    done_of(told.undo(stage.context()))
    assert picture(tmp_path) == before
    assert theirs.read_text() == "precious"


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_taken_back_once_and_only_by_its_run(kind: Any, tmp_path: Path) -> None:
    action, stage = copy(tmp_path, kind), Stage()
    assert isinstance(action, Undoable)
    before = picture(tmp_path)
    done_of(action.undo(stage.context()))
    done_of(action.perform(stage.context()))
    there = picture(tmp_path)
    done_of(action.undo(stage.context(marker="another run")))
    assert picture(tmp_path) == there
    for _ in range(2):
        done_of(action.undo(stage.context()))
        assert picture(tmp_path) == before
        assert isinstance(action.inspect(stage.context()), NotDone)


def test_what_others_wrote_since_is_not_taken_back(tmp_path: Path) -> None:
    action, stage = copy(tmp_path, tree), Stage()
    done_of(action.perform(stage.context()))
    (Path(action.into) / "new").write_text("by a user")
    assert isinstance(action.inspect(stage.context()), Partial)
    assert "was changed since" in failure_of(action.undo(stage.context()))
    assert "is there already" in failure_of(action.perform(stage.context(key=AGAIN)))
    assert (Path(action.into) / "new").exists()


def test_the_copy_of_an_earlier_run_comes_back_with_its_mark(tmp_path: Path) -> None:
    action, stage = copy(tmp_path, single), Stage()
    done_of(action.perform(stage.context(marker="run-0")))
    Path(action.source).write_text("newer")
    assert "is there already" in failure_of(action.perform(stage.context(key=AGAIN)))
    told = replace(action, replace=True, reason="newer")
    done_of(told.perform(stage.context(key=AGAIN)))
    done_of(told.undo(stage.context()))
    done_of(action.inspect(stage.context()))
    done_of(action.undo(stage.context(marker="run-0")))
    assert names(tmp_path / "to") == []


def test_a_changed_source_replaces_our_own_copy(tmp_path: Path) -> None:
    action, stage = copy(tmp_path, single), Stage()
    done_of(action.perform(stage.context()))
    Path(action.source).write_text("corrected")
    done_of(action.perform(stage.context(key=AGAIN)))
    assert Path(action.into).read_text() == "corrected"
    done_of(action.undo(stage.context()))
    assert names(tmp_path / "to") == []


def test_what_is_wrong_is_said_before_anything_changes(tmp_path: Path) -> None:
    action, stage = copy(tmp_path, tree), Stage()
    right = measure(Path(action.source)).digest
    done_of(replace(action, digest=f"sha256:{right}").perform(stage.context()))
    done_of(action.undo(stage.context()))
    before = picture(tmp_path)
    inside = str(Path(action.source) / "copy")
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"digest": "0" * 64}, "is not what it should be"),
        ({"source": "/no/such/source"}, "No such file"),
        ({"into": "/no/such/folder/copy"}, "No such file"),
        ({"into": "relative"}, "is no whole path"),
        ({"into": inside}, "lie in each other"),
        ({"source": "/dev"}, "neither a file nor a folder"),
    ]
    for changed, said in wrongs:
        assert said in failure_of(replace(action, **changed).perform(stage.context())), changed
    assert "cannot be read" in replace(action, source="/no").preview(stage.context())
    stage.is_cancelled = True
    assert "was stopped" in failure_of(action.perform(stage.context()))
    assert picture(tmp_path) == before


def test_a_mark_that_is_none_concludes_nothing(tmp_path: Path) -> None:
    action, stage = copy(tmp_path, single), Stage()
    (tmp_path / "to" / ".copy.blackstart").write_text("{")
    assert isinstance(action.inspect(stage.context()), Unknown)
    assert "is no mark of ours" in failure_of(action.undo(stage.context()))


def perform_and_die(folder: Path, moment: str, kind: Any) -> None:
    context = Stage().context()
    changed: dict[str, Any] = {moment: die}
    dying: Context = replace(context, **changed)
    copy(folder, kind, replace=True, reason="test").perform(dying)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_taken", [False, True])
@pytest.mark.parametrize("moment", ["progress", "now"])
def test_a_death_leaves_the_old_or_the_new(
    kind: Any, is_taken: bool, moment: str, tmp_path: Path
) -> None:
    action = copy(tmp_path, kind, replace=True, reason="test")
    if is_taken:
        Path(action.into).write_text("theirs")
    before = picture(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    victim = spawn.Process(target=perform_and_die, args=(tmp_path, moment, kind))
    victim.start()
    victim.join(30)
    assert victim.exitcode == -signal.SIGKILL
    stage = Stage()
    assert isinstance(action.inspect(stage.context()), NotDone | Partial)
    done_of(action.undo(stage.context()))
    assert picture(tmp_path) == before
    done_of(action.perform(stage.context(key=AGAIN)))
    done_of(action.inspect(stage.context(key=AGAIN)))
    done_of(action.undo(stage.context()))
    assert picture(tmp_path) == before


def test_a_death_right_after_the_exchange_keeps_what_was_replaced(tmp_path: Path) -> None:
    action, stage = copy(tmp_path, single, replace=True, reason="test"), Stage()
    Path(action.into).write_text("theirs")
    done_of(action.perform(stage.context()))
    kept = tmp_path / "to" / ".copy.blackstart-before"
    (draft,) = [action._draft_of(stage.context())]
    kept.rename(draft)
    assert isinstance(action.inspect(stage.context()), Partial)
    done_of(action.perform(stage.context(key=AGAIN)))
    assert kept.read_text() == "theirs"
    done_of(action.undo(stage.context()))
    assert Path(action.into).read_text() == "theirs"
    assert names(tmp_path / "to") == ["copy"]


def test_an_undo_that_died_half_way_is_finished(tmp_path: Path) -> None:
    action, stage = copy(tmp_path, single, replace=True, reason="test"), Stage()
    there, kept = Path(action.into), tmp_path / "to" / ".copy.blackstart-before"
    there.write_text("theirs")
    done_of(action.perform(stage.context()))
    exchange(kept, there)
    done_of(action.undo(stage.context()))
    assert there.read_text() == "theirs"
    assert names(tmp_path / "to") == ["copy"]


def test_a_name_that_is_taken_stays(tmp_path: Path) -> None:
    for name in ("draft", "taken"):
        (tmp_path / name).write_text(name)
    with pytest.raises(TreeFailed, match="appeared meanwhile"):
        put_new(tmp_path / "draft", tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "taken"
