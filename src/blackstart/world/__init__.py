# SPDX-License-Identifier: Apache-2.0
"""The only door outside: time, subprocesses, isolated sites, HTTP, sockets, files, randomness."""
