# SPDX-License-Identifier: Apache-2.0
"""The certificate was replaced by an old one, found on a disk."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.injections._renewal import renews
from blackstart.sandbox.layout import PUBLIC_NAME
from blackstart.sandbox.pki import make_pki

INJECTION = Injection(
    name="certificate-expired",
    what="after the first security check the front's certificate is replaced by one that expired",
    expected=stops_at("update_dns.admit"),
    haunt=renews(lambda layout: (make_pki(layout.pki), PUBLIC_NAME, -1)),
)
