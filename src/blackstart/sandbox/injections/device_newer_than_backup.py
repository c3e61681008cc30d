# SPDX-License-Identifier: Apache-2.0
"""A device was registered after the restore point: the recovered platform does not know it."""

from __future__ import annotations

import sys
import threading

from blackstart.sandbox.device import CONFIGURATION, folder_of, saw_platform
from blackstart.sandbox.injection import Injection, degrades, living
from blackstart.sandbox.layout import OUTSIDE, PRODUCTION, Layout
from blackstart.sandbox.on_site import make_folder
from blackstart.world.sites import load_site, start_inside

_LOOK_EVERY_S = 0.1


def start_device(layout: Layout, stop: threading.Event) -> None:
    """Let the device ask for its state from the loss of production on."""
    while load_site(layout.sites, PRODUCTION) is not None:
        if stop.wait(_LOOK_EVERY_S):
            return
    folder = make_folder(folder_of(layout), "svc", 0o755)
    run = [sys.executable, "-m", "blackstart.sandbox.device", "--folder", str(folder)]
    command = [*run, "--ca", str(layout.pki / "ca.pem")]
    start_inside(living(layout, OUTSIDE), "device", command, user="svc")


def lost_configuration(layout: Layout) -> str:
    """Say whether the device cleared its configuration, or never got as far as to be tempted."""
    folder = folder_of(layout)
    if not (folder / CONFIGURATION).exists():
        return "its device cleared its configuration"
    return "" if saw_platform(folder) else "its device never reached the new site"


INJECTION = Injection(
    name="device-newer-than-backup",
    what="a device that was registered after the restore point asks the recovered platform for its "
    "state; told 401 or 404 it clears its configuration",
    expected=degrades("announce_recovery"),
    haunt=start_device,
    witness=lost_configuration,
)
