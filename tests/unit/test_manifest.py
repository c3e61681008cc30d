# SPDX-License-Identifier: Apache-2.0
"""No check passes on an empty expectation: a manifest that could prove nothing is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import Check, Failed
from blackstart.ports.secrets import SecretRef
from blackstart.providers.flowfuse_checks import ExpectCounts, ExpectFlows
from blackstart.providers.flowfuse_database import HeldInstance
from blackstart.providers.flowfuse_public import ExpectPublic
from blackstart.providers.flowfuse_waves import not_held
from blackstart.providers.manifest import COUNTED, read_manifest
from tests.provider_stage import Stage

LOGIN = SecretRef("secret:test/login")


def instance(name: str, **changes: Any) -> dict[str, Any]:
    probe = {"path": "/hello", "sha256": "0" * 64}
    url = "https://app.flowfuse.test:12080/"
    whole = {"id": name, "name": name, "team": "A", "state": "running", "url": url}
    return {**whole, "probes": [probe], **changes}


def written(folder: Path, **changes: Any) -> str:
    """Write a whole manifest with these changes and return its path."""
    whole = {
        "taken_at": "2026-11-23T03:00:00Z",
        "users": 5,
        "teams": 2,
        "instances": [instance("greenhouse"), instance("packing-line")],
        "rows": dict.fromkeys(COUNTED, 2),
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps({**whole, **changes}))
    return str(path)


def test_a_whole_manifest_is_read(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path))
    assert manifest.pages == 2
    suspended = instance("old", state="suspended", probes=[])
    manifest = read_manifest(written(tmp_path, instances=[instance("greenhouse"), suspended]))
    assert [one.name for one in manifest.ran] == ["greenhouse"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": {}}, "it counts no rows of Users; it counts no rows of Teams"),
        ({"rows": {**dict.fromkeys(COUNTED, 2), "Users": 0}}, "it counts no users"),
        ({"instances": [instance("mute", probes=[])]}, "no page to ask of mute"),
        ({"instances": [instance("odd", state="starting", probes=[])]}, "no page to ask of odd"),
    ],
    ids=["no-rows", "no-users", "no-probes", "another-state"],
)
def test_a_manifest_that_proves_too_little_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = written(tmp_path, **changes)
    with pytest.raises(WorldFailed, match=words):
        read_manifest(path)
    check = ExpectCounts(place=str(tmp_path), site="recovery", manifest=path)
    outcome = check.check(Stage().context())
    assert isinstance(outcome, Failed)


@pytest.mark.parametrize("instances", [[], [instance("old", state="suspended")]])
def test_nothing_to_ask_is_no_proof(tmp_path: Path, instances: list[dict[str, Any]]) -> None:
    path = written(tmp_path, instances=instances)
    checks: tuple[Check, ...] = (
        ExpectFlows(place=str(tmp_path), site="recovery", manifest=path),
        ExpectPublic(
            public_name="localhost",
            address="127.0.0.1",
            ca_certificate="/none",
            manifest=path,
            login=LOGIN,
        ),
    )
    for check in checks:
        outcome = check.check(Stage(secrets={LOGIN.name: "a:b"}).context())
        assert isinstance(outcome, Failed)
        assert "names no instance that ran" in outcome.summary


def test_a_look_from_outside_that_is_ended_before_it_saw_anything_proves_nothing(
    tmp_path: Path,
) -> None:
    stage = Stage(secrets={LOGIN.name: "a:b"}, is_cancelled=True)
    check = ExpectPublic(
        public_name="localhost",
        address="127.0.0.2",
        ca_certificate="/none",
        manifest=written(tmp_path),
        login=LOGIN,
    )
    assert isinstance(check.check(stage.context()), Failed)


def held(name: str) -> HeldInstance:
    return HeldInstance(id=name, name=name, team="A", state="suspended", port=12080)


def test_what_is_started_is_compared_with_the_manifest(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path))
    both = (held("greenhouse"), held("packing-line"))
    assert not_held(both, manifest) == ""
    assert not_held((*both, held("new-since")), manifest) == ""
    lacking = not_held(both[:1], manifest)
    assert lacking.startswith("1 instances were held back, the manifest has 2 that ran")
    assert lacking.endswith("lacking: packing-line")
    nothing = read_manifest(written(tmp_path, instances=[]))
    assert "none to start" in not_held((), nothing)
