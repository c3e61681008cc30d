# SPDX-License-Identifier: Apache-2.0
"""Whoever hosts the old address has put his own page there: it says 404, and clients obey."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.injections._stray import answers_at_old_address

INJECTION = Injection(
    name="name-answers-404",
    what="until the cut-over the public name answers 404: device agents clear their configuration",
    expected=stops_at("secure_environment.unserved"),
    haunt=answers_at_old_address((443,), status=404, body="Not Found"),
)
