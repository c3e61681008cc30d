# SPDX-License-Identifier: Apache-2.0
"""A probe of the damage says what it sees, and bad news is never a failure of the probe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blackstart.ports.action import Check, Done
from blackstart.ports.secrets import SecretRef
from blackstart.providers.damage import Backups, Outside, Site, Web
from blackstart.providers.manifest import COUNTED
from blackstart.sandbox.pki import make_pki
from tests.own_site import make_own_site
from tests.provider_stage import Stage

KEY = SecretRef("secret:test/key")


def conditions(check: Check) -> dict[str, str]:
    """Return subject → condition."""
    stage = Stage(secrets={KEY.name: "k"})
    done = check.check(stage.context())
    assert isinstance(done, Done), done
    assert done.outputs["lost"] == [
        one.subject for one in done.sightings if one.condition == "lost"
    ]
    assert len(stage.evidence) == 1
    assert all(one.seen for one in done.sightings)
    return {one.subject: one.condition for one in done.sightings}


def manifest(folder: Path, rows: int = 1) -> str:
    """Write a manifest with an instance that ran on a closed port and one that was suspended."""
    probes = [{"path": "/", "sha256": "0" * 64}]
    common = {"team": "A", "url": "https://127.0.0.1:1/", "probes": probes}
    instances = [
        {"id": "1", "name": "one", "state": "running", **common},
        {"id": "2", "name": "two", "state": "suspended", **common},
    ]
    content: dict[str, object] = {
        "taken_at": "2026-01-01T00:00:00Z",
        "users": 1,
        "teams": 1,
        "instances": instances,
    }
    content["rows"] = dict.fromkeys(COUNTED[: len(COUNTED) * rows], 1)
    path = folder / "manifest.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_a_site_that_is_gone_is_lost(tmp_path: Path) -> None:
    seen = conditions(Site(place=str(tmp_path), site="production"))
    assert seen == {"host": "lost", "database": "lost", "program": "lost"}


def test_files_without_a_server_are_a_degraded_database(tmp_path: Path) -> None:
    (tmp_path / "production" / "pg").mkdir(parents=True)
    (tmp_path / "production" / "pg" / "PG_VERSION").write_text("15\n")
    seen = conditions(Site(place=str(tmp_path), site="production"))
    assert seen["database"] == "degraded"
    assert seen["host"] == "lost"


def test_nobody_who_answers_is_lost_and_what_was_suspended_is_unknown(tmp_path: Path) -> None:
    make_pki(tmp_path)
    check = Outside(
        public_name="127.0.0.1",
        ca_certificate=str(tmp_path / "ca.pem"),
        manifest=manifest(tmp_path),
    )
    assert conditions(check) == {
        "name": "intact",
        "tls": "lost",
        "platform": "lost",
        "instance one": "lost",
        "instance two": "unknown",
    }


def test_a_web_application_that_does_not_answer_is_lost(tmp_path: Path) -> None:
    make_pki(tmp_path)
    ca = str(tmp_path / "ca.pem")
    here = conditions(Web(public_name="127.0.0.1", ca_certificate=ca, page="/up"))
    assert here == {"name": "intact", "tls": "lost", "application": "lost"}


def test_the_program_to_look_for_can_be_any(tmp_path: Path) -> None:
    directory = make_own_site(tmp_path)
    own = Path("/proc/self/comm").read_text().strip()
    there = Site(place=str(tmp_path), site=directory.name, program=own)
    assert conditions(there)["program"] == "intact"
    away = Site(place=str(tmp_path), site=directory.name, program="kinto")
    assert conditions(away)["program"] == "lost"
    assert conditions(Site(place=str(tmp_path), site=directory.name))["program"] == "lost"


def test_a_manifest_of_tables_is_told_by_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"taken_at": "2026-01-31T03:00:00Z", "rows": {"orders": 3, "users": 4}}')
    check = Backups(repository=str(tmp_path), repository_key=KEY, stanza="main", manifest=str(path))
    done = check.check(Stage(secrets={KEY.name: "k"}).context())
    assert isinstance(done, Done)
    seen = {one.subject: one.seen for one in done.sightings}
    assert seen["manifest"].endswith("7 rows, 2 tables")


@pytest.mark.parametrize("packages", ["", "/nowhere"])
def test_backups_that_cannot_be_asked_are_lost(tmp_path: Path, packages: str) -> None:
    (tmp_path / "wal").mkdir()
    (tmp_path / "wal" / f"{4:024X}.partial").touch()
    check = Backups(
        repository=str(tmp_path / "repo"),
        repository_key=KEY,
        stanza="main",
        received_wal=str(tmp_path / "wal"),
        packages=packages,
        manifest=manifest(tmp_path),
    )
    assert conditions(check) == {
        "repository": "lost",
        "received WAL": "intact",
        "manifest": "intact",
    }


def test_a_manifest_that_proves_too_little_is_degraded(tmp_path: Path) -> None:
    check = Backups(
        repository=str(tmp_path),
        repository_key=KEY,
        stanza="main",
        packages="/nowhere",
        manifest=manifest(tmp_path, rows=0),
    )
    assert conditions(check)["manifest"] == "degraded"


def test_a_missing_manifest_and_missing_wal_are_lost(tmp_path: Path) -> None:
    check = Backups(
        repository=str(tmp_path), repository_key=KEY, stanza="main", packages="/nowhere"
    )
    seen = conditions(check)
    assert (seen["received WAL"], seen["manifest"]) == ("lost", "lost")
