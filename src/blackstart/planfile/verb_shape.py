# SPDX-License-Identifier: Apache-2.0
"""What has to be known of a provider's verb to find a plan's mistakes before the night."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbShape:
    """A verb: its kind (action, check or channel), its parameters and the outputs it declares."""

    kind: str
    parameters: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
