# SPDX-License-Identifier: Apache-2.0
"""Rules for text of any kind: what no file of this repository may name, and how each begins.

The words are assembled from halves so that this file does not trip over itself.
"""

import json
import re
from collections.abc import Iterator

from tests.house.rules import Finding

LICENCE = "SPDX-License-Identifier: Apache-2.0"
REGISTRY_HOSTS = (
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "deb.deb" + "ian.org",
    "security.deb" + "ian.org",
    "node" + "source.com",
    "registry-1.doc" + "ker.io",
    "gh" + "cr.io",
    "proxy.go" + "lang.org",
)
MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/fa" + "rm/", "/opt/py" + "pi", "/tmp/br" + "ief")
ORGANISATION = (
    "co-auth" + "ored-by",
    "clau" + "de",
    "anthro" + "pic",
    "chat" + "gpt",
)


def outside_names(text: str) -> list[Finding]:
    """Nothing names a package registry, a path of one machine, or how the work was organised."""
    return [
        Finding(number, what)
        for number, line in enumerate(text.splitlines(), start=1)
        for what in _outside(line.lower())
    ]


def _outside(line: str) -> Iterator[str]:
    for word in REGISTRY_HOSTS:
        if word in line:
            yield f"names the registry host {word}: leave the place to each machine's settings"
    for word in MACHINE_PATHS:
        if re.search(rf"(?<![\w.~}}-]){re.escape(word)}", line):
            yield f"names {word}, a path of one machine: make it relative or configurable"
    for word in ORGANISATION:
        if word in line:
            yield f"says {word!r}: who works how is no part of the product"


def licence_line(text: str) -> list[Finding]:
    """The first line (the second after `#!`) carries the licence."""
    lines = text.splitlines()
    first = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
    if first and first[0] == f"# {LICENCE}":
        return []
    return [Finding(1, f"begin with the line: # {LICENCE}")]


def locked_places(text: str) -> list[Finding]:
    """A lock file pins versions and hashes, not the place they came from."""
    return [
        Finding(number, "names where a package came from: lock again without it (.npmrc)")
        for number, line in enumerate(text.splitlines(), start=1)
        if re.search(r'"resolved"\s*:\s*"[a-z+]+:', line)
        or re.match(r"\s*(-i|--(extra-)?index-url|--find-links)\b", line)
    ]


def unpinned(text: str) -> list[Finding]:
    """Each requirement is pinned to one version and carries hashes."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r"[A-Za-z0-9]", line) and not re.match(r"[A-Za-z0-9._-]+==\S+.*\\$", line):
            found.append(Finding(number, f"{line.strip()}: pin with == and hashes (make lock)"))
    return found


def lock_without_integrity(text: str) -> list[Finding]:
    """Each package that a package-lock.json fetches carries its hash."""
    packages: dict[str, dict[str, object]] = json.loads(text).get("packages", {})
    return [
        Finding(1, f"{name} has no integrity hash: remake the lock file")
        for name, entry in packages.items()
        if name and not entry.get("link") and not entry.get("inBundle") and "integrity" not in entry
    ]


def undocumented_dependencies(names: list[str], records: list[str]) -> list[str]:
    """The dependencies that no decision record names on its `Dependency:` line."""
    named = {
        name.strip(" `").lower()
        for record in records
        for line in re.findall(r"^Dependency:(.*)$", record, re.MULTILINE)
        for name in line.split(",")
    }
    return [name for name in names if name.lower() not in named]
