# SPDX-License-Identifier: Apache-2.0
"""Drives incidents: decides from facts what may happen now, records, acts, records."""
