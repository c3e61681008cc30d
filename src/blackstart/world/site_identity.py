# SPDX-License-Identifier: Apache-2.0
"""The users of a site, and the files of its own /etc that make it another host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

USERS: Mapping[str, int] = {
    "root": 0,
    "postgres": 61070,
    "flowfuse": 61080,
    "app": 61085,
    "svc": 61090,
}


def write_identity(etc: Path, nameserver: str | None, hosts: Mapping[str, str]) -> None:
    """Write the site's own users, groups and name resolution into a folder."""
    own = [(name, number) for name, number in USERS.items() if number]
    users = Path("/etc/passwd").read_text("utf-8", "replace").splitlines()
    groups = Path("/etc/group").read_text("utf-8", "replace").splitlines()
    taken = {name for name, _ in own}
    users = [line for line in users if line.split(":")[0] not in taken]
    groups = [line for line in groups if line.split(":")[0] not in taken]
    users += [f"{name}:x:{number}:{number}::/nonexistent:/bin/sh" for name, number in own]
    groups += [f"{name}:x:{number}:" for name, number in own]
    resolver = f"nameserver {nameserver}\noptions timeout:1 attempts:2\n" if nameserver else ""
    texts = {
        "passwd": "\n".join([*users, ""]),
        "group": "\n".join([*groups, ""]),
        "hosts": "".join(
            f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **hosts}.items()
        ),
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
        "resolv.conf": resolver,
    }
    for name, text in texts.items():
        (etc / name).write_text(text)
        (etc / name).chmod(0o644)
