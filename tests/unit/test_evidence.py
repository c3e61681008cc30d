# SPDX-License-Identifier: Apache-2.0
"""Artefacts are named by their bytes, kept once, and a changed one is never handed out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from blackstart.model.errors import WorldFailed
from blackstart.ports.journal import EvidenceStore
from blackstart.store.evidence import open_evidence
from blackstart.world.files import locked


@pytest.fixture
def store(tmp_path: Path) -> EvidenceStore:
    return open_evidence(tmp_path / "home" / "evidence")


def stored_file(tmp_path: Path, digest: str) -> Path:
    return tmp_path / "home" / "evidence" / digest[:2] / digest


def test_what_was_kept_comes_back_under_its_hash_and_name(store: EvidenceStore) -> None:
    digest = store.keep("listeners.txt", b"tcp 443\n")
    assert digest == sha256(b"tcp 443\n").hexdigest()
    assert store.fetch(digest) == b"tcp 443\n"
    assert store.name_of(digest) == "listeners.txt"
    assert store.fetch(store.keep("empty", b"")) == b""


def test_the_same_content_is_kept_once_under_its_first_name(
    store: EvidenceStore, tmp_path: Path
) -> None:
    digest = store.keep("first", b"same")
    written_at = stored_file(tmp_path, digest).stat().st_mtime_ns
    assert store.keep("second", b"same") == digest
    assert store.name_of(digest) == "first"
    assert stored_file(tmp_path, digest).stat().st_mtime_ns == written_at


def test_files_and_folders_are_for_their_owner_only(store: EvidenceStore, tmp_path: Path) -> None:
    path = stored_file(tmp_path, store.keep("x", b"secret-looking"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_suffix(".name").stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


def test_an_altered_artefact_is_refused_and_keeping_it_again_repairs_it(
    store: EvidenceStore, tmp_path: Path
) -> None:
    digest = store.keep("x", b"as it was")
    stored_file(tmp_path, digest).write_bytes(b"as it would be nicer")
    with pytest.raises(WorldFailed, match=f"{digest} was altered"):
        store.fetch(digest)
    assert store.keep("x", b"as it was") == digest
    assert store.fetch(digest) == b"as it was"


@pytest.mark.parametrize("digest", ["0" * 64, "", "../../etc/passwd", "A" * 64, "0" * 63 + "\n"])
def test_what_is_not_there_is_said(store: EvidenceStore, digest: str) -> None:
    for ask in (store.fetch, store.name_of):
        with pytest.raises(WorldFailed) as caught:
            ask(digest)
        assert caught.value.hint


def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file in the way")
    with pytest.raises(WorldFailed, match="'x' could not be kept"):
        open_evidence(tmp_path / "evidence").keep("x", b"content")


def test_many_may_keep_the_same_at_once(store: EvidenceStore) -> None:
    digests: list[str] = []
    threads = [
        threading.Thread(target=lambda: digests.append(store.keep("x", b"same" * 10_000)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(digests) == 8
    assert len(set(digests)) == 1
    assert store.fetch(digests[0]) == b"same" * 10_000


def test_many_that_keep_the_same_at_once_do_not_wait_for_one_another(tmp_path: Path) -> None:
    store = open_evidence(tmp_path)
    contents = [f"artefact {number}".encode() for number in range(5)] * 20
    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(lambda content: store.keep("a.txt", content), contents))
    assert {store.fetch(digest) for digest in digests} == set(contents)
    assert [path for path in tmp_path.rglob("*") if "new" in path.name or "lock" in path.name] == []


def test_a_lock_that_a_stopped_program_keeps_is_told_and_not_waited_for(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    told = r"maybe a stopped one, holds .*lock: see `fuser"
    with locked(lock), pytest.raises(TimeoutError, match=told), locked(lock, at_most_s=0.05):
        raise AssertionError("two hold it")
    with locked(lock, at_most_s=0.05) as is_held:
        assert is_held
