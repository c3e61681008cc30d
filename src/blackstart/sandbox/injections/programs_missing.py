# SPDX-License-Identifier: Apache-2.0
"""This machine lacks the programs that a drill calls: it has to say so before anything is made."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, refuses

INJECTION = Injection(
    name="programs-missing",
    what="the machine that drills finds none of the programs it needs",
    expected=refuses(8),
    environment={"PATH": "/nonexistent"},
)
