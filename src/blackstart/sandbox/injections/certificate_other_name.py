# SPDX-License-Identifier: Apache-2.0
"""The certificate was replaced by that of another service."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.injections._renewal import renews
from blackstart.sandbox.pki import make_pki

INJECTION = Injection(
    name="certificate-other-name",
    what="after the first security check the front's certificate is replaced by that of another "
    "name",
    expected=stops_at("update_dns.admit"),
    haunt=renews(lambda layout: (make_pki(layout.pki), "shop.flowfuse.test", 30)),
)
