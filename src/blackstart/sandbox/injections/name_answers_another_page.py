# SPDX-License-Identifier: Apache-2.0
"""Whoever hosts the old address has put his own page there, with his own certificate."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.injections._stray import answers_at_old_address
from blackstart.sandbox.pki import make_pki

INJECTION = Injection(
    name="name-answers-another-page",
    what="until the cut-over the public name shows a page that is not ours",
    expected=stops_at("secure_environment.unserved"),
    haunt=answers_at_old_address(
        (443,),
        status=200,
        body="This domain is parked.",
        authority=lambda layout: make_pki(layout.root / "other-authority"),
    ),
)
