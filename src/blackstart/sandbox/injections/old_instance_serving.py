# SPDX-License-Identifier: Apache-2.0
"""An instance survived the loss of the platform on another host, and goes on serving old data."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.injections._stray import answers_at_old_address

INJECTION = Injection(
    name="old-instance-serving",
    what="an old instance goes on serving at the lost site's address after the site was fenced",
    expected=stops_at("secure_environment.unserved"),
    haunt=answers_at_old_address((12080, 12081), status=200, body="hello"),
)
