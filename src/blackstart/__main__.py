# SPDX-License-Identifier: Apache-2.0
"""The entry: starts the command line."""

from __future__ import annotations

from blackstart.cli import main

if __name__ == "__main__":
    main()
