# SPDX-License-Identifier: Apache-2.0
"""One suite for every place where a mirror can lie, faults included."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from blackstart.model.errors import MirrorFailed
from blackstart.ports.depot import Depot
from blackstart.world.depot_folder import FolderDepot
from tests.s3_server import S3Server, Trouble, s3_server, troubled

KINDS = ("folder", "s3")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(params=KINDS)
def depot(request: pytest.FixtureRequest, tmp_path: Path) -> Depot:
    if request.param == "folder":
        return FolderDepot(tmp_path)
    server: S3Server = request.getfixturevalue("server")
    return server.depot(tmp_path.name)


def test_what_was_put_is_fetched(depot: Depot) -> None:
    content = os.urandom(300_000)
    depot.put("a/b/one", content)
    assert depot.put_new("a/two", b"")
    assert depot.fetch("a/b/one") == content
    assert depot.fetch("a/two") == b""
    assert depot.fetch("a/three") is None
    assert depot.fetch("none/at/all") is None


def test_a_new_object_never_takes_the_place_of_another(depot: Depot) -> None:
    assert depot.put_new("log/1", b"first")
    assert not depot.put_new("log/1", b"second")
    assert depot.fetch("log/1") == b"first"
    depot.put("log/1", b"third")
    assert depot.fetch("log/1") == b"third"


def test_of_many_that_make_an_object_at_once_one_is_told_that_it_did(depot: Depot) -> None:
    told: list[tuple[bool, bytes]] = []
    gate = threading.Barrier(8)

    def make(content: bytes) -> None:
        gate.wait()
        told.append((depot.put_new("log/7", content), content))

    threads = [threading.Thread(target=make, args=(b"%d" % n * 5000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [content for was_stored, content in told if was_stored]
    assert depot.fetch("log/7") == winner


def test_keys_are_listed_below_a_folder_sorted_and_nothing_else(depot: Depot) -> None:
    for key in ("log/2/b", "log/1", "log/2/a", "logbook/9", "other"):
        depot.put(key, b"x")
    assert depot.keys("log") == ("log/1", "log/2/a", "log/2/b")
    assert depot.keys("log/2") == ("log/2/a", "log/2/b")
    depot.put("empty/x", b"x")
    depot.remove("empty/x")
    assert depot.keys("empty") == ()


def test_what_is_removed_is_gone_and_removing_twice_is_no_fault(depot: Depot) -> None:
    depot.put("pages/1", b"x")
    depot.remove("pages/1")
    depot.remove("pages/1")
    assert depot.fetch("pages/1") is None
    assert depot.put_new("pages/1", b"y")


def test_more_objects_than_s3_lists_at_once_are_all_listed(
    server: S3Server, tmp_path: Path
) -> None:
    depot = server.depot(tmp_path.name)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda n: depot.put_new(f"log/{n:06}", b"x"), range(1100)))
    assert len(depot.keys("log")) == 1100


def test_the_name_says_where_it_is_and_holds_no_secret(depot: Depot) -> None:
    assert depot.name.startswith(("dir:/", "s3://mirrors/"))
    assert "only-for-tests" not in depot.name


# Faults of a folder


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    absent = FolderDepot(tmp_path / "mount")
    calls: tuple[Callable[[], object], ...] = (
        lambda: absent.put("a", b"x"),
        lambda: absent.put_new("a", b"x"),
        lambda: absent.fetch("a"),
        lambda: absent.keys("log"),
        lambda: absent.remove("a"),
    )
    for call in calls:
        with pytest.raises(MirrorFailed, match="the folder is not there") as caught:
            call()
        assert "Mount it" in caught.value.hint
    assert not (tmp_path / "mount").exists()


_WRITE = """
import sys
from pathlib import Path
from blackstart.world.depot_folder import FolderDepot
from blackstart.model.errors import MirrorFailed
try:
    FolderDepot(Path(sys.argv[1])).put_new("log/2", b"x" * 100_000)
except MirrorFailed as error:
    print(error)
"""


def test_a_place_that_cannot_grow_is_said_and_keeps_no_half_of_an_object(tmp_path: Path) -> None:
    depot = FolderDepot(tmp_path)
    depot.put("log/1", b"whole")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    argv = [sys.executable, "-c", _WRITE, str(tmp_path)]
    done = subprocess.run(argv, preexec_fn=limit, capture_output=True, text=True, check=True)
    assert f"The mirror dir:{tmp_path} fails: file too large." in done.stdout
    assert depot.keys("log") == ("log/1",)
    assert not list((tmp_path / ".new").iterdir())


@pytest.mark.platform
def test_a_full_or_read_only_place_is_said(tmp_path: Path) -> None:
    script = (
        'mount -t tmpfs -o size=40k none "$1" && "$2" -c "$3" "$1";'
        'mount -o remount,ro none "$1" && "$2" -c "$3" "$1"'
    )
    argv = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, _WRITE]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "fails: no space left on device" in done.stdout
    assert "fails: read-only file system" in done.stdout


def test_what_a_death_left_half_written_has_no_name(tmp_path: Path) -> None:
    die = "import os\nos.fsync = lambda _: os.kill(os.getpid(), 9)\n"
    done = subprocess.run([sys.executable, "-c", die + _WRITE, str(tmp_path)], check=False)
    assert done.returncode == -9
    depot = FolderDepot(tmp_path)
    assert depot.keys("log") == ()
    assert depot.put_new("log/2", b"whole")


# Faults of an S3 server


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("full", "the server says InsufficientStorage"),
        ("denied", "the server says AccessDenied"),
        ("slow down", "the server says SlowDown"),
        ("silent", "the server does not answer in time"),
        ("lost", "the server cannot be reached"),
        ("cut", "fails: "),
    ],
)
def test_a_server_that_fails_is_said_and_used_again_when_it_is_well(
    server: S3Server, tmp_path: Path, kind: str, told: str
) -> None:
    trouble = Trouble()
    with troubled(server, trouble) as front:
        depot = front.depot(tmp_path.name, answer_limit=timedelta(seconds=0.7))
        assert depot.put_new("log/1", b"whole" * 100)
        trouble.kind = kind

        def use() -> object:
            return depot.fetch("log/1") if kind == "cut" else depot.put_new("log/2", b"x")

        with pytest.raises(MirrorFailed, match=told) as caught:
            use()
        assert "only-for-tests" not in str(caught.value)
        trouble.kind = ""
        trouble.released.set()
        assert depot.fetch("log/1") == b"whole" * 100
        assert depot.put_new("log/2", b"y") is (kind != "lost")  # that one was stored, unseen


def test_a_server_that_is_gone_or_refuses_the_key_is_said(server: S3Server) -> None:
    gone = S3Server(port=1).depot("x")
    with pytest.raises(MirrorFailed, match="the server cannot be reached"):
        gone.fetch("log/1")
    stranger = server.depot("x", secret_key="wrong")
    with pytest.raises(MirrorFailed, match="fails: the server says SignatureDoesNotMatch"):
        stranger.put("log/1", b"x")
