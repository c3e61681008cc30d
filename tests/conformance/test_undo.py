# SPDX-License-Identifier: Apache-2.0
"""What every action that can take back keeps to.

Performed and undone, `inspect` finds nothing; undone again, nothing more happens; what was never
performed, or belongs to another run, is not touched. Those that need a living site are shown in
`tests/scenarios/test_undo.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from blackstart.ports.action import Action, Done, Failed, NotDone, Undoable
from blackstart.providers.prometheus import Scrape
from blackstart.providers.site import Create, Fence, Marker, read_fence
from blackstart.sandbox.http_loop import Call, Loop, Reply, in_json
from tests.conformance.test_actions import picture
from tests.provider_stage import KEY, MARKER, Stage

AGAIN = KEY.replace("/1", "/2")


@dataclass(frozen=True)
class Bench:
    """An action, and the part of the world that it changes."""

    action: Action
    folder: Path
    stage: Stage


@contextmanager
def fencing(folder: Path) -> Iterator[Bench]:
    (folder / "production").mkdir()
    yield Bench(Fence(place=str(folder), site="production"), folder, Stage())


@contextmanager
def scraping(folder: Path) -> Iterator[Bench]:
    """Prometheus, as far as it says of its targets what their files say."""

    def answer(_: Call) -> Reply:
        found = [
            {
                "discoveredLabels": {**one["labels"], "__address__": one["targets"][0]},
                "health": "up",
            }
            for path in folder.glob("*.json")
            for one in msgspec.json.decode(path.read_bytes())
        ]
        return in_json({"status": "success", "data": {"activeTargets": found}})

    loop = Loop("127.0.0.1", 0, answer)
    try:
        url = f"http://127.0.0.1:{loop.port}"
        scrape = Scrape(targets=str(folder), job="app", address="127.0.0.1:3000", prometheus=url)
        yield Bench(scrape, folder, Stage())
    finally:
        loop.stop()


BENCHES: Mapping[str, Callable[[Path], AbstractContextManager[Bench]]] = {
    "site.fence": fencing,
    "prometheus.scrape": scraping,
}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with BENCHES[request.param](tmp_path) as bench:
        yield bench


def undo(bench: Bench, *, marker: str = MARKER) -> Done:
    assert isinstance(bench.action, Undoable)
    done = bench.action.undo(bench.stage.context(key=AGAIN, marker=marker))
    assert isinstance(done, Done), done
    assert done.summary
    return done


def test_what_was_done_is_taken_back_once(bench: Bench) -> None:
    before = picture(bench.folder)
    assert isinstance(bench.action.perform(bench.stage.context()), Done)
    assert picture(bench.folder) != before
    undo(bench)
    assert picture(bench.folder) == before
    assert isinstance(bench.action.inspect(bench.stage.context()), NotDone)
    undo(bench)
    assert picture(bench.folder) == before
    assert isinstance(bench.action.perform(bench.stage.context(key=AGAIN)), Done)


def test_all_attempts_of_a_run_are_taken_back(bench: Bench) -> None:
    before = picture(bench.folder)
    for key in (KEY, AGAIN):
        assert isinstance(bench.action.perform(bench.stage.context(key=key)), Done)
    undo(bench)
    assert picture(bench.folder) == before


def test_what_was_never_done_is_not_taken_back(bench: Bench) -> None:
    before = picture(bench.folder)
    undo(bench)
    assert picture(bench.folder) == before


def test_what_another_run_did_is_left_alone(bench: Bench) -> None:
    assert isinstance(bench.action.perform(bench.stage.context()), Done)
    done = picture(bench.folder)
    undo(bench, marker="another run")
    assert picture(bench.folder) == done


def test_the_fence_of_an_earlier_run_comes_back(tmp_path: Path) -> None:
    fence, stage = Fence(place=str(tmp_path), site="production"), Stage()
    assert isinstance(fence.perform(stage.context(marker="run-0")), Done)
    for key in (KEY, AGAIN):
        assert isinstance(fence.perform(stage.context(key=key)), Done)
    done = fence.undo(stage.context())
    assert isinstance(done, Done)
    assert "stays fenced" in done.summary
    standing = read_fence(tmp_path, "production")
    assert standing is not None
    assert (standing.marker, standing.before) == ("run-0", None)


def test_a_target_of_another_run_under_our_name_is_left_alone(tmp_path: Path) -> None:
    scrape = Scrape(targets=str(tmp_path), job="app", address="a:1", prometheus="")
    for content in (b'[{"labels":{"__meta_blackstart_run":"run.1"}}]', b"not ours"):
        (tmp_path / "app-run-1.json").write_bytes(content)
        assert isinstance(scrape.undo(Stage().context()), Done)
        assert (tmp_path / "app-run-1.json").read_bytes() == content


def creation(folder: Path) -> Create:
    return Create(place=str(folder), site="recovery", address="127.0.0.9", hub="")


def dead_site(folder: Path, marker: str) -> Path:
    """Leave what a run leaves that died before its site came up."""
    (folder / "keys").mkdir(parents=True)
    (folder / "marker.json").write_bytes(msgspec.json.encode(Marker(marker=marker, made_at="")))
    return folder


@pytest.mark.parametrize("name", ["recovery", ".recovery.new"])
def test_a_site_that_never_came_up_is_removed(tmp_path: Path, name: str) -> None:
    dead_site(tmp_path / name, MARKER)
    assert isinstance(creation(tmp_path).undo(Stage().context()), Done)
    assert list(tmp_path.iterdir()) == []
    assert isinstance(creation(tmp_path).undo(Stage().context()), Done)


def test_a_site_of_others_or_with_users_is_not_removed(tmp_path: Path) -> None:
    site = dead_site(tmp_path / "recovery", "another run")
    dead_site(tmp_path / ".recovery.new", "another run")
    before = picture(tmp_path)
    done = creation(tmp_path).undo(Stage().context())
    assert isinstance(done, Done)
    assert "left alone" in done.summary
    assert picture(tmp_path) == before
    (site / "served").write_text("since noon")
    refused = creation(tmp_path).undo(Stage().context(marker="another run"))
    assert isinstance(refused, Failed)
    assert "has served users" in refused.summary
    assert (site / "marker.json").exists()
