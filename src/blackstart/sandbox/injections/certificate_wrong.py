# SPDX-License-Identifier: Apache-2.0
"""The certificate was renewed by an authority that no client trusts."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.injections._renewal import renews
from blackstart.sandbox.layout import PUBLIC_NAME
from blackstart.sandbox.pki import make_pki

INJECTION = Injection(
    name="certificate-wrong",
    what="after the first security check the front's certificate is replaced by one of an "
    "authority that no client trusts",
    expected=stops_at("update_dns.certificate"),
    haunt=renews(lambda layout: (make_pki(layout.root / "other-authority"), PUBLIC_NAME, 30)),
)
