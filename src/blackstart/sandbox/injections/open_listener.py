# SPDX-License-Identifier: Apache-2.0
"""An intruder on the new site, after the first security check has passed."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.open_listener import keep_listener_open

INJECTION = Injection(
    name="open-listener",
    what="a strange program listens on all addresses of the new site, "
    "and the firewall is opened for it, after the first security check has passed",
    expected=stops_at("verify_observability.listeners"),
    haunt=keep_listener_open,
)
