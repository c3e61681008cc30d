# SPDX-License-Identifier: Apache-2.0
"""What the sandbox is built from is pinned, names no registry, and is built once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackstart.sandbox import debian, host, npm_tree
from blackstart.sandbox.layout import FLOWFUSE_VERSION, STACK_VERSION, cache_folder, new_run
from blackstart.sandbox.sweep import sweep

_LOCKS = Path(npm_tree.__file__).parent / "flowfuse"


def _lock(name: str) -> dict[str, dict[str, str]]:
    text = (_LOCKS / name / "package-lock.json").read_text()
    assert "resolved" not in text
    found: dict[str, dict[str, str]] = json.loads(text)["packages"]
    return found


@pytest.mark.parametrize("name", ["app", "stack"])
def test_every_package_is_pinned_by_its_digest_and_no_registry_is_named(name: str) -> None:
    packages_locked = {path: entry for path, entry in _lock(name).items() if path}

    bare = [
        path
        for path, entry in packages_locked.items()
        if not entry.get("integrity") and not entry.get("inBundle")
    ]
    assert packages_locked
    assert bare == []


def test_the_pinned_releases_are_those_that_the_sandbox_names() -> None:
    app, stack = _lock("app"), _lock("stack")

    assert app["node_modules/@flowfuse/flowfuse"]["version"] == FLOWFUSE_VERSION
    assert app["node_modules/@flowfuse/nr-launcher"]["version"] == FLOWFUSE_VERSION
    assert app["node_modules/bcrypt"]["version"].startswith("6."), "older ones need a compiler"
    assert stack["node_modules/node-red"]["version"] == STACK_VERSION


def test_a_key_is_stable_and_differs_between_parts() -> None:
    keys = {npm_tree.tree_key("app"), npm_tree.tree_key("stack"), debian.packages_key()}

    assert len(keys) == 3
    assert npm_tree.tree_key("app") == npm_tree.tree_key("app")


def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ("bash", "bash") not in host.missing_programs()

    monkeypatch.setenv("PATH", str(tmp_path))

    assert ("node", "nodejs") in host.missing_programs()


def test_the_cache_follows_the_user_and_is_closed_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    folder = cache_folder()

    assert folder == tmp_path / "blackstart"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_run_is_swept_only_when_its_owner_is_gone(tmp_path: Path) -> None:
    with new_run(tmp_path) as layout:
        owned = sweep(tmp_path)
        assert layout.root.is_dir()
    orphaned = sweep(tmp_path)

    assert (owned.alive, owned.removed) == ((layout.root.name,), ())
    assert orphaned.removed == (layout.root.name,)
    assert not layout.root.exists()


def test_nothing_to_sweep_is_no_error(tmp_path: Path) -> None:
    assert sweep(tmp_path).removed == ()
