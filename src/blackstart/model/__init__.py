# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of Blackstart: pure values and pure functions, no I/O, no clock, no randomness."""
