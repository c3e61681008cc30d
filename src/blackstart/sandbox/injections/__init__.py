# SPDX-License-Identifier: Apache-2.0
"""Every injection, one file each; a file whose name begins with `_` is a part of several."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from blackstart.model.errors import Refused
from blackstart.sandbox.injection import Injection

INJECTIONS: dict[str, Injection] = {
    injection.name: injection
    for found in sorted(iter_modules(__path__), key=lambda found: found.name)
    if not found.name.startswith("_")
    for injection in (import_module(f"{__name__}.{found.name}").INJECTION,)
}


def injection_named(name: str) -> Injection:
    """Return the injection. Raises Refused with all names when there is none of that name."""
    if name not in INJECTIONS:
        known = ", ".join(INJECTIONS)
        raise Refused(f"there is no injection {name!r}", f"use one of: {known}")
    return INJECTIONS[name]
