# SPDX-License-Identifier: Apache-2.0
"""Blackstart: business continuity as code, from the first alarm to the closed post-mortem.

The package imports nothing here, so that `blackstart --help` answers at once.
"""

__version__ = "0.1.0"
