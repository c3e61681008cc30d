# SPDX-License-Identifier: Apache-2.0
"""Taking back what needs a living site: the site itself, and a front that was opened.

A web server stands for the platform; users come from a site of their own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackstart.ports.action import Action, Context, Done, Failed, NotDone, Undoable
from blackstart.ports.secrets import SecretRef
from blackstart.providers.front import Admit, Hold
from blackstart.providers.front_writes import read_writes
from blackstart.providers.site import Create
from blackstart.providers.tls import Issue
from blackstart.sandbox.pki import make_pki
from blackstart.world.clock import wait_until
from blackstart.world.http import FetchFailed, fetch
from blackstart.world.sites import Site, create_site, destroy_site, load_site, start_inside
from tests.provider_stage import KEY, MARKER, Stage

pytestmark = pytest.mark.platform

NAME, ADDRESS, CA_KEY = "app.flowfuse.test", "10.70.0.20", SecretRef("secret:test/ca")
PLATFORM = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_POST = do_GET
HTTPServer(("127.0.0.1", 3000), Page).serve_forever()
"""


class World:
    """A hub from which users look, and a site made by the run."""

    def __init__(self, folder: Path, hub: Site) -> None:
        self.place, self.hub = folder / "sites", hub
        make_pki(folder / "pki")
        self.ca = folder / "pki" / "ca.pem"
        self.stage = Stage(secrets={CA_KEY.name: (folder / "pki" / "ca.key").read_text()})
        self.create = Create(place=str(self.place), site="recovery", address=ADDRESS, hub="hub")
        self.front = str(self.place / "recovery" / "front")

    def open_front(self) -> Admit:
        """Make the site with its certificate and platform, hold, and let users in."""
        self.done(self.create)
        self.done(
            Issue(
                ca_certificate=str(self.ca),
                ca_key=CA_KEY,
                names=(NAME,),
                addresses=(ADDRESS,),
                into=self.front,
            )
        )
        site = load_site(self.place, "recovery")
        assert site is not None
        start_inside(site, "platform", [sys.executable, "-c", PLATFORM], user="flowfuse")
        place = str(self.place)
        self.done(Hold(place=place, site="recovery", public_name=NAME, directory=self.front))
        assert self.ask("GET") == 503
        admit = Admit(place=place, site="recovery", public_name=NAME, directory=self.front)
        assert wait_until(lambda: isinstance(admit.perform(self.context()), Done), timeout_s=10)
        return admit

    def ask(self, method: str) -> int:
        """Return what a user is answered, 0 when nobody answers."""
        try:
            return fetch(
                f"https://{NAME}/",
                method=method,
                connect_to=ADDRESS,
                ca=self.ca,
                netns_pid=self.hub.init_pid,
            ).status
        except FetchFailed:
            return 0

    def context(self, *, key: str = KEY, marker: str = MARKER) -> Context:
        return self.stage.context(key=key, marker=marker)

    def done(self, action: Action) -> Done:
        outcome = action.perform(self.context())
        assert isinstance(outcome, Done), outcome
        return outcome

    def undone(self, action: Undoable) -> Done:
        outcome = action.undo(self.context(key=KEY + "9"))
        assert isinstance(outcome, Done), outcome
        return outcome


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    tmp_path.chmod(0o711)
    hub = create_site(
        tmp_path / "sites",
        "hub",
        address="10.70.0.40",
        marker=MARKER,
        purpose="test",
        hub=None,
        usr=None,
        nameserver=None,
        dies_with_us=True,
    )
    world = World(tmp_path, hub)
    try:
        yield world
    finally:
        made = load_site(world.place, "recovery")
        for site in (made, hub):
            if site is not None:
                destroy_site(site)


def test_a_site_is_taken_back_with_all_in_it(world: World) -> None:
    world.undone(world.create)  # never made
    world.done(world.create)
    strange = world.create.undo(world.context(marker="another run"))
    assert isinstance(strange, Done)
    assert load_site(world.place, "recovery") is not None
    world.undone(world.create)
    assert not (world.place / "recovery").exists()
    assert isinstance(world.create.inspect(world.context()), NotDone)
    world.undone(world.create)
    world.done(world.create)


def test_a_front_that_nobody_wrote_to_closes_and_its_site_can_go(world: World) -> None:
    admit = world.open_front()
    assert world.ask("GET") == 200
    assert read_writes(world.front).count == 0
    world.undone(admit)
    assert world.ask("GET") == 503
    assert isinstance(admit.inspect(world.context()), NotDone)
    world.undone(admit)
    world.undone(world.create)
    assert not (world.place / "recovery").exists()
    world.undone(admit)


def test_a_front_that_took_a_write_closes_and_its_site_stays(world: World) -> None:
    admit = world.open_front()
    assert world.ask("POST") == 200
    assert wait_until(lambda: read_writes(world.front).count == 1, timeout_s=5)
    assert "1 requests that may have written" in world.undone(admit).summary
    assert world.ask("POST") == 503
    refused = world.create.undo(world.context())
    assert isinstance(refused, Failed)
    assert "has served users" in refused.summary
