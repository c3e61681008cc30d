# SPDX-License-Identifier: Apache-2.0
"""SQL in a site of the run: by its socket as its own user, and by password over its own network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from blackstart.ports.action import Done, Failed, NotDone, Partial
from blackstart.ports.secrets import SecretRef
from blackstart.providers.sql import Execute, Expect
from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.sites import Site, create_site, destroy_site, inside, start_inside
from tests.provider_stage import MARKER, Stage

pytestmark = pytest.mark.platform

SECRET = SecretRef("secret:test/postgres")


@pytest.fixture
def site() -> Iterator[Site]:
    with TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        site = create_site(
            Path(name) / "sites",
            "recovery",
            address="10.70.0.20",
            marker=MARKER,
            purpose="test",
            hub=None,
            usr=None,
            nameserver=None,
            dies_with_us=True,
        )
        try:
            start_postgres(site)
            yield site
        finally:
            destroy_site(site)


def start_postgres(site: Site) -> None:
    data, socket = site.directory / "pg", site.directory / "pgsock"
    for folder in (data, socket):
        folder.mkdir()
        os.chown(folder, 61070, 61070)
    data.chmod(0o700)
    make = ["initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"]
    made = process.run(inside(site, make, user="postgres"), timeout_s=60)
    assert made.code == 0, made.err
    access = ["local all all peer", "host all all 127.0.0.1/32 scram-sha-256", ""]
    (data / "pg_hba.conf").write_text("\n".join(access))
    argv = ["postgres", "-D", str(data), "-c", f"unix_socket_directories={socket}"]
    start_inside(site, "postgres", argv, user="postgres", cwd=str(data))
    ready = inside(site, ["pg_isready", "-q", "-h", str(socket)], user="postgres")
    assert wait_until(lambda: process.run(ready, timeout_s=5).code == 0, timeout_s=20)


def test_both_ways_into_a_site_work_and_only_for_its_run(site: Site) -> None:
    stage = Stage(secrets={SECRET.name: "a-new-password"})
    place = str(site.directory.parent)
    text = "ALTER ROLE postgres PASSWORD :'word'; SELECT count(*) FROM pg_roles WHERE rolsuper"
    rotate = Execute(
        text=text,
        secrets={"word": SECRET},
        expected=1,
        place=place,
        site="recovery",
        database="postgres",
        user="postgres",
    )
    assert isinstance(rotate.inspect(stage.context()), NotDone)
    strange = rotate.perform(stage.context(marker="another run"))
    assert isinstance(strange, Failed)
    assert "not that of this run" in strange.summary
    done = rotate.perform(stage.context())
    assert isinstance(done, Done), done
    assert isinstance(rotate.inspect(stage.context()), Done)
    check = Expect(
        query="SELECT inet_server_addr()::text",
        equals="127.0.0.1/32",
        place=place,
        site="recovery",
        database="postgres",
        user="postgres",
        password=SECRET,
    )
    answer = check.check(stage.context())
    assert isinstance(answer, Done), answer
    stage.secrets[SECRET.name] = "wrong"
    assert isinstance(check.check(stage.context()), Failed)
    destroy_site(site)
    assert isinstance(rotate.inspect(stage.context()), Partial)
    assert isinstance(rotate.undo(stage.context()), Done)
