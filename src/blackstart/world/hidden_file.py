# SPDX-License-Identifier: Apache-2.0
"""A file that has no name in any folder and ends with this program: for handing over a secret.

It is made by memfd_create(2), readable by its owner only. A child of the same user opens it by the
path that this gives, for as long as the block lasts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hidden_file(content: str) -> Iterator[str]:
    """Yield a path at which the content can be read while the block lasts."""
    descriptor = os.memfd_create("blackstart", os.MFD_CLOEXEC)
    try:
        os.fchmod(descriptor, 0o600)
        rest = content.encode()
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)
