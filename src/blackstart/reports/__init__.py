# SPDX-License-Identifier: Apache-2.0
"""Reports: facts in, documents out. Nothing here reads a clock, a journal or the network."""
