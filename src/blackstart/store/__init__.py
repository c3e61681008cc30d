# SPDX-License-Identifier: Apache-2.0
"""Where the record, the evidence and the sealed secrets of one installation are kept."""
