# SPDX-License-Identifier: Apache-2.0
"""Providers: one file for each outside thing, its verbs listed in `PROVIDES` at the file's end."""
