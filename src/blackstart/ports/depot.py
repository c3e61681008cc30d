# SPDX-License-Identifier: Apache-2.0
"""Where a mirror lies: named objects, each written whole or not at all.

That is all a mirror asks for, so that a folder and an S3 bucket will do alike. Keys are relative
paths in ASCII, parts separated by `/`.
"""

from __future__ import annotations

from typing import Protocol

BY_ITSELF = "then it goes on by itself."  # how a remedy ends, for a mirror that is kept already


class Depot(Protocol):
    """A place for objects. Each method raises MirrorFailed when the place does not do its part."""

    @property
    def name(self) -> str:
        """The place as people know it; holds no secret."""
        ...

    def put_new(self, key: str, content: bytes) -> bool:
        """Store the object durably unless there is one of that name; say whether it was stored.

        Of several that try at once, one is told True.
        """
        ...

    def put(self, key: str, content: bytes) -> None:
        """Store the object durably, in place of one of that name."""
        ...

    def fetch(self, key: str) -> bytes | None:
        """Return the object, None when there is none of that name."""
        ...

    def keys(self, folder: str) -> tuple[str, ...]:
        """Return the keys of all objects below `folder`, in the order of their bytes."""
        ...

    def remove(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there."""
        ...
