# SPDX-License-Identifier: Apache-2.0
"""What an undo has to know first: who made a repository, and whether users wrote already."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from blackstart.providers.front_writes import WRITES_LOG, read_writes
from blackstart.providers.pgbackrest_ownership import claim_repository, release_repository
from tests.provider_stage import KEY, Stage

NEEDS_ROOT = "a repository belongs to the site's own user postgres, which only root can arrange"


def line(at_s: float, status: int, address: str = "10.70.0.40") -> str:
    return json.dumps({"ts": at_s, "status": status, "request": {"remote_ip": address}})


def test_only_accepted_writes_of_others_count(tmp_path: Path) -> None:
    assert read_writes(str(tmp_path)).count == 0
    log = tmp_path / WRITES_LOG
    log.write_text("\n".join([line(1.0, 403), line(2.0, 200, "127.0.0.1"), "{half"]))
    assert read_writes(str(tmp_path)).count == 0
    log.write_text("\n".join([line(9.0, 200), line(8.5, 302), line(1.0, 503)]))
    writes = read_writes(str(tmp_path))
    assert (writes.count, writes.first_at) == (2, "1970-01-01T00:00:08.500+00:00")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    assert os.geteuid() == 0, NEEDS_ROOT
    return tmp_path / "repo"


def fill(repository: Path, stanza: str) -> None:
    for part in ("backup", "archive"):
        (repository / part / stanza).mkdir(parents=True)
        (repository / part / stanza / "some.info").write_text("x")


def test_a_repository_of_this_run_goes_as_a_whole(repository: Path) -> None:
    context = Stage().context()
    claim_repository(repository, context)
    fill(repository, "flowfuse")
    claim_repository(repository, Stage().context(key=KEY + "2"))
    assert release_repository(repository, "flowfuse", context)
    assert not repository.exists()
    assert not release_repository(repository, "flowfuse", context)


def test_what_else_is_in_a_repository_stays(repository: Path) -> None:
    context = Stage().context()
    claim_repository(repository, context)
    fill(repository, "flowfuse")
    fill(repository, "other")
    assert release_repository(repository, "flowfuse", context)
    assert (repository / "backup" / "other" / "some.info").exists()
    assert not (repository / "backup" / "flowfuse").exists()


def test_a_repository_that_was_there_before_stays(repository: Path) -> None:
    fill(repository, "flowfuse")
    context = Stage().context()
    claim_repository(repository, context)
    assert not release_repository(repository, "flowfuse", context)
    claim_repository(repository.with_name("theirs"), Stage().context(marker="another run"))
    assert not release_repository(repository.with_name("theirs"), "flowfuse", context)
    assert repository.with_name("theirs").exists()
    assert (repository / "backup" / "flowfuse" / "some.info").exists()
