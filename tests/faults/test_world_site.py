# SPDX-License-Identifier: Apache-2.0
"""The network to one site is cut and healed: said in time, and nothing has to be made anew."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from blackstart.world import process
from blackstart.world.clock import wait_until
from blackstart.world.http import FetchFailed, fetch
from blackstart.world.sites import Site, create_site, destroy_site, inside, start_inside

pytestmark = pytest.mark.platform
ADDRESSES = {"hub": "10.70.0.1", "guest": "10.70.0.2", "other": "10.70.0.3"}
PAGE = "import http.server as h; h.HTTPServer(('', 80), h.SimpleHTTPRequestHandler).serve_forever()"


def create(place: Path, name: str, hub: Site | None) -> Site:
    return create_site(
        place,
        name,
        address=ADDRESSES[name],
        marker="test",
        purpose="sandbox",
        hub=hub,
        usr=None,
        nameserver=None,
        dies_with_us=True,
    )


def status(hub: Site, name: str) -> int:
    return fetch(f"http://{ADDRESSES[name]}/", netns_pid=hub.init_pid, timeout_s=1).status


def cable(hub: Site, name: str, state: str) -> None:
    words = ["ip", "link", "set", "v" + ADDRESSES[name].replace(".", "")[-10:], state]
    done = process.run(inside(hub, words), timeout_s=10)
    assert done.code == 0, done.err


def test_one_site_is_cut_off_and_comes_back_while_the_others_go_on(tmp_path: Path) -> None:
    place = tmp_path / "run" / "sites"
    place.parent.mkdir(mode=0o711)
    with ExitStack() as ends:
        hub = create(place, "hub", None)
        ends.callback(destroy_site, hub)
        for name in ("guest", "other"):
            site = create(place, name, hub)
            ends.callback(destroy_site, site)
            start_inside(site, "web", [sys.executable, "-c", PAGE], user="root")

        def answers(name: str) -> bool:
            try:
                return status(hub, name) == 200
            except FetchFailed:
                return False

        assert wait_until(lambda: answers("guest") and answers("other"), timeout_s=30)
        cable(hub, "guest", "down")
        with pytest.raises(FetchFailed, match=r"timed out|No route|unreachable") as cut:
            status(hub, "guest")
        assert "whether a firewall or the name is in the way" in cut.value.hint
        assert answers("other")
        cable(hub, "guest", "up")
        assert wait_until(lambda: answers("guest"), timeout_s=30)
