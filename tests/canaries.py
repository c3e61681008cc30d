# SPDX-License-Identifier: Apache-2.0
"""Secrets to be missed: known texts, and a search for each in whatever form it may have got out.

The search is written apart from the redaction of the product, so that both can be wrong only alone.
"""

from __future__ import annotations

import base64
import html
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

URL_SAFE = str.maketrans("+/", "-_")
ODD = "'\"/+&%=\\ä "  # what quoting, encoding and escaping change


def canary(name: str) -> str:
    """Return a secret that tells its origin, with everything in it that is written differently."""
    return f"Canary-{name}-{os.urandom(6).hex()}-{ODD}end"


def written(secret: str) -> list[str]:
    """Return the ways in which programs write a secret."""
    raw = secret.encode()
    encoded = [base64.b64encode(b"xy:"[:before] + raw).decode() for before in range(4)]
    return [*_plain_forms(secret), *encoded, *(one.translate(URL_SAFE) for one in encoded)]


def forms(secret: str) -> Iterator[bytes]:
    """Yield what of a secret there is in a text in which it stands, however it was written."""
    yield from (text.encode() for text in _plain_forms(secret))
    for before in range(3):
        middle = base64.b64encode(bytes(before) + secret.encode()).decode()[4:-4]
        yield middle.encode()  # what stands beside it changes its ends
        yield middle.translate(URL_SAFE).encode()


def _plain_forms(secret: str) -> list[str]:
    raw = secret.encode()
    texts = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        shlex.quote(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        raw.hex(),
    }
    return sorted(texts)


def leaks_in(content: bytes, secrets: Mapping[str, str]) -> list[str]:
    """Return the names of the secrets that stand in the content, also over the ends of lines."""
    joined = b"".join(content.replace(b"\\n", b"").split())
    return [
        name
        for name, secret in secrets.items()
        if any(form in content or b"".join(form.split()) in joined for form in forms(secret))
    ]


def leaks_below(folder: Path, secrets: Mapping[str, str]) -> list[str]:
    """Return each file below the folder that holds a secret, by content or by name."""
    found = []
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        named = str(path.relative_to(folder)).encode()
        found += [f"{path}: {name}" for name in leaks_in(named + b"\n" + content, secrets)]
    return found


def loose_modes(folder: Path) -> list[str]:
    """Return each file below the folder, and itself, that somebody else may read or write."""
    return [
        f"{path}: {path.lstat().st_mode & 0o777:o}"
        for path in (folder, *sorted(folder.rglob("*")))
        if path.lstat().st_mode & 0o077
    ]


def descendants(pid: int) -> list[int]:
    """Return the living programs that this one started, and those that they did."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def seen_of(pid: int, *, with_environment: bool = True) -> bytes:
    """Return what a list of processes shows of one: its words, and its environment."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return words + (Path(f"/proc/{pid}/environ").read_bytes() if with_environment else b"")
    except OSError:
        return b""
