# SPDX-License-Identifier: Apache-2.0
"""Removing runs side by side: nobody trips over what another one is removing."""

import threading
from pathlib import Path

from blackstart.sandbox.layout import new_run
from blackstart.sandbox.sweep import remove_run, remove_tree, sweep


def own_and_remove(cache: Path) -> None:
    with new_run(cache) as layout:
        for folder in range(20):
            (layout.root / f"d{folder}").mkdir()
            for name in range(20):
                (layout.root / f"d{folder}" / str(name)).touch()
        remove_run(layout.root)
        assert not layout.root.exists()


def test_a_sweep_never_takes_a_run_that_its_owner_is_removing(tmp_path: Path) -> None:
    stop = threading.Event()
    taken: list[str] = []
    troubles: list[OSError] = []

    def keep_sweeping() -> None:
        while not stop.is_set():
            try:
                taken.extend(sweep(tmp_path).removed)
            except OSError as trouble:
                troubles.append(trouble)

    sweepers = [threading.Thread(target=keep_sweeping) for _ in range(2)]
    own_and_remove(tmp_path)
    for sweeper in sweepers:
        sweeper.start()
    for _ in range(5):
        own_and_remove(tmp_path)
    stop.set()
    for sweeper in sweepers:
        sweeper.join()
    assert troubles == []
    assert taken == []
    assert list((tmp_path / "run").glob(".removing/*")) == []


def test_what_was_half_removed_is_removed_by_the_next(tmp_path: Path) -> None:
    half = tmp_path / "run" / ".removing" / "abc-1"
    half.mkdir(parents=True)
    (half / "left").touch()
    assert sweep(tmp_path).removed == ()
    assert not half.exists()


def test_two_may_remove_the_same_tree_at_once(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    for folder in range(100):
        (root / str(folder)).mkdir(parents=True)
        for name in range(50):
            (root / str(folder) / str(name)).touch()
    troubles: list[OSError] = []

    def remove() -> None:
        try:
            remove_tree(root)
        except OSError as trouble:
            troubles.append(trouble)

    both = [threading.Thread(target=remove) for _ in range(3)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert troubles == []
    assert not root.exists()
