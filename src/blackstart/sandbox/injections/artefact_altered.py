# SPDX-License-Identifier: Apache-2.0
"""The program that would be installed is not the one that was built."""

from __future__ import annotations

from blackstart.sandbox.injection import Injection, stops_at
from blackstart.sandbox.layout import STACK_VERSION, Layout
from blackstart.sandbox.on_site import put_file


def replace_artefact(layout: Layout) -> None:
    """Put another file in place of the stack's artefact; its digest stays."""
    put_file(layout.artefacts / f"stack-{STACK_VERSION}.tar.zst", b"another program", mode=0o644)


INJECTION = Injection(
    name="artefact-altered",
    what="the built artefact of the Node-RED stack was replaced by another file",
    expected=stops_at("deploy_platform.install"),
    inject=replace_artefact,
)
