# SPDX-License-Identifier: Apache-2.0
"""Secrets: named by reference everywhere, revealed at the last moment only."""

from __future__ import annotations

from typing import Protocol

PREFIX = "secret:"


class SecretRef:
    """The name of a secret: `secret:file/PATH`, `secret:env/NAME`, `secret:run/RUN/NAME` (sealed).

    Not a dataclass on purpose: decoders must come to `blackstart` to make one from text.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """Keep the reference ("" names none). Raises ValueError for a text that is no reference:
        it may be the secret itself."""
        if name and not name.startswith(PREFIX):
            raise ValueError("a secret is named by a reference such as secret:file/PATH")
        self.name = name

    def __str__(self) -> str:
        """Return the reference, which is safe to show."""
        return self.name

    def __repr__(self) -> str:
        """Return the reference, which is safe to show."""
        return f"SecretRef({self.name!r})"

    def __eq__(self, other: object) -> bool:
        """Two references are equal when they name the same secret."""
        return isinstance(other, SecretRef) and other.name == self.name

    def __hash__(self) -> int:
        """Hash by name."""
        return hash(self.name)


class SecretBox(Protocol):
    """The sealed store of the secrets that a run creates."""

    def put(self, run: str, name: str, value: str) -> SecretRef:
        """Seal the value durably and return its reference. The same name again replaces nothing:
        the first value stays and its reference is returned."""
        ...

    def reveal(self, ref: SecretRef) -> str:
        """Return the value. Raises Unready when the reference names nothing that can be read."""
        ...
