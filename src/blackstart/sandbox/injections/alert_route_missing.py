# SPDX-License-Identifier: Apache-2.0
"""Alerts are raised and nobody hears them."""

from __future__ import annotations

from functools import partial

import httpx

from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, Layout, SandboxError
from blackstart.sandbox.metrics import ALERTMANAGER_PORT, route_alerts_to
from blackstart.world.namespaces import call_in_network


def drop_alerts(layout: Layout) -> None:
    """Send every alert to nobody."""
    route_alerts_to(layout, "nobody")
    url = f"http://{ADDRESSES[ELSEWHERE]}:{ALERTMANAGER_PORT}/-/reload"
    reload = partial(httpx.post, url, timeout=10, trust_env=False)
    answer = call_in_network(living(layout, ELSEWHERE), reload)
    if answer.status_code != httpx.codes.OK:
        raise SandboxError(f"Alertmanager did not reload: {answer.text}", "read its log")


INJECTION = Injection(
    name="alert-route-missing",
    what="Alertmanager sends every alert to nobody",
    expected=stops_at("verify_observability.alert"),
    inject=drop_alerts,
)
