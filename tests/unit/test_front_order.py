# SPDX-License-Identifier: Apache-2.0
"""What the front does first with a request, read from the routes that Caddy makes of our text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from blackstart.providers.front_texts import admit_text

NAME = "app.example.com"
CADDY = Path(sys.prefix) / "bin" / "caddy"


def routes_of(folder: Path, **more: Any) -> list[list[str]]:
    """Return the paths of each route for the public name, in the order of their turn."""
    text = admit_text(NAME, str(folder), "127.0.0.1:3000", "12080-12099", "key", **more)
    (folder / "Caddyfile").write_text(text)
    argv = [str(CADDY), "adapt", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    done = subprocess.run(argv, check=True, capture_output=True, timeout=30)
    servers = json.loads(done.stdout)["apps"]["http"]["servers"].values()
    ours = [
        inner
        for server in servers
        for route in server["routes"]
        if route.get("match", [{}])[0].get("host") == [NAME]
        for inner in route["handle"][0]["routes"]
        if "group" in inner  # those of which only the first that fits is taken
    ]
    return [inner.get("match", [{}])[0].get("path", []) for inner in ours]


def test_private_paths_come_before_what_passes_everything_on(tmp_path: Path) -> None:
    devices = "/api/v1/devices/*/live/*"
    assert routes_of(tmp_path, device_paths=(devices,))[:3] == [
        ["/metrics", "/metrics/*"],
        [devices],
        [],
    ]


def test_without_private_paths_nothing_is_closed(tmp_path: Path) -> None:
    assert routes_of(tmp_path, private_paths=())[0] == []
