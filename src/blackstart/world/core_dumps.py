# SPDX-License-Identifier: Apache-2.0
"""No copy of our memory on a disk when we crash: secrets are in it."""

from __future__ import annotations

import resource


def forbid_core_dumps() -> None:
    """Let neither this program nor those that it starts leave a core dump.

    One byte and not none: to a program that takes core dumps in by a pipe the kernel gives the
    whole memory whatever the limit is, unless it is one (core(5)).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
