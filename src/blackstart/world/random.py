# SPDX-License-Identifier: Apache-2.0
"""Randomness, from the operating system."""

from __future__ import annotations

import secrets


def token(length_bytes: int = 24) -> str:
    """Return an unguessable text, safe in URLs and files."""
    return secrets.token_urlsafe(length_bytes)


def nonce(length_bytes: int = 8) -> str:
    """Return a short unique text in hexadecimal."""
    return secrets.token_hex(length_bytes)
